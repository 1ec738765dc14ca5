// The table of tasks, and how a program tells which task a run, a folder or a file of predictions belongs to.
#include <doctest/doctest.h>

#include <filesystem>
#include <set>
#include <string>

#include "autograd/check.h"
#include "tasks/data/presets.h"
#include "tasks/tasks.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

TEST_CASE("the table holds two inputs times four outputs, and every file that it names exists") {
  std::set<std::pair<std::string, std::string>> cells;
  for (const TaskRow& row : task_table()) {
    cells.emplace(row.input, row.output);
    const std::string files = row.head;
    for (std::size_t begin = 0; begin < files.size();) {
      const std::size_t end = std::min(files.find(", ", begin), files.size());
      const std::string file = files.substr(begin, end - begin);
      CAPTURE(file);
      CHECK(std::filesystem::exists(std::string(SESAME_SOURCE_DIR) + "/" + file));
      begin = end + 2;
    }
  }
  CHECK(cells.size() == 8);
}

TEST_CASE("the task of a run: --task, else the preset's, else classify") {
  CHECK(task_of("", "") == "classify");
  CHECK(task_of("tag", "") == "tag");
  CHECK(task_of("", "squad") == "extract");
  CHECK(task_of("tag", "wnut17") == "tag");
  CHECK(error_of([] { task_of("tag", "squad"); }).find("--preset squad is of task extract") !=
        std::string::npos);
  CHECK(error_of([] { find_task("translate"); }).find("classify, tag, extract, generate") !=
        std::string::npos);
  for (const Preset& preset : presets()) CHECK(std::string(find_task(preset.task).name) == preset.task);
}

TEST_CASE("the task of a file of predictions is told by its first line") {
  const TemporaryFolder folder;
  const auto told = [&](const std::string& line) {
    return predicted_task(folder.write("predictions.jsonl", line + "\n"), "");
  };
  CHECK(told(R"({"label": "yes"})") == "classify");
  CHECK(told(R"({"tokens": ["a"], "tags": ["O"]})") == "tag");
  CHECK(told(R"({"answer": "a", "start": 0, "end": 1})") == "extract");
  CHECK(told(R"({"text": "a", "score": -1})") == "generate");
  CHECK(predicted_task(folder.write("squad.json", R"({"id": "answer"})"), "squad") == "extract");
  CHECK(error_of([&] { told("no JSON"); }).find("--task or --preset") != std::string::npos);
}
