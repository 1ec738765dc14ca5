#include "tasks/tasks.h"

#include <array>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/classify/classify_predictor.h"
#include "tasks/data/presets.h"
#include "tasks/data/source.h"
#include "tasks/extract/extract_predictor.h"
#include "tasks/extract/extract_setup.h"
#include "tasks/generate/generate_predictor.h"
#include "tasks/generate/generate_setup.h"
#include "tasks/tag/tag_predictor.h"
#include "tasks/tag/tag_setup.h"
#include "tasks/use/task_json.h"

namespace sesame {
namespace {

constexpr std::array<TaskRow, 8> kTable = {{
    {"one text", "one class", "--task classify", "tasks/heads/classify_head.h",
     "the sentiment of a sentence"},
    {"several texts", "one class", "--task classify", "tasks/heads/classify_head.h",
     "does the premise entail the hypothesis?"},
    {"one text", "a class for each token", "--task tag", "tasks/heads/tag_head.h",
     "the names of persons and places in a sentence"},
    {"several texts", "a class for each token", "--task tag", "tasks/heads/tag_head.h",
     "slots of a reply, with the question before it as context"},
    {"one text", "copied from the input", "--task extract", "tasks/heads/span_head.h",
     "the phrase that carries the sentiment"},
    {"several texts", "copied from the input", "--task extract", "tasks/heads/span_head.h",
     "the answer to a question in a document"},
    {"one text", "a general sequence", "--task generate --generator decoder / self",
     "models/generation/decoder_model.h, models/generation/self_model.h", "a sentence and its translation"},
    {"several texts", "a general sequence", "--task generate --generator decoder / self",
     "models/generation/decoder_model.h, models/generation/self_model.h",
     "the question that a sentence and an answer belong to"},
}};

constexpr TaskKind kKinds[] = {
    {"classify", set_up_classify, classify_defaults, load_classify, score_classify, 32, "label"},
    {"tag", set_up_tag, tag_defaults, load_tag, score_tag, 32, "tags"},
    {"extract", set_up_extract, extract_defaults, load_extract, score_extract, 16, "answer"},
    {"generate", set_up_generate, generate_defaults, load_generate, score_generate, 32, "text"},
};

}  // namespace

std::span<const TaskRow> task_table() { return kTable; }

const TaskKind& find_task(const std::string& name) {
  std::string known;
  for (const TaskKind& kind : kKinds) {
    if (name == kind.name) return kind;
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  fail("--task", "'{}' is not known: expected one of {}", name, known);
}

std::string task_of(const std::string& task, const std::string& preset) {
  if (preset.empty()) return task.empty() ? "classify" : task;
  const std::string& own = find_preset(preset).task;
  SESAME_CHECK(task.empty() || task == own, "--task", "--preset {} is of task {}, --task says {}", preset,
               own, task);
  return own;
}

std::string trained_task(const std::string& directory) {
  const Json json = read_task_json(directory);
  SESAME_CHECK(json.is_object() && json.contains("task") && json["task"].is_string(),
               directory + "/task.json", "not a task file of this program: it names no task");
  return json["task"];
}

std::string predicted_task(const std::string& predictions, const std::string& preset) {
  if (!preset.empty()) return find_preset(preset).task;
  LineReader reader(predictions);
  std::string line;
  reader.next(line);
  const Json json = json_or_discarded<Json>(line);
  if (json.is_object()) {
    for (const TaskKind& kind : kKinds) {
      if (json.contains(kind.answer)) return kind.name;
    }
  }
  fail(
      predictions + ":1",
      "cannot tell the task of these predictions: expected an object with \"label\", \"tags\", \"answer\" or "
      "\"text\" as predict writes it, or --task or --preset to say what the file holds");
}

}  // namespace sesame
