#include "tasks/use/average.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "autograd/check.h"
#include "models/adapters/hub.h"
#include "models/io/atomic_file.h"
#include "models/io/strict_json.h"
#include "tasks/train/run_folder.h"
#include "tasks/use/task_json.h"

namespace sesame {
namespace {

namespace fs = std::filesystem;

// Keys of task.json that say how data is read, not what the head answers: they may differ.
const std::set<std::string> kReading = {
    "base",           "average_of",      "preset", "text_columns", "label_column",
    "target_column",  "label_separator", "texts",  "data_format",  "question",
    "null_threshold", "max_length",      "stride", "max_answer",   "max_target_length",
    "metrics",        "plain_special"};

// What a task may store beside the model (Task::write_files).
const std::vector<std::string> kTaskFiles = {"surface.json", "target_tokenizer/vocab.txt",
                                             "target_tokenizer/tokenizer.json",
                                             "target_tokenizer/tokenizer_config.json"};

std::string short_text(const Json& value) {
  const std::string text = json_text(value);
  return text.size() <= 80 ? text : text.substr(0, 80) + "...";
}

// Throws Error unless `other` is an adapter of the same base and answers the same as `first`.
void check_same(const Json& first, const Json& other, const std::string& a, const std::string& b) {
  std::set<std::string> keys;
  for (const Json* task : {&first, &other}) {
    for (const auto& [key, value] : task->items()) keys.insert(key);
  }
  for (const std::string& key : keys) {
    if (kReading.contains(key)) continue;
    const Json x = first.value(key, Json()), y = other.value(key, Json());
    SESAME_CHECK(x == y, "average", "'{}' has \"{}\" {}, '{}' {}: expected heads for the same answers", a,
                 key, short_text(x), b, short_text(y));
  }
  const auto hash = [](const Json& task) { return task.at("base").value("hash", ""); };
  SESAME_CHECK(hash(first) == hash(other), "average",
               "'{}' was trained on the base with hash {}, '{}' on the one with {}: adapters of different "
               "models have no average",
               a, hash(first), b, hash(other));
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void check_same_files(const std::string& a, const std::string& b) {
  for (const std::string& name : kTaskFiles) {
    const std::string x = a + "/" + name, y = b + "/" + name;
    SESAME_CHECK(fs::exists(x) == fs::exists(y) && file_text(x) == file_text(y), "average",
                 "'{}' and '{}' have different {}: expected runs on the same training data", a, b, name);
  }
}

void copy_task_files(const std::string& from, const std::string& to) {
  for (const std::string& name : kTaskFiles) {
    if (!fs::exists(from + "/" + name)) continue;
    fs::create_directories(fs::path(to + "/" + name).parent_path());
    write_file_atomic(to + "/" + name, file_text(from + "/" + name));
  }
}

}  // namespace

std::string average_runs(const AverageOptions& options) {
  const std::vector<std::string>& models = options.models;
  SESAME_CHECK(models.size() >= 2, "--model", "an average wants two adapters or more, got {}", models.size());
  std::vector<AdapterFolder> folders;
  Json first;
  for (const std::string& model : models) {
    std::error_code none;
    SESAME_CHECK(!fs::equivalent(model, options.out, none), "--out", "'{}' is one of --model: name another",
                 options.out);
    const Json task = read_task_json(model);
    SESAME_CHECK(task.is_object() && task.contains("base") && task["base"].is_object(), "average",
                 "'{}' holds a whole model: only adapters are averaged (train --tune adapter)", model);
    if (folders.empty()) {
      first = task;
    } else {
      check_same(first, task, models.front(), model);
      check_same_files(models.front(), model);
    }
    folders.push_back(read_adapter_folder(model));
  }
  const AdapterFolder mean = average_adapters(folders, models);

  prepare_run_folder(options.out, false, options.overwrite);
  write_file_atomic(options.out + "/run.toml", options.run_toml);
  write_adapter_folder(options.out, mean);
  copy_task_files(models.front(), options.out);
  auto task = json_or_discarded<OrderedJson>(file_text(models.front() + "/task.json"));
  task["average_of"] = models;
  write_file_atomic(options.out + "/task.json", json_text(task, 2) + "\n");  // last: the folder is complete
  const OrderedJson result = {
      {"task", task["task"]}, {"adapters", models.size()}, {"base", task["base"]["hash"]}};
  return json_text(result);
}

}  // namespace sesame
