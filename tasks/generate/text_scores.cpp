#include "tasks/generate/text_scores.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/data/source.h"
#include "tasks/generate/units.h"
#include "tasks/metrics/bleu.h"
#include "tasks/metrics/chrf.h"
#include "tasks/metrics/rouge.h"

namespace sesame {
namespace {

bool is_prediction(const Json& json) {
  return json.is_object() && json.contains("text") && json["text"].is_string();
}

}  // namespace

Metrics score_texts(const Dataset& data, const std::vector<std::string>& texts) {
  std::vector<std::vector<std::string>> references;
  double equal = 0;
  for (std::size_t i = 0; i < data.examples.size(); ++i) {
    references.push_back(data.examples[i].labels);
    const std::string written = normalize_spaces(texts.at(i));
    equal += std::any_of(references.back().begin(), references.back().end(),
                         [&](const std::string& wanted) { return normalize_spaces(wanted) == written; });
  }
  const RougeScores rouge = rouge_scores(texts, references);
  Metrics metrics;
  metrics.set("bleu", corpus_bleu(texts, references));
  metrics.set("chrf", corpus_chrf(texts, references));
  metrics.set("rouge1", rouge.rouge1);
  metrics.set("rouge2", rouge.rouge2);
  metrics.set("rougeL", rouge.rougeL);
  metrics.set("exact_match", equal / static_cast<double>(std::max<std::size_t>(texts.size(), 1)));
  return metrics;
}

std::vector<std::string> read_predicted_texts(const std::string& path) {
  std::vector<std::string> texts;
  LineReader reader(path);
  bool json_lines = false;
  for (std::string line; reader.next(line);) {
    const Json json = json_or_discarded<Json>(line);
    if (texts.empty()) json_lines = is_prediction(json);
    SESAME_CHECK(!json_lines || is_prediction(json), reader.where(),
                 "expected an object with \"text\", as predict writes it and the first line has it, found {}",
                 line.substr(0, 80));
    texts.push_back(json_lines ? json["text"].get<std::string>() : line);
  }
  return texts;
}

}  // namespace sesame
