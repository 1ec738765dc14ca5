// metrics.jsonl: one JSON object a line, per step and per evaluation.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "tasks/metrics/metrics.h"

namespace sesame {

class MetricsLog {
 public:
  // A new file; or, with keep_until >= 0, the old one up to and including that step (resume).
  explicit MetricsLog(const std::string& path, int64_t keep_until = -1);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // {"step": 12, "loss": 0.5, ...}, flushed at once so that a killed run keeps its history.
  void write(int64_t step, const Metrics& values);
  // {"step": 12, "dev": {"accuracy": 0.9, ...}}
  void write_evaluation(int64_t step, const std::string& split, const Metrics& values);

 private:
  void put(const std::string& line);

  std::string path_;
  std::FILE* file_ = nullptr;
};

}  // namespace sesame
