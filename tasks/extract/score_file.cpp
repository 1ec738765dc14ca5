// Scores of anyone's answers: SQuAD's prediction JSON, or lines with "answer".
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/data/presets.h"
#include "tasks/data/source.h"
#include "tasks/extract/extract_predictor.h"

namespace sesame {
namespace {

struct Predictions {
  std::vector<std::string> answers;                    // in the order of the file
  std::unordered_map<std::string, std::size_t> by_id;  // empty: by order
};

std::string answer_text(const Json& value, const std::string& where) {
  SESAME_CHECK(value.is_string(), where, "an answer's text is wanted (\"\": no answer), found {}",
               json_text(value).substr(0, 80));
  return value.get<std::string>();
}

// {"56be4db0acb8001400a502ec": "Denver Broncos", ...}
Predictions read_object(const std::string& path, const std::string& text) {
  const Json file = parse_json(text, path);
  SESAME_CHECK(file.is_object(), path,
               "an object {{id: answer}} is wanted, or lines with \"answer\" as predict writes them");
  Predictions predictions;
  for (const auto& item : file.items()) {
    predictions.by_id[item.key()] = predictions.answers.size();
    predictions.answers.push_back(
        answer_text(item.value(), fmt::format("{}: question {}", path, item.key())));
  }
  return predictions;
}

Predictions read_lines(const std::string& path) {
  Predictions predictions;
  LineReader lines(path);
  std::size_t with_id = 0;
  for (std::string text; lines.next(text);) {
    const Json line = parse_json(text, lines.where());
    SESAME_CHECK(line.is_object() && line.contains("answer"), lines.where(),
                 "an object with \"answer\" is wanted, as predict writes it, found {}", text.substr(0, 80));
    if (line.contains("id") && line["id"].is_string()) {
      const bool fresh =
          predictions.by_id.emplace(line["id"].get<std::string>(), predictions.answers.size()).second;
      SESAME_CHECK(fresh, lines.where(), "id {} occurs twice", json_text(line["id"]));
      ++with_id;
    }
    predictions.answers.push_back(answer_text(line["answer"], lines.where()));
  }
  if (with_id < predictions.answers.size()) predictions.by_id.clear();
  return predictions;
}

Predictions read_predictions(const std::string& path) {
  LineReader lines(path);
  std::string first, text;
  lines.next(first);
  const Json line = json_or_discarded<Json>(first);
  if (line.is_object() && line.contains("answer")) return read_lines(path);
  text = first;
  for (std::string more; lines.next(more);) text += "\n" + more;
  return read_object(path, text);
}

std::vector<SquadItem> items_by_id(const QuestionSet& data, const Predictions& predictions,
                                   const std::string& path) {
  std::vector<SquadItem> items;
  std::unordered_set<std::string> known;
  std::size_t missing = 0, unknown = 0;
  for (const QuestionExample& example : data.examples) {
    SquadItem& item = items.emplace_back();
    for (const AnswerSpan& gold : example.answers) item.gold.push_back(gold.text);
    const auto found = predictions.by_id.find(example.id);
    if (found != predictions.by_id.end()) item.predicted = predictions.answers[found->second];
    missing += !item.predicted.has_value();
    known.insert(example.id);
  }
  for (const auto& [id, number] : predictions.by_id) unknown += !known.contains(id);
  SESAME_CHECK(missing < items.size(), path, "answers none of the questions of {}: no id occurs in both",
               data.path);
  if (missing > 0) say(fmt::format("{}: {} questions have no prediction and count as wrong", path, missing));
  if (unknown > 0)
    say(fmt::format("{}: {} predictions for ids that {} does not have are not used", path, unknown,
                    data.path));
  return items;
}

std::vector<SquadItem> items_in_order(const QuestionSet& data, const Predictions& predictions,
                                      const std::string& path) {
  const std::size_t count = predictions.answers.size();
  SESAME_CHECK(count == data.examples.size() || (data.limited && count > data.examples.size()), path,
               "has {} predictions, {} has {} questions", count, data.path, data.examples.size());
  std::vector<SquadItem> items;
  for (const QuestionExample& example : data.examples) {
    SquadItem item{.gold = {}, .predicted = predictions.answers[items.size()]};
    for (const AnswerSpan& gold : example.answers) item.gold.push_back(gold.text);
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace

Metrics score_extract(const ScoreOptions& options) {
  QuestionReadOptions read;
  read.format = options.format;
  if (!options.preset.empty()) read.columns = find_preset(options.preset).read.columns;
  if (!options.columns.empty()) read.columns = parse_columns(options.columns, read.columns);
  read.limit = static_cast<std::size_t>(options.limit);
  const QuestionSet data = read_questions(options.data, read);
  say(fmt::format("{}: {}", options.data, describe(data)));
  const Predictions predictions = read_predictions(options.predictions);
  const std::vector<SquadItem> items = predictions.by_id.empty()
                                           ? items_in_order(data, predictions, options.predictions)
                                           : items_by_id(data, predictions, options.predictions);
  return score_answers(items, data.second_version || options.preset == "squad2", std::nullopt);
}

}  // namespace sesame
