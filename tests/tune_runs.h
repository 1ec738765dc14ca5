// What the tests of --tune share: small data for every task, runs on the tiny BERT of tests/golden, and what
// they predict.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tasks/tasks.h"
#include "tasks/train/run.h"
#include "tests/temporary.h"

namespace sesame::testing {

using Json = nlohmann::json;
namespace fs = std::filesystem;
inline const std::string kModel = std::string(SESAME_SOURCE_DIR) + "/tests/golden/tiny_bert";

struct Folder : TemporaryFolder {
  Folder() {
    std::string rows = "text\tlabel\n";
    for (int i = 0; i < 6; ++i) {
      rows += "the good\tyes\nnot a\tno\nis good b\tyes\nnot the b is\tno\na b\tyes\nis not\tno\n";
    }
    write("train.tsv", rows);
    write("tag.conll", "the\tD\ngood\tA\n\nis\tV\nnot\tN\ngood\tA\n\na\tD\nb\tA\n");
    write("extract.jsonl", R"({"question": "is", "context": "the good b", "answer": "good"})"
                           "\n"
                           R"({"question": "not", "context": "a b is", "answer": "b"})"
                           "\n");
    write("generate.tsv", "text\ttarget\nthe good\ta b\nis not\tgood the\nb\tthe\n");
  }
  RunOptions options(const std::string& task, const std::string& out) const {
    RunOptions o;
    o.task = task;
    o.train = path(task == "classify"  ? "train.tsv"
                   : task == "tag"     ? "tag.conll"
                   : task == "extract" ? "extract.jsonl"
                                       : "generate.tsv");
    o.dev = o.train;
    o.model = kModel;
    o.max_length = 16;
    if (task == "generate") o.max_target_length = 8;
    o.trainer.out = path(out);
    o.batch_size = 4;
    o.trainer.epochs = 2;
    o.trainer.lr = 1e-3;
    return o;
  }
};

inline std::vector<Json> predictions(const std::vector<std::string>& models, const std::string& input,
                                     const std::string& base = "") {
  UseOptions use;
  use.models = models;
  use.base = base;
  const std::string task = trained_task(models.front());
  use.logits = task == "classify" || task == "tag" || task == "extract";
  std::vector<Json> lines;
  find_task(task).load(use)->predict(input,
                                     [&](const std::string& line) { lines.push_back(Json::parse(line)); });
  return lines;
}

inline double largest_difference(const std::vector<Json>& a, const std::vector<Json>& b) {
  double largest = 0;
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a[i]["logits"].size(); ++j) {
      largest =
          std::max(largest, std::abs(a[i]["logits"][j].get<double>() - b[i]["logits"][j].get<double>()));
    }
  }
  return largest;
}

}  // namespace sesame::testing
