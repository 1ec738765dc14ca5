#include "tasks/train/run_folder.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "autograd/check.h"
#include "models/io/atomic_file.h"
#include "models/io/strict_json.h"

namespace sesame {

namespace fs = std::filesystem;

namespace {

bool written_by_run(const std::string& name) {
  for (const char* own :
       {"config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "tokenizer_config.json",
        "special_tokens_map.json", "adapter.safetensors", "adapter_config.json", "model_head.safetensors",
        "head_config.json", "layer_norms.safetensors", "task.json", "run.toml", "metrics.jsonl",
        "report.html", "result.json", "checkpoints", "surface.json", "target_tokenizer"}) {
    if (name == own) return true;
  }
  return name.starts_with("events.out.tfevents.");
}

}  // namespace

void prepare_run_folder(const std::string& out, bool resume, bool overwrite) {
  SESAME_CHECK(!out.empty(), "--out", "names no folder");
  std::error_code error;
  SESAME_CHECK(!fs::exists(out) || fs::is_directory(out), "--out", "'{}' is a file: name a folder", out);
  if (fs::exists(out) && !fs::is_empty(out) && !resume) {
    SESAME_CHECK(overwrite, "--out", "'{}' is not empty: pass --resume to go on, --overwrite to start anew",
                 out);
    std::vector<fs::path> ours;
    for (const auto& entry : fs::directory_iterator(out)) {
      if (written_by_run(entry.path().filename().string())) ours.push_back(entry.path());
    }
    SESAME_CHECK(ours.empty() || fs::exists(out + "/run.toml"), "--out",
                 "'{}' holds {} but no run.toml: it is not the folder of a run and is not overwritten", out,
                 ours.front().filename().string());
    for (const fs::path& path : ours) fs::remove_all(path);
  }
  fs::create_directories(out, error);
  SESAME_CHECK(!error, "--out", "cannot make '{}': {}", out, error.message());
  remove_stale_temporaries(out);
  if (fs::exists(out + "/checkpoints")) remove_stale_temporaries(out + "/checkpoints");
}

void add_curves(const std::string& metrics_jsonl, Report& report) {
  Curve loss{.title = "Training loss", .y_label = "loss", .series = {{"loss", {}}}, .smooth = true};
  Curve rate{.title = "Learning rate", .y_label = "lr", .series = {{"lr", {}}}};
  std::map<std::string, Series> dev;
  std::ifstream file(metrics_jsonl);
  for (std::string line; std::getline(file, line);) {
    const Json row = json_or_discarded<Json>(line);
    if (!row.is_object() || !row.contains("step")) continue;
    const double step = row["step"];
    const auto add = [&](const Json& value, Series& series) {
      if (value.is_number()) series.points.emplace_back(step, value.get<double>());
    };
    if (row.contains("loss")) add(row["loss"], loss.series[0]);
    if (row.contains("lr")) add(row["lr"], rate.series[0]);
    if (!row.contains("dev")) continue;
    for (const auto& [name, value] : row["dev"].items()) {
      dev[name].name = name;
      add(value, dev[name]);
    }
  }
  report.curves.push_back(std::move(loss));
  report.curves.push_back(std::move(rate));
  // Fractions, percents and losses have scales of their own.
  Curve fractions{.title = "Dev scores", .y_label = "score", .series = {}};
  Curve percents{.title = "Dev scores, 0 to 100", .y_label = "score", .series = {}};
  Curve errors{.title = "Dev loss", .y_label = "loss", .series = {}};
  for (auto& [name, series] : dev) {
    if (series.points.size() < 2) continue;  // one point makes no curve
    const auto above_one = [](const std::pair<double, double>& point) { return point.second > 1; };
    const bool percent = std::any_of(series.points.begin(), series.points.end(), above_one);
    Curve& curve = !higher_is_better(name) ? errors : percent ? percents : fractions;
    curve.series.push_back(std::move(series));
  }
  for (Curve* curve : {&fractions, &percents, &errors}) {
    if (!curve->series.empty()) report.curves.push_back(std::move(*curve));
  }
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace sesame
