// bench: times forward and training steps of BERT on dense batches, and plain GEMM on the same shapes in the
// same run.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "autograd/allocator.h"
#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/random.h"
#include "models/pretrained.h"
#include "nn/optim/adamw.h"
#include "nn/optim/clip.h"
#include "tasks/classify/classify_model.h"
#include "tasks/train/run_folder.h"
#include "tools/common/op_bench.h"
#include "tools/common/program.h"

namespace sesame {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Arguments {
  CommonOptions common;
  std::string size = "minilm", device = "cpu", dtype = "fp32", only;
  std::int64_t batch = 8, length = 128;
  int repeat = 5;
  double dropout = 0.1;
  bool json = false, ops = false;
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

double milliseconds(const std::function<void()>& body) {
  const Clock::time_point begin = Clock::now();
  body();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// Minimum of `repeat` calls after two that warm up.
double best_of(int repeat, const std::function<void()>& body) {
  body();
  body();
  double best = milliseconds(body);
  for (int i = 1; i < repeat; ++i) best = std::min(best, milliseconds(body));
  return best;
}

// 2 FLOP per weight of the encoder and token, plus attention scores and values.
double forward_gflop(const BertConfig& c, std::int64_t batch, std::int64_t length) {
  const auto h = static_cast<double>(c.hidden_size), s = static_cast<double>(length);
  return (2 * 12 * h * h + 4 * s * h) * static_cast<double>(c.num_hidden_layers * batch) * s / 1e9;
}

// Rate of plain GEMM over the products of one layer, forward only or with both gradients.
double gemm_gflops(const BertConfig& c, std::int64_t rows, bool train, int repeat, TensorOptions options) {
  struct Product {
    std::int64_t m, n, k;
    bool ta, tb;
  };
  std::vector<Product> products;
  const std::int64_t h = c.hidden_size, f = c.intermediate_size;
  for (const auto& [out, in] : {std::pair{3 * h, h}, {h, h}, {f, h}, {h, f}}) {
    products.push_back({rows, out, in, false, true});
    if (!train) continue;
    products.push_back({rows, in, out, false, false});
    products.push_back({out, in, rows, true, false});
  }
  double ms = 0, flop = 0;
  for (const Product& p : products) {
    const Tensor a = Tensor::ones({p.m * p.k}, options), b = Tensor::ones({p.k * p.n}, options);
    const Tensor out = Tensor::empty({p.m * p.n}, options);
    GemmArgs args{
        .dtype = options.dtype, .transpose_a = p.ta, .transpose_b = p.tb, .m = p.m, .n = p.n, .k = p.k};
    args.a = a.view().data;
    args.lda = p.ta ? p.m : p.k;
    args.b = b.view().data;
    args.ldb = p.tb ? p.k : p.n;
    args.c = out.view().data;
    args.ldc = p.n;
    ms += best_of(repeat, [&] { kernels(options.device).gemm(args); });
    flop += 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  }
  return flop / ms / 1e6;
}

class ModelBench {
 public:
  explicit ModelBench(const Arguments& a, TensorOptions options)
      : a_(a),
        config_(config_of(a.size, a.dropout)),
        model_(config_, {.width = config_.hidden_size, .outputs = 2, .dropout = a.dropout}, true) {
    init_bert_model(model_, config_, 1);
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
    optimizer_ = std::make_unique<AdamW>(model_.parameters());
  }

  void infer() {
    const NoGradGuard no_grad;
    model_.eval();
    model_.forward(batch_);
  }

  void train() {
    model_.train();
    const RandomScope scope(1, static_cast<std::uint64_t>(step_++));
    model_.head.loss(model_.forward(batch_), targets_, static_cast<double>(a_.batch), 0).backward();
    const double norm = global_grad_norm(model_.parameters());
    optimizer_->step(1e-5, clip_factor(norm, 1));
    model_.zero_grad();
  }

  const BertConfig& config() const { return config_; }

 private:
  const Arguments& a_;
  BertConfig config_;
  ClassifyModel model_;
  PackedBatch batch_;
  ClassifyTargets targets_;
  std::unique_ptr<AdamW> optimizer_;
  int step_ = 0;
};

void print_case(const Arguments& a, const Json& line) {
  if (a.json) return print_line(line.dump());
  std::string text;
  for (const auto& [key, value] : line.items()) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", key,
                        value.is_string() ? value.get<std::string>() : value.dump());
  }
  print_line(text);
}

double rounded(double value, double unit) { return std::round(value / unit) * unit; }

void bench_model(const Arguments& a, TensorOptions options) {
  ModelBench bench(a, options);
  for (const std::string what : {"infer", "train"}) {
    if (!a.only.empty() && a.only != what) continue;
    const bool train = what == "train";
    const double ms = best_of(a.repeat, [&] { train ? bench.train() : bench.infer(); });
    const std::uint64_t before = allocator_stats(options.device).system_allocations;
    train ? bench.train() : bench.infer();
    const std::uint64_t allocations = allocator_stats(options.device).system_allocations - before;
    const double gflops = forward_gflop(bench.config(), a.batch, a.length) * (train ? 3 : 1) / ms * 1e3;
    const double gemm = gemm_gflops(bench.config(), a.batch * a.length, train, a.repeat, options);
    print_case(a, {{"what", what},
                   {"size", a.size},
                   {"batch", a.batch},
                   {"length", a.length},
                   {"device", a.device},
                   {"dtype", a.dtype},
                   {"ms", rounded(ms, 0.01)},
                   {"gflops", rounded(gflops, 0.1)},
                   {"gemm_gflops", rounded(gemm, 0.1)},
                   {"of_gemm", rounded(gflops / gemm, 0.001)},
                   {"system_allocations_per_step", allocations},
                   {"peak_memory_bytes", peak_memory_bytes()},
                   {"kernels", kernels(options.device).name}});
  }
}

int run(const Arguments& a) {
  SESAME_CHECK(a.only.empty() || a.only == "infer" || a.only == "train", "--only",
               "unknown case '{}': expected infer or train", a.only);
  SESAME_CHECK(a.dtype == "fp32" || a.dtype == "fp64", "--dtype", "unknown type '{}': expected fp32 or fp64",
               a.dtype);
  const TensorOptions options{a.dtype == "fp32" ? DType::Float32 : DType::Float64, Device::parse(a.device)};
  if (a.ops) {
    bench_ops(a.batch * a.length, config_of(a.size, a.dropout), a.batch, a.dropout, a.repeat, a.json,
              options);
  } else {
    bench_model(a, options);
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
  app.add_option("--dropout", a.dropout, "In training steps");
  app.add_option("--only", a.only, "infer or train");
  app.add_option("--device", a.device, "cpu, cuda, cuda:N");
  app.add_option("--dtype", a.dtype, "fp32 or fp64");
  app.add_flag("--ops", a.ops, "Time the ops of one layer instead of the model");
  app.add_flag("--json", a.json, "One JSON object a line");
  app.footer("Examples:\n  bench --size base --batch 8 --length 128 --json\n  bench --size minilm --ops");
  return run_program(app, argc, argv, a.common, [&] { return run(a); });
}
