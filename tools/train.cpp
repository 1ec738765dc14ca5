// train: fine-tunes a pretrained model on a data file. Everything it does lies in tasks/train/run.h; here
// options become a RunOptions.
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "autograd/comm/comm.h"
#include "models/io/strict_json.h"
#include "tasks/tasks.h"
#include "tasks/train/run.h"
#include "tasks/train/run_folder.h"
#include "tools/common/program.h"
#include "tools/common/toml_config.h"
#include "tools/common/unused_options.h"

namespace sesame {
namespace {

struct Arguments {
  RunOptions run;
  CommonOptions common;
  std::string device = "cpu", dtype = "fp32";
  int seeds = 1;
  bool dry_run = false;
};

void add_data_options(CLI::App& app, RunOptions& run) {
  app.add_option("--task", run.task,
                 "classify, tag, extract, generate (default: that of --preset, else classify)");
  app.add_option("--train", run.train, "Training data (docs/formats.md); .gz is read as it is")->required();
  app.add_option("--dev", run.dev, "Development data, for evaluation");
  app.add_option(
      "--preset", run.preset,
      "Known data set: sst2 cola mrpc stsb qqp mnli qnli rte wnli snli imdb conll2003 wnut17 ud-upos "
      "squad squad2");
  app.add_option("--columns", run.columns, "Columns by name: text=sentence1,text2=sentence2,label=gold");
  app.add_option("--format", run.format,
                 "auto, tsv, csv, jsonl, conll, conllu, squad (default: by extension)");
  app.add_option("--labels", run.labels, "classify: what the label column holds: auto, class, multi, number");
  app.add_option("--label-separator", run.label_separator,
                 "classify: between the labels of a cell with several");
  app.add_option("--limit", run.limit, "Only the first N training examples");
  app.add_option("--dev-limit", run.dev_limit, "Only the first N development examples");
  app.add_option("--max-length", run.max_length,
                 "Tokens per input, special ones included (default: 128; extract 384)");
  app.add_option("--stride", run.stride,
                 "tag, extract: tokens that neighbouring windows of a long text share");
  app.add_option("--question", run.question, "extract: the question, for data that has none");
  app.add_option("--max-target-length", run.max_target_length,
                 "generate: tokens of a target, the end token included (default: 128)");
  app.add_flag("--plain-special", run.plain_special,
               "[SEP], [MASK] ... spelled out in a text are ordinary text");
}

void add_model_options(CLI::App& app, Arguments& a) {
  RunOptions& run = a.run;
  app.add_option("--model", run.model, "Hugging Face directory of a BERT model")->required();
  app.add_option("--init", run.init, "pretrained, or random: keep the shape, forget the weights");
  app.add_option("--head", run.head,
                 "classify, tag, extract: the classifier, linear or mlp (one hidden layer)");
  app.add_option("--pool", run.pool, "classify: what the class is read from: cls, mean, max, attention");
  app.add_option("--features", run.features,
                 "What the head reads: last (layer), mix (learned weights of all layers), concat:K");
  app.add_flag("--features-norm", run.features_norm, "--features mix, concat: normalise each layer before");
  app.add_option("--decode", run.decode,
                 "tag: free, legal (only what the tagging scheme allows), crf (a conditional random field)");
  app.add_option("--max-answer", run.max_answer, "extract: longest answer in tokens");
  app.add_option(
      "--generator", run.generator,
      "generate: decoder (encoder, attention, decoder), or self (the model continues its own input)");
  app.add_option("--decoder-layers", run.decoder_layers, "--generator decoder: its layers");
  app.add_option(
      "--target-vocab", run.target_vocab,
      "generate: size of a cased vocabulary made from the targets, for the decoder; 0: the encoder's");
  app.add_option("--dropout", run.dropout, "Dropout of trunk and head (default: the model's own)");
  app.add_option("--device", a.device, "cpu, cuda, cuda:N");
  app.add_option("--dtype", a.dtype,
                 "fp32, fp64 (CPU), bf16 (CUDA: the encoder's layers; weights stay fp32)");
}

void add_tune_options(CLI::App& app, RunOptions& run) {
  app.add_option(
      "--tune", run.tune,
      "What is trained beside the head: full, frozen, adapter, lora, bitfit (docs/tasks/tuning.md)");
  app.add_option(
      "--adapter-kind", run.adapter_kind,
      "--tune adapter: houlsby (after attention and after feed-forward), pfeiffer (after feed-forward)");
  app.add_option("--adapter-size", run.adapter_size, "--tune adapter: width of the bottleneck");
  app.add_option("--adapter-place", run.adapter_place,
                 "--tune adapter: houlsby's place: both, or only after attention, feed-forward");
  app.add_option("--adapter-layers", run.adapter_layers,
                 "--tune adapter: only in layers FIRST-LAST, counted from below, as in 1-3");
  app.add_option("--adapter-norms", run.adapter_norms,
                 "--tune adapter: train LayerNorms along with it: on, off");
  app.add_option("--lora-rank", run.lora_rank, "--tune lora: rank of the updates of query and value");
  app.add_option("--lora-alpha", run.lora_alpha,
                 "--tune lora: the scale of the updates is alpha / rank (default: the rank)");
  app.add_option("--unfreeze-top", run.unfreeze_top, "Train so many layers from the top, too");
  app.add_flag("--unfreeze-gradually", run.unfreeze_gradually,
               "Train one layer after the other over the epochs, from the top");
  app.add_option("--layer-decay", run.layer_decay,
                 "Factor on the learning rate from each layer to the one below");
  app.add_option("--cache-mb", run.cache_mb,
                 "--tune frozen: megabytes of features that are kept over the epochs; beyond, recomputed");
}

void add_training_options(CLI::App& app, Arguments& a) {
  TrainerOptions& t = a.run.trainer;
  app.add_option("--epochs", t.epochs, "Passes over the training data");
  app.add_option("--steps", t.steps, "So many updates instead of epochs");
  app.add_option("--batch-size", a.run.batch_size,
                 "Examples per update and accumulated part (default: 32; extract 16)");
  app.add_option("--batch-tokens", t.batch_tokens, "So many tokens at most instead of a number of examples");
  app.add_option("--accumulate", t.accumulate, "Parts per update; equals one batch of all of them");
  app.add_flag("--bucket", t.bucket, "Group by length (packing does not need it)");
  app.add_option("--lr", t.lr, "Learning rate");
  app.add_option("--warmup", t.warmup, "Share of the updates, or their number from 1 on");
  app.add_option("--schedule", a.run.schedule, "linear, cosine, constant");
  app.add_option("--weight-decay", t.weight_decay, "Not on biases and LayerNorm");
  app.add_option("--clip", t.clip, "Largest global gradient norm; 0: off");
  app.add_option("--label-smoothing", a.run.label_smoothing, "Share of the target spread over all classes");
  app.add_option("--seed", t.seed, "Of fresh weights, order and dropout");
  app.add_option("--seeds", a.seeds, "N runs with seeds seed, seed+1, ...; mean and standard deviation")
      ->check(CLI::Range(1, 1000))
      ->configurable(false);
}

void add_run_options(CLI::App& app, Arguments& a) {
  TrainerOptions& t = a.run.trainer;
  app.add_option("--out", t.out, "Folder of the run");
  app.add_option("--eval-every", t.eval_every, "Updates between evaluations (default: each epoch)");
  app.add_option("--save-every", t.save_every, "Updates between checkpoints (default: with evaluations)");
  app.add_option("--keep", t.keep, "Checkpoints kept beside the best");
  app.add_option("--early-stop", t.early_stop, "Stop after so many evaluations without gain");
  app.add_option("--metric", t.metric, "Score that picks the best (default: the task's)");
  app.add_flag("--keep-best", t.keep_best, "End with the best weights instead of the last");
  app.add_flag("--resume", t.resume, "Go on from the last checkpoint in --out")->configurable(false);
  app.add_flag("--overwrite", a.run.overwrite, "Start anew in a folder that is not empty")
      ->configurable(false);
  app.add_flag("--dry-run", a.dry_run, "Counts, lengths, parameters, first examples; no training")
      ->configurable(false);
}

// The table of eight, for --help.
std::string task_list() {
  std::string text = "Tasks, by what goes in and what comes out:\n";
  for (const TaskRow& row : task_table()) {
    text += fmt::format("  {:<13} -> {:<22}  {}\n", row.input, row.output, row.option);
  }
  return text;
}

void parse_dtype(const std::string& name, RunOptions& run) {
  SESAME_CHECK(name == "fp32" || name == "fp64" || name == "bf16", "--dtype",
               "unknown type '{}': expected fp32, fp64 or bf16", name);
  const bool cpu = run.device == Device{};
  SESAME_CHECK(name != "bf16" || !cpu, "--dtype", "bf16 is not available on {}: use fp32", run.device.name());
  SESAME_CHECK(name != "fp64" || cpu, "--dtype", "fp64 is not available on {}: use fp32 or bf16",
               run.device.name());
  run.dtype = name == "fp64" ? DType::Float64 : DType::Float32;
  run.compute = name == "bf16" ? DType::BFloat16 : DType::Float32;
}

// N runs; the line carries the means of the numbers and the standard deviation of each dev score.
std::string train_seeds(const CLI::App& app, const RunOptions& options, int seeds) {
  if (world().leads()) prepare_run_folder(options.trainer.out, options.trainer.resume, options.overwrite);
  std::vector<OrderedJson> results;
  for (int i = 0; i < seeds; ++i) {
    RunOptions one = options;
    one.trainer.seed += static_cast<std::uint64_t>(i);
    one.trainer.out += fmt::format("/seed-{}", one.trainer.seed);
    one.run_toml = toml_with(app, {{"seed", std::to_string(one.trainer.seed)}, {"out", one.trainer.out}});
    results.push_back(json_or_discarded<OrderedJson>(fine_tune(one)));
    fmt::print(stderr, "seed {}: dev {}\n", one.trainer.seed, json_text(results.back()["dev"]));
  }
  const auto mean_of = [&](const auto& pick) {
    double sum = 0, squares = 0;
    for (const OrderedJson& r : results) sum += pick(r);
    const double mean = sum / seeds;
    for (const OrderedJson& r : results) squares += (pick(r) - mean) * (pick(r) - mean);
    return std::pair(mean, seeds > 1 ? std::sqrt(squares / (seeds - 1)) : 0.0);
  };
  OrderedJson line = results.back();
  for (auto& [key, value] : line.items()) {
    if (!value.is_number_float()) continue;
    value = mean_of([&key = key](const OrderedJson& r) { return r[key].template get<double>(); }).first;
  }
  OrderedJson deviations = OrderedJson::object();
  for (auto& [name, value] : line["dev"].items()) {
    const auto pick = [&name = name](const OrderedJson& r) {
      return r["dev"][name].is_number() ? r["dev"][name].template get<double>() : std::nan("");
    };
    const auto [mean, deviation] = mean_of(pick);
    value = mean;
    deviations[name] = deviation;
  }
  line["dev_std"] = deviations;
  line["seeds"] = seeds;
  return json_text(line);
}

int run(CLI::App& app, Arguments& a) {
  a.run.device = device_of_rank(a.device);
  parse_dtype(a.dtype, a.run);
  a.run.trainer.schedule = parse_schedule(a.run.schedule);
  a.run.verbose = a.common.verbose;
  a.run.run_toml = toml_with(app, {});
  say_unused_options(app, task_of(a.run.task, a.run.preset));
  if (a.dry_run) {
    print_line(dry_run(a.run));
    return 0;
  }
  SESAME_CHECK(!a.run.trainer.out.empty(), "--out", "names no folder for the run");
  print_line(a.seeds > 1 ? train_seeds(app, a.run, a.seeds) : fine_tune(a.run));
  return 0;
}

}  // namespace
}  // namespace sesame

int main(int argc, char** argv) {
  using namespace sesame;
  Arguments arguments;
  CLI::App app("Fine-tunes a pretrained BERT. The last line on stdout is the result as JSON.", "train");
  arguments.common.ranks = true;
  add_common_options(app, arguments.common);
  add_data_options(app, arguments.run);
  add_model_options(app, arguments);
  add_tune_options(app, arguments.run);
  add_training_options(app, arguments);
  add_run_options(app, arguments);
  app.footer(
      task_list() +
      "Examples:\n"
      "  train --train train.tsv --dev dev.tsv --model models/minilm --out runs/first\n"
      "  train --preset mrpc --train mrpc/train.tsv --dev mrpc/dev.tsv --model models/minilm --epochs 2 --lr "
      "1e-4 "
      "--out runs/mrpc\n"
      "  train --config runs/first/run.toml --seed 7 --out runs/second");
  return run_program(app, argc, argv, arguments.common, [&] { return run(app, arguments); });
}
