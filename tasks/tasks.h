// The table of tasks: two kinds of input times four kinds of output.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tasks/train/setup.h"
#include "tasks/use/predictor.h"

namespace sesame {

// One of the eight.
struct TaskRow {
  const char* input;    // "one text" or "several texts"
  const char* output;   // "one class", "a class for each token", ...
  const char* option;   // what names it: "--task classify"
  const char* head;     // the module that makes it, as a file of this project
  const char* example;  // an example of such a task
};
std::span<const TaskRow> task_table();

// One of the four outputs as the programs drive it.
struct TaskKind {
  const char* name;
  RunSetup (*set_up)(const RunOptions& options);
  // The task's own values for options that were left at 0.
  void (*defaults)(RunOptions& options);
  std::unique_ptr<Predictor> (*load)(const UseOptions& options);
  Metrics (*score)(const ScoreOptions& options);
  std::int64_t batch_size;  // unless --batch-size says otherwise
  const char* answer;       // the key of a line of predict: "label", "tags", "answer", "text"
};
// classify, tag, extract, generate; Error lists them.
const TaskKind& find_task(const std::string& name);

// The task of a run: --task, else that of --preset, else classify. Throws Error when both are given and
// differ.
std::string task_of(const std::string& task, const std::string& preset);
// The task named in the task.json of a finished run.
std::string trained_task(const std::string& directory);
// The task that a file of predictions belongs to, told by the keys of its first line.
std::string predicted_task(const std::string& predictions, const std::string& preset);

}  // namespace sesame
