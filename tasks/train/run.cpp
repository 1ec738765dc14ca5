#include "tasks/train/run.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/precision.h"
#include "autograd/recording.h"
#include "models/io/atomic_file.h"
#include "models/io/mapped_file.h"
#include "models/io/strict_json.h"
#include "tasks/ranks/agreement.h"
#include "tasks/tasks.h"
#include "tasks/train/run_folder.h"
#include "tasks/train/sampler.h"
#include "tasks/train/tuning_setup.h"

namespace sesame {
namespace {

// The options that a resumed run must share with the one it continues.
std::string fingerprint(const RunOptions& o, const Task& task) {
  const TrainerOptions& t = o.trainer;
  const OrderedJson json = {
      {"task", o.task},
      {"train", o.train},
      {"preset", o.preset},
      {"columns", o.columns},
      {"labels", o.labels},
      {"format", o.format},
      {"label-separator", o.label_separator},
      {"plain-special", o.plain_special},
      {"limit", o.limit},
      {"rows of the training data", task.train_size()},
      {"dev", o.dev},
      {"rows of the development data", task.dev_size()},
      {"metric", t.metric},
      {"eval-every", t.eval_every},
      {"early-stop", t.early_stop},
      {"keep-best", t.keep_best},
      {"model", o.model},
      {"init", o.init},
      {"head", o.head},
      {"pool", o.pool},
      {"tune", o.tune},
      {"adapter-kind", o.adapter_kind},
      {"adapter-size", o.adapter_size},
      {"adapter-place", o.adapter_place},
      {"adapter-layers", o.adapter_layers},
      {"adapter-norms", o.adapter_norms},
      {"lora-rank", o.lora_rank},
      {"lora-alpha", o.lora_alpha.has_value() ? OrderedJson(*o.lora_alpha) : OrderedJson("the rank")},
      {"unfreeze-top", o.unfreeze_top},
      {"unfreeze-gradually", o.unfreeze_gradually},
      {"layer-decay", o.layer_decay},
      {"features", o.features},
      {"features-norm", o.features_norm},
      {"dropout", o.dropout.has_value() ? OrderedJson(*o.dropout) : OrderedJson("the model's own")},
      {"label-smoothing", o.label_smoothing},
      {"max-length", o.max_length},
      {"stride", o.stride},
      {"decode", o.decode},
      {"question", o.question},
      {"max-answer", o.max_answer},
      {"generator", o.generator},
      {"decoder-layers", o.decoder_layers},
      {"target-vocab", o.target_vocab},
      {"max-target-length", o.max_target_length},
      {"dtype", dtype_name(o.compute == DType::BFloat16 ? o.compute : o.dtype)},
      {"epochs", t.epochs},
      {"steps", t.steps},
      {"batch-size", t.batch_size},
      {"batch-tokens", t.batch_tokens},
      {"accumulate", t.accumulate},
      {"ranks", world().size()},
      {"bucket", t.bucket},
      {"lr", t.lr},
      {"warmup", t.warmup},
      {"schedule", o.schedule},
      {"weight-decay", t.weight_decay},
      {"clip", t.clip},
      {"seed", t.seed}};
  return json_text(json);
}

OrderedJson metrics_json(const Metrics& metrics) { return json_or_discarded<OrderedJson>(metrics.json()); }

OrderedJson result_json(const RunOptions& options, const RunSetup& setup, const TuneCounts& tuned,
                        const TrainResult& result) {
  const TrainState& state = result.state;
  const double seconds = std::max(state.train_seconds, 1e-9);
  OrderedJson json;
  json["task"] = options.task;
  json["examples"] = state.examples;
  json["train_seconds"] = state.train_seconds;
  json["examples_per_second"] = static_cast<double>(state.examples) / seconds;
  json["tokens_per_second"] = static_cast<double>(state.tokens) / seconds;
  json["trainable_parameters"] = tuned.trained;
  json["peak_memory_bytes"] = peak_memory_bytes();
  json["final_loss"] = state.last_loss;
  json["dev"] = metrics_json(result.dev);
  json["steps"] = state.step;
  json["seed"] = options.trainer.seed;
  const std::vector<double> layers = setup.task->layer_weights();
  if (world().size() > 1) json["ranks"] = world().size();
  if (!layers.empty()) json["layer_weights"] = layers;
  if (state.best_step >= 0) json["best_step"] = state.best_step;
  if (state.skipped_steps > 0) json["skipped_steps"] = state.skipped_steps;
  return json;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", std::localtime(&now));
  return text;
}

void write_run_report(const RunOptions& options, const RunSetup& setup, const OrderedJson& json,
                      const TrainResult& result) {
  Report report;
  report.title =
      fmt::format("{} on {}", options.task,
                  std::filesystem::path(options.preset.empty() ? options.train : options.preset).string());
  report.subtitle = fmt::format("{}, {}", options.model, today());
  if (!result.dev.empty()) report.scores.emplace_back("dev", result.dev);
  add_curves(options.trainer.out + "/metrics.jsonl", report);
  setup.task->describe(report);
  const auto number = [&](const char* key) { return json[key].get<double>(); };
  report.speed = {{"training time", fmt::format("{:.1f} s", number("train_seconds"))},
                  {"examples per second", fmt::format("{:.1f}", number("examples_per_second"))},
                  {"tokens per second", fmt::format("{:.0f}", number("tokens_per_second"))},
                  {"peak memory", fmt::format("{:.0f} MB", number("peak_memory_bytes") / 1e6)},
                  {"trained parameters", fmt::format("{} of {}", json_text(json["trainable_parameters"]),
                                                     setup.model->parameter_count())},
                  {"kernels", kernels(options.device).name}};
  const std::vector<double> layers = setup.task->layer_weights();
  for (std::size_t j = 0; j < layers.size(); ++j) {
    report.layer_weights.emplace_back(j == 0 ? "embeddings" : fmt::format("layer {}", j), layers[j]);
  }
  const OrderedJson shown = json_or_discarded<OrderedJson>(options.trainer.fingerprint);
  for (const auto& [key, value] : shown.items()) {
    report.options.emplace_back(key, value.is_string() ? value.get<std::string>() : json_text(value));
  }
  write_report(options.trainer.out + "/report.html", report);
}

void check_options(const RunOptions& options) {
  SESAME_CHECK(!options.train.empty(), "--train", "names no training data");
  SESAME_CHECK(!options.model.empty(), "--model", "names no model directory");
  SESAME_CHECK(options.limit >= 0 && options.dev_limit >= 0, "--limit", "must not be negative");
  SESAME_CHECK(options.label_smoothing >= 0 && options.label_smoothing < 1, "--label-smoothing",
               "must be in [0, 1), got {}", options.label_smoothing);
  const double dropout = options.dropout.value_or(0);
  SESAME_CHECK(dropout >= 0 && dropout < 1, "--dropout", "must be in [0, 1), got {}", dropout);
  std::error_code none;
  const std::string& out = options.trainer.out;
  SESAME_CHECK(out.empty() || !std::filesystem::equivalent(out, options.model, none), "--out",
               "'{}' is the folder of --model: name another", out);
  kernels(options.device);  // says now when there is no such device
}

// The folder that predict and from_pretrained read; task.json comes last and marks it as finished.
void write_model(const RunOptions& options, RunSetup& setup) {
  const std::string& out = options.trainer.out;
  const std::string task_json = write_tuned_model(out, options, setup);
  write_file_atomic(out + "/task.json", task_json);
}

// The learned mix of layers, on stderr.
void say_layer_weights(const Task& task) {
  const std::vector<double> layers = task.layer_weights();
  if (layers.empty()) return;
  std::string line = "weights of the layers: embeddings";
  for (std::size_t j = 0; j < layers.size(); ++j)
    line += fmt::format("{} {:.3f}", j == 0 ? "" : ",", layers[j]);
  say(line);
}

// The options with the task's own values where they were left open.
RunOptions completed(RunOptions options) {
  options.task = task_of(options.task, options.preset);
  const TaskKind& task = find_task(options.task);
  options.trainer.batch_size = options.batch_size.value_or(task.batch_size);
  task.defaults(options);
  return options;
}

// Everything is written: the last checkpoint says so and the result stands beside it.
bool is_finished(const std::string& out) {
  const auto saved = Checkpoints(out, 1).newest();
  return saved.has_value() && saved->finished && std::filesystem::exists(out + "/result.json");
}

// All ranks start with the same options, data, vocabulary and weights.
void check_ranks(const RunOptions& options, const RunSetup& setup) {
  if (world().size() == 1) return;
  std::vector<Fact> facts = facts_of_options(options.trainer.fingerprint);
  facts.push_back({"--resume", options.trainer.resume ? "on" : "off"});
  const std::string device = options.device.name();  // its number may differ
  facts.push_back({"--device", device.substr(0, device.find(':'))});
  facts.push_back({"the training data", hash_of_file(options.train)});
  facts.push_back({"the development data", hash_of_file(options.dev)});
  facts.push_back({"the vocabulary", hash_of_tokens(setup.tokenizer)});
  facts.push_back({"the set of initial weights", hash_of_values(setup.model->parameters())});
  check_agreement(world(), facts);
}

// The result of a finished run with the same options, which --resume leaves alone; else nothing.
std::string finished_result(const RunOptions& options) {
  const std::string& out = options.trainer.out;
  if (!options.trainer.resume || !is_finished(out)) return "";
  const auto saved = Checkpoints(out, options.trainer.keep).newest();
  const std::string changed = changed_options(saved->fingerprint, options.trainer.fingerprint);
  SESAME_CHECK(changed.empty(), "resume", "the run in '{}' is finished and had other options: {}", out,
               changed);
  fmt::print(stderr, "the run in '{}' is finished: nothing to do\n", out);
  return json_text(json_or_discarded<OrderedJson>(MappedFile(out + "/result.json").text()));
}

// All that stands in the run's folder at its end.
void write_results(const RunOptions& options, RunSetup& setup, const OrderedJson& json,
                   const TrainResult& result) {
  const std::string& out = options.trainer.out;
  say_layer_weights(*setup.task);
  write_run_report(options, setup, json, result);
  write_model(options, setup);
  write_file_atomic(out + "/result.json", json_text(json, 2) + "\n");
  if (!setup.model->adapter.empty()) {  // its folder holds small files only
    const bool holds_best = options.trainer.keep_best || result.state.best_step == result.state.step;
    Checkpoints(out, options.trainer.keep).drop_weights(holds_best);
  }
}

}  // namespace

std::string fine_tune(const RunOptions& given) {
  Comm& comm = world();
  RunOptions options = completed(given);
  check_options(options);
  const MixedPrecision precision(options.compute);
  const RecordingScope recorded;
  const std::string& out = options.trainer.out;
  RunSetup setup = find_task(options.task).set_up(options);
  check(options.trainer, *setup.task);
  options.trainer.fingerprint = fingerprint(options, *setup.task);
  check_ranks(options, setup);
  std::string text = comm.leads() ? finished_result(options) : "";
  comm.broadcast(text);
  if (!text.empty()) return text;
  if (comm.leads()) {
    prepare_run_folder(out, options.trainer.resume, options.overwrite);
    write_file_atomic(out + "/run.toml", options.run_toml);
  }
  const TuneCounts tuned = count_tuned(*setup.model);  // before layers are frozen for a while
  say(fmt::format("kernels: {}{}", kernels(options.device).name,
                  comm.size() > 1 ? fmt::format("; {}", comm.description()) : ""));

  const TrainResult result = train(*setup.task, tuned_trainer(options, *setup.model));
  const OrderedJson json = result_json(options, setup, tuned, result);
  if (comm.leads()) write_results(options, setup, json, result);
  text = json_text(json);
  comm.broadcast(text);
  return text;
}

std::string dry_run(const RunOptions& given) {
  const RunOptions options = completed(given);
  check_options(options);
  const RunSetup setup = find_task(options.task).set_up(options);
  const Task& task = *setup.task;
  check(options.trainer, task);
  std::int64_t tokens = 0, longest = 0;
  for (std::int64_t i = 0; i < task.train_size(); ++i) {
    tokens += task.train_length(i);
    longest = std::max(longest, task.train_length(i));
  }
  const TrainerOptions& t = options.trainer;
  const Sampler sampler({.examples = task.train_size(),
                         .batch_size = t.batch_size,
                         .batch_tokens = t.batch_tokens,
                         .accumulate = t.accumulate * world().size(),
                         .bucket = t.bucket,
                         .seed = t.seed},
                        [&task](std::int64_t i) { return task.train_length(i); });
  OrderedJson first = OrderedJson::array();
  const std::vector<std::int64_t> batch = sampler.epoch(0).at(0).at(0);
  for (const std::int64_t i : batch) first.push_back(json_or_discarded<OrderedJson>(task.show(i)));
  const std::int64_t parameters = setup.model->parameter_count();
  const OrderedJson json = {
      {"task", options.task},
      {"train_examples", task.train_size()},
      {"dev_examples", task.dev_size()},
      {"tokens_per_example", static_cast<double>(tokens) / static_cast<double>(task.train_size())},
      {"longest", longest},
      {"labels", setup.config.labels},
      {"parameters", parameters},
      {"trainable_parameters", setup.model->parameter_count(true)},
      // weights; of those that are trained gradients and two moments of the optimiser
      {"parameter_memory_bytes", (parameters + 3 * setup.model->parameter_count(true)) *
                                     static_cast<std::int64_t>(dtype_size(options.dtype))},
      {"first_batch", first}};
  return json_text(json);
}

}  // namespace sesame
