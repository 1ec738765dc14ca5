#include "tasks/train/run.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "models/io/atomic_file.h"
#include "tasks/classify/classify_setup.h"
#include "tasks/train/run_folder.h"
#include "tasks/train/sampler.h"

namespace sesame {
namespace {

using Json = nlohmann::ordered_json;

// The options that a resumed run must share with the one it continues.
std::string fingerprint(const RunOptions& o, const ClassifyTask& task) {
  const TrainerOptions& t = o.trainer;
  const Json json = {{"task", o.task},
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
                     {"rows of the development data", task.dev().examples.size()},
                     {"metric", t.metric},
                     {"eval-every", t.eval_every},
                     {"early-stop", t.early_stop},
                     {"keep-best", t.keep_best},
                     {"model", o.model},
                     {"init", o.init},
                     {"head", o.head},
                     {"pool", o.pool},
                     {"dropout", o.dropout.has_value() ? Json(*o.dropout) : Json("the model's own")},
                     {"label-smoothing", o.label_smoothing},
                     {"max-length", o.max_length},
                     {"dtype", dtype_name(o.dtype)},
                     {"epochs", t.epochs},
                     {"steps", t.steps},
                     {"batch-size", t.batch_size},
                     {"batch-tokens", t.batch_tokens},
                     {"accumulate", t.accumulate},
                     {"bucket", t.bucket},
                     {"lr", t.lr},
                     {"warmup", t.warmup},
                     {"schedule", o.schedule},
                     {"weight-decay", t.weight_decay},
                     {"clip", t.clip},
                     {"seed", t.seed}};
  return json.dump();
}

Json metrics_json(const Metrics& metrics) { return Json::parse(metrics.json()); }

Json result_json(const RunOptions& options, const ClassifySetup& setup, const TrainResult& result) {
  const TrainState& state = result.state;
  const double seconds = std::max(state.train_seconds, 1e-9);
  Json json;
  json["task"] = options.task;
  json["examples"] = state.examples;
  json["train_seconds"] = state.train_seconds;
  json["examples_per_second"] = static_cast<double>(state.examples) / seconds;
  json["tokens_per_second"] = static_cast<double>(state.tokens) / seconds;
  json["trainable_parameters"] = setup.model->parameter_count(true);
  json["peak_memory_bytes"] = peak_memory_bytes();
  json["final_loss"] = state.last_loss;
  json["dev"] = metrics_json(result.dev);
  json["steps"] = state.step;
  json["seed"] = options.trainer.seed;
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

void write_run_report(const RunOptions& options, const ClassifySetup& setup, const Json& json,
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
                  {"trained parameters", fmt::format("{} of {}", setup.model->parameter_count(true),
                                                     setup.model->parameter_count())},
                  {"kernels", kernels(options.device).name}};
  const Json shown = Json::parse(options.trainer.fingerprint);
  for (const auto& [key, value] : shown.items()) {
    report.options.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  write_report(options.trainer.out + "/report.html", report);
}

void check_options(const RunOptions& options) {
  SESAME_CHECK(options.task == "classify", "--task", "'{}' is not known: this version trains classify",
               options.task);
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
void write_model(const std::string& out, const ClassifySetup& setup) {
  setup.tokenizer.save(out);
  save_pretrained(out, *setup.model, setup.config, setup.config.architectures.at(0));
  write_file_atomic(out + "/task.json", setup.file.to_json());
}

// Everything is written: the last checkpoint says so and the result stands beside it.
bool is_finished(const std::string& out) {
  const auto saved = Checkpoints(out, 1).newest();
  return saved.has_value() && saved->finished && std::filesystem::exists(out + "/result.json");
}

}  // namespace

std::string fine_tune(const RunOptions& given) {
  RunOptions options = given;
  check_options(options);
  const std::string& out = options.trainer.out;
  ClassifySetup setup = set_up_classify(options);
  check(options.trainer, *setup.task);
  options.trainer.fingerprint = fingerprint(options, *setup.task);
  if (options.trainer.resume && is_finished(out)) {
    const auto saved = Checkpoints(out, options.trainer.keep).newest();
    const std::string changed = changed_options(saved->fingerprint, options.trainer.fingerprint);
    SESAME_CHECK(changed.empty(), "resume", "the run in '{}' is finished and had other options: {}", out,
                 changed);
    fmt::print(stderr, "the run in '{}' is finished: nothing to do\n", out);
    return Json::parse(std::ifstream(out + "/result.json")).dump();
  }
  prepare_run_folder(out, options.trainer.resume, options.overwrite);
  write_file_atomic(out + "/run.toml", options.run_toml);
  fmt::print(stderr, "{} parameters, {} of them trained; {}\n", setup.model->parameter_count(),
             setup.model->parameter_count(true), kernels(options.device).name);

  const TrainResult result = train(*setup.task, options.trainer);
  const Json json = result_json(options, setup, result);
  write_run_report(options, setup, json, result);
  write_model(out, setup);
  write_file_atomic(out + "/result.json", json.dump(2) + "\n");
  return json.dump();
}

std::string dry_run(const RunOptions& options) {
  check_options(options);
  ClassifySetup setup = set_up_classify(options);
  const ClassifyTask& task = *setup.task;
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
                         .accumulate = t.accumulate,
                         .bucket = t.bucket,
                         .seed = t.seed},
                        [&task](std::int64_t i) { return task.train_length(i); });
  Json first = Json::array();
  const std::vector<std::int64_t> batch = sampler.epoch(0).at(0).at(0);
  for (const std::int64_t i : batch) {
    Json pieces = Json::array();
    for (std::int64_t id : task.train_input(i, 0).ids) {
      pieces.push_back(setup.tokenizer.token(static_cast<std::int32_t>(id)));
    }
    const Example& example = task.train().examples[static_cast<std::size_t>(i)];
    Json one = {{"line", example.line}, {"tokens", pieces}};
    if (setup.file.problem == Problem::OneClass) one["label"] = example.label;
    if (setup.file.problem == Problem::MultiLabel) one["labels"] = example.labels;
    if (setup.file.problem == Problem::Regression) one["value"] = example.value;
    first.push_back(std::move(one));
  }
  const std::int64_t parameters = setup.model->parameter_count();
  const Json json = {
      {"task", options.task},
      {"train_examples", task.train_size()},
      {"dev_examples", task.dev().examples.size()},
      {"tokens_per_example", static_cast<double>(tokens) / static_cast<double>(task.train_size())},
      {"longest", longest},
      {"labels", setup.file.labels},
      {"parameters", parameters},
      {"trainable_parameters", setup.model->parameter_count(true)},
      // weights, gradients and two moments of the optimiser
      {"parameter_memory_bytes", parameters * 4 * static_cast<std::int64_t>(dtype_size(options.dtype))},
      {"first_batch", first}};
  return json.dump();
}

}  // namespace sesame
