// bench: times forward and training steps of BERT on dense batches, and plain GEMM on the same shapes in the
// same run.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "autograd/allocator.h"
#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/ops/pointwise.h"
#include "autograd/precision.h"
#include "autograd/random.h"
#include "autograd/recording.h"
#include "models/io/strict_json.h"
#include "models/pretrained.h"
#include "nn/init.h"
#include "nn/optim/adamw.h"
#include "nn/optim/clip.h"
#include "tasks/classify/classify_model.h"
#include "tasks/train/run_folder.h"
#include "tools/common/gemm_bench.h"
#include "tools/common/op_bench.h"
#include "tools/common/program.h"
#include "tools/common/random_values.h"
#include "tools/common/text_bench.h"
#include "tools/common/timing.h"

namespace sesame {
namespace {

struct Arguments {
  CommonOptions common;
  std::string size = "minilm", device = "cpu", dtype = "fp32", only, model, texts;
  std::int64_t batch = 8, length = 128, heads = 12;
  std::vector<std::int64_t> lengths, head_widths;
  int repeat = 5, warmup = 2;
  double dropout = 0.1;
  bool json = false, no_recording = false, ops = false;
};

// Where the parameters lie, and what the encoder computes in.
struct Types {
  TensorOptions parameters;
  DType compute = DType::Float32;
};

BertConfig config_of(const std::string& size, double dropout) {
  const std::map<std::string, std::array<std::int64_t, 3>> sizes = {{"tiny", {2, 128, 2}},
                                                                    {"mini", {4, 256, 4}},
                                                                    {"minilm", {6, 384, 12}},
                                                                    {"base", {12, 768, 12}},
                                                                    {"large", {24, 1024, 16}}};
  const auto found = sizes.find(size);
  SESAME_CHECK(found != sizes.end(), "--size",
               "unknown size '{}': expected tiny, mini, minilm, base or large", size);
  BertConfig config;
  config.num_hidden_layers = found->second[0];
  config.hidden_size = found->second[1];
  config.num_attention_heads = found->second[2];
  config.intermediate_size = 4 * config.hidden_size;
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout;
  return config;
}

// Operations of a forward pass that are computed: 2 per weight of the encoder and token, plus attention
// scores and values; a classifier's last layer makes keys and values of all tokens, and the rest for one of
// each sequence.
double forward_gflop(const BertConfig& c, std::int64_t batch, std::int64_t length, bool classifies) {
  const auto h = static_cast<double>(c.hidden_size), s = static_cast<double>(length);
  const double layer = (2 * 12 * h * h + 4 * s * h) * s, keys_values = 4 * h * h * s,
               rest_of_row = 2 * 10 * h * h + 4 * s * h;
  const auto layers = static_cast<double>(c.num_hidden_layers);
  const double sequence = classifies ? layer * (layers - 1) + keys_values + rest_of_row : layer * layers;
  return sequence * static_cast<double>(batch) / 1e9;
}

// One model and one batch, both on the device before anything is timed.
class ModelBench {
 public:
  explicit ModelBench(const Arguments& a, TensorOptions options)
      : a_(a),
        config_(config_of(a.size, a.dropout)),
        model_(config_, {.width = config_.hidden_size, .outputs = 2, .dropout = a.dropout}, true) {
    fill_weights();
    model_.to(options);
    RandomStream random(1);
    std::vector<TokenSequence> sequences(static_cast<std::size_t>(a.batch));
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      sequences[i].example = static_cast<std::int64_t>(i);
      targets_.classes.push_back(static_cast<std::int64_t>(i % 2));
      for (std::int64_t t = 0; t < a.length; ++t) {
        sequences[i].ids.push_back(1000 + static_cast<std::int64_t>(random.below(29000)));
      }
    }
    batch_ = pack_batch(sequences, config_.max_position_embeddings, options.device);
  }

  std::function<void()> step(const std::string& what) {
    if (what == "train") return [this] { train(); };
    if (what == "infer") return [this] { infer(); };
    return [this] { embed(); };
  }
  const BertConfig& config() const { return config_; }

 private:
  // Spread as BERT's own are at the start, but quickly: drawing BERT-base's takes longer than timing it.
  void fill_weights() {
    const NoGradGuard no_grad;
    for (NamedParameter& p : model_.parameters()) {
      if (p.tensor.dim() == 2) {
        p.tensor.copy_(
            affine(random_values(p.tensor.shape(), {}), std::sqrt(3.0) * config_.initializer_range, 0));
      } else {
        init_bert(p, config_.initializer_range, 1);
      }
    }
  }

  void infer() {
    const NoGradGuard no_grad;
    model_.eval();
    model_.forward(batch_);
  }

  // The states of all tokens, without a head.
  void embed() {
    const NoGradGuard no_grad;
    model_.eval();
    model_.bert.forward(batch_, {.pooled = false});
  }

  void train() {
    if (!optimizer_) optimizer_ = std::make_unique<AdamW>(model_.parameters());
    model_.train();
    const RandomScope scope(1, static_cast<std::uint64_t>(step_++));
    model_.head.loss(model_.forward(batch_), targets_, static_cast<double>(a_.batch), 0).backward();
    const double norm = global_grad_norm(model_.parameters());
    optimizer_->step(1e-5, clip_factor(norm, 1));
    model_.zero_grad();
  }

  const Arguments& a_;
  BertConfig config_;
  ClassifyModel model_;
  PackedBatch batch_;
  ClassifyTargets targets_;
  std::unique_ptr<AdamW> optimizer_;
  int step_ = 0;
};

void print_case(const Arguments& a, const OrderedJson& line) {
  if (a.json) return print_line(json_text(line));
  std::string text;
  for (const auto& [key, value] : line.items()) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", key,
                        value.is_string() ? value.get<std::string>() : json_text(value));
  }
  print_line(text);
}

double rounded(double value, double unit) { return std::round(value / unit) / std::round(1 / unit); }

// A case of --only: model and plain products in turn, after rounds that warm up; minima count.
void bench_case(const Arguments& a, ModelBench& bench, const std::string& what, const Types& types) {
  const Device device = types.parameters.device;
  const bool train = what == "train";
  const std::function<void()> step = bench.step(what);
  const DType product = types.compute == DType::BFloat16 ? types.compute : types.parameters.dtype;
  GemmBench gemm(bench.config(), a.batch * a.length, train, {product, device});
  Timings times;
  for (int i = 0; i < a.repeat + a.warmup; ++i) {
    const double once = milliseconds(step, device);
    if (i >= a.warmup) times.add(once);
    gemm.run();
  }
  const std::uint64_t before = allocator_stats(device).system_allocations;
  step();
  const std::uint64_t allocations = allocator_stats(device).system_allocations - before;
  const double gflop = forward_gflop(bench.config(), a.batch, a.length, what != "embed") * (train ? 3 : 1);
  const double gflops = gflop / times.least() * 1e3;
  const double unit = times.least() < 10 ? 0.0001 : 0.01;
  print_case(a, {{"what", what},
                 {"size", a.size},
                 {"batch", a.batch},
                 {"length", a.length},
                 {"device", a.device},
                 {"dtype", a.dtype},
                 {"ms", rounded(times.least(), unit)},
                 {"median_ms", rounded(times.median(), unit)},
                 {"gflops", rounded(gflops, 0.1)},
                 {"gemm_gflops", rounded(gemm.gflops(), 0.1)},
                 {"of_gemm", rounded(gflops / gemm.gflops(), 0.001)},
                 {"system_allocations_per_step", allocations},
                 {"peak_tensor_bytes", allocator_stats(device).peak_bytes_in_use},
                 {"peak_memory_bytes", peak_memory_bytes()},
                 {"kernels", kernels(device).name}});
}

void bench_model(const Arguments& a, const Types& types) {
  ModelBench bench(a, types.parameters);
  for (const std::string what : {"infer", "train", "embed"}) {
    if (a.only.empty() ? what != "embed" : a.only == what) bench_case(a, bench, what, types);
  }
}

void bench_pretrained(const Arguments& a, const Types& types) {
  SESAME_CHECK(!a.model.empty(), "--texts", "needs a model: give --model DIRECTORY");
  const TextBenchResult r = bench_texts({.model = a.model,
                                         .texts = a.texts,
                                         .batch = a.batch,
                                         .repeat = a.repeat,
                                         .embed = a.only != "tokenize",
                                         .tensors = types.parameters,
                                         .compute = types.compute});
  print_case(a, {{"what", "texts"},
                 {"texts", r.texts},
                 {"tokens", r.tokens},
                 {"batch", a.batch},
                 {"load_ms", rounded(r.load_ms, 0.01)},
                 {"tokenize_ms", rounded(r.tokenize_ms, 0.01)},
                 {"embed_ms", rounded(r.embed_ms, 0.01)},
                 {"texts_per_second",
                  r.embed_ms > 0 ? rounded(static_cast<double>(r.texts) / r.embed_ms * 1e3, 0.1) : 0},
                 {"peak_memory_bytes", peak_memory_bytes()},
                 {"kernels", kernels(types.parameters.device).name}});
}

Types parse_types(const Arguments& a) {
  SESAME_CHECK(a.dtype == "fp32" || a.dtype == "fp64" || a.dtype == "bf16", "--dtype",
               "unknown type '{}': expected fp32, fp64 or bf16", a.dtype);
  const Device device = Device::parse(a.device);
  const bool cpu = device == Device{};
  SESAME_CHECK(a.dtype != "bf16" || !cpu, "--dtype", "bf16 is not available on {}: use fp32", device.name());
  SESAME_CHECK(a.dtype != "fp64" || cpu, "--dtype", "fp64 is not available on {}: use fp32 or bf16",
               device.name());
  return {{a.dtype == "fp64" ? DType::Float64 : DType::Float32, device},
          a.dtype == "bf16" ? DType::BFloat16 : DType::Float32};
}

int run(const Arguments& a) {
  const std::vector<std::string> cases = {"", "infer", "train", "embed", "tokenize"};
  SESAME_CHECK(a.ops || (std::find(cases.begin(), cases.end(), a.only) != cases.end() &&
                         (a.only != "tokenize" || !a.texts.empty())),
               "--only", "unknown case '{}': expected infer, train or embed; with --texts embed or tokenize",
               a.only);
  const Types types = parse_types(a);
  const MixedPrecision precision(types.compute);
  std::optional<RecordingScope> recorded;
  if (!a.no_recording) recorded.emplace();
  if (!a.texts.empty()) {
    bench_pretrained(a, types);
  } else if (a.ops) {
    bench_ops({.config = config_of(a.size, a.dropout),
               .batch = a.batch,
               .length = a.length,
               .repeat = a.repeat,
               .json = a.json,
               .only = a.only,
               .lengths = a.lengths,
               .head_widths = a.head_widths,
               .heads = a.heads,
               .tensors = types.parameters,
               .compute = types.compute == DType::BFloat16 ? types.compute : types.parameters.dtype});
  } else {
    bench_model(a, types);
  }
  return 0;
}

}  // namespace
}  // namespace sesame

int main(int argc, char** argv) {
  using namespace sesame;
  Arguments a;
  CLI::App app(
      "Times forward and training steps (clipping and AdamW included) on dense batches, beside plain GEMM.",
      "bench");
  add_common_options(app, a.common);
  app.add_option("--size", a.size, "tiny, mini, minilm, base, large");
  app.add_option("--batch", a.batch, "Sequences")->check(CLI::Range(1, 100000));
  app.add_option("--length", a.length, "Tokens of each")->check(CLI::Range(1, 512));
  app.add_option("--repeat", a.repeat, "Timed calls; the minimum counts")->check(CLI::Range(1, 10000));
  app.add_option("--warmup", a.warmup, "Calls before them")->check(CLI::Range(0, 10000));
  app.add_option("--dropout", a.dropout, "In training steps");
  app.add_option(
      "--only", a.only,
      "infer, train, or embed: the states of all tokens, without a classifier; tokenize: with --texts; with "
      "--ops: those whose name begins so");
  app.add_option("--texts", a.texts, "Load --model, and embed the lines of this file, --batch at a time");
  app.add_option("--model", a.model, "With --texts: Hugging Face directory of a BERT model");
  app.add_option("--device", a.device, "cpu, cuda, cuda:N");
  app.add_option("--dtype", a.dtype,
                 "fp32, fp64 (CPU), bf16 (devices: the encoder's layers; weights stay fp32)");
  app.add_flag("--ops", a.ops, "Time the ops of one layer instead of the model");
  app.add_option("--lengths", a.lengths, "With --ops: attention alone, over sequences of these lengths")
      ->delimiter(',')
      ->check(CLI::Range(1, 100000));
  app.add_option("--head-widths", a.head_widths, "With --ops: attention alone, at these widths of a head")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  app.add_option("--heads", a.heads, "With --head-widths")->check(CLI::Range(1, 1024));
  app.add_flag("--no-recording", a.no_recording,
               "Start each kernel of small batches by itself, where the device could repeat recorded ones");
  app.add_flag("--json", a.json, "One JSON object a line");
  app.footer(
      "Examples:\n"
      "  bench --size base --batch 8 --length 128 --json\n"
      "  bench --size minilm --batch 1 --length 32 --only infer --repeat 200\n"
      "  bench --size minilm --ops\n"
      "  bench --ops --batch 32 --length 512 --lengths 128,512 --head-widths 32,64,128");
  return run_program(app, argc, argv, a.common, [&] { return run(a); });
}
