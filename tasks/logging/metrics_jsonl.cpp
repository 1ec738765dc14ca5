#include "tasks/logging/metrics_jsonl.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/atomic_file.h"
#include "models/io/strict_json.h"

namespace sesame {

namespace {

// The lines up to and including `step`. A last line cut off by a kill is no JSON and goes.
void cut_after(const std::string& path, int64_t step) {
  std::ifstream input(path);
  if (!input) return;
  std::string kept, line;
  while (std::getline(input, line)) {
    const auto object = json_or_discarded<Json>(line);
    if (!object.is_object() || !object.contains("step") || !object["step"].is_number()) continue;
    if (object["step"].get<int64_t>() <= step) kept += line + "\n";
  }
  write_file_atomic(path, kept);
}

}  // namespace

MetricsLog::MetricsLog(const std::string& path, int64_t keep_until) : path_(path) {
  if (keep_until >= 0) cut_after(path, keep_until);
  file_ = std::fopen(path.c_str(), keep_until >= 0 ? "ab" : "wb");
  SESAME_CHECK(file_ != nullptr, path, "cannot be written: {}", std::strerror(errno));
}

MetricsLog::~MetricsLog() {
  if (file_ != nullptr) std::fclose(file_);
}

void MetricsLog::write(int64_t step, const Metrics& values) {
  std::string line = fmt::format("{{\"step\": {}", step);
  for (const auto& [name, value] : values)
    line += fmt::format(", {}: {}", json_string(name), json_number(value));
  put(line + "}\n");
}

void MetricsLog::write_evaluation(int64_t step, const std::string& split, const Metrics& values) {
  put(fmt::format("{{\"step\": {}, {}: {}}}\n", step, json_string(split), values.json()));
}

void MetricsLog::put(const std::string& line) {
  errno = 0;
  const bool written =
      std::fwrite(line.data(), 1, line.size(), file_) == line.size() && std::fflush(file_) == 0;
  SESAME_CHECK(written, path_, "writing failed: {}", std::strerror(errno));
}

}  // namespace sesame
