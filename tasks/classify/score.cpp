#include "tasks/classify/score.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "autograd/check.h"
#include "tasks/metrics/classification.h"
#include "tasks/metrics/regression.h"

namespace sesame {
namespace {

constexpr std::size_t kMistakes = 50;

std::vector<double> as_numbers(const std::vector<float>& values) { return {values.begin(), values.end()}; }

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "|") + part;
  return text;
}

DataSummary summarize(const std::string& name, const Dataset& data, Problem problem) {
  DataSummary summary{.name = name, .path = data.path, .facts = {}, .label_counts = {}, .lengths = {}};
  summary.facts.emplace_back("examples", fmt::format("{}", data.examples.size()));
  for (const Dropped& d : data.dropped) {
    summary.facts.emplace_back(
        "left out", fmt::format("{} rows: {} (first at line {})", d.count, d.reason, d.first_line));
  }
  if (data.empty_texts > 0)
    summary.facts.emplace_back("with an empty text", fmt::format("{}", data.empty_texts));
  std::map<std::string, std::int64_t> counts;
  for (const Example& example : data.examples) {
    if (problem == Problem::OneClass) ++counts[example.label];
    for (const std::string& label : example.labels) ++counts[label];
  }
  if (counts.size() <= 30) summary.label_counts.assign(counts.begin(), counts.end());
  return summary;
}

}  // namespace

std::vector<std::int64_t> best_classes(const std::vector<float>& predictions, std::int64_t outputs) {
  std::vector<std::int64_t> best;
  for (auto row = predictions.begin(); row < predictions.end(); row += outputs) {
    best.push_back(std::max_element(row, row + outputs) - row);
  }
  return best;
}

std::vector<std::uint8_t> given_labels(std::span<const float> scores) {
  std::vector<std::uint8_t> given;
  for (float score : scores) given.push_back(score > 0.5f);
  return given;
}

std::vector<std::string> given_names(std::span<const float> scores, const LabelMap& labels) {
  const std::vector<std::uint8_t> given = given_labels(scores);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i] != 0) names.push_back(labels.names()[i]);
  }
  return names;
}

std::string predicted_label(std::span<const float> scores, const LabelMap& labels, Problem problem) {
  if (problem == Problem::OneClass)
    return labels.name(std::max_element(scores.begin(), scores.end()) - scores.begin());
  return join(given_names(scores, labels));
}

Metrics score_classification(const Dataset& data, const LabelMap& labels, Problem problem,
                             const std::vector<float>& predictions) {
  const auto outputs = static_cast<std::int64_t>(labels.size());
  if (problem == Problem::OneClass) {
    return classification_metrics(class_ids(data, labels), best_classes(predictions, outputs), outputs);
  }
  if (problem == Problem::MultiLabel) {
    return multi_label_metrics(label_matrix(data, labels), given_labels(predictions), outputs);
  }
  return regression_metrics(label_values(data), as_numbers(predictions));
}

void ClassifyTask::describe(Report& report) const {
  const Problem problem = model_.head.options().problem;
  report.regression = problem == Problem::Regression;
  report.data.push_back(summarize("train", train_, problem));
  for (std::int64_t i = 0; i < std::min<std::int64_t>(train_size(), 2000); ++i) {
    report.data.back().lengths.push_back(train_length(i));
  }
  if (!dev_.examples.empty()) report.data.push_back(summarize("dev", dev_, problem));
  if (dev_outputs_.predictions.empty()) return;
  const std::vector<float>& predictions = dev_outputs_.predictions;
  const auto outputs = static_cast<std::size_t>(model_.head.options().outputs);
  if (problem == Problem::OneClass) {
    report.labels = labels_.names();
    report.confusion = confusion_matrix(class_ids(dev_, labels_),
                                        best_classes(predictions, static_cast<std::int64_t>(outputs)),
                                        static_cast<std::int64_t>(outputs));
  }
  for (std::size_t i = 0; i < dev_.examples.size(); ++i) {
    const Example& example = dev_.examples[i];
    const std::span<const float> row(predictions.data() + i * outputs, outputs);
    Mistake mistake{
        .texts = example.texts, .gold = {}, .predicted = {}, .confidence = 0, .line = example.line};
    if (problem == Problem::Regression) {
      report.scatter.emplace_back(example.value, row[0]);
      mistake.gold = fmt::format("{:.2f}", example.value);
      mistake.predicted = fmt::format("{:.2f}", row[0]);
      mistake.confidence = std::abs(example.value - row[0]);
    } else {
      std::vector<std::string> gold = example.labels;
      if (problem == Problem::OneClass) gold = {example.label};
      std::sort(gold.begin(), gold.end(),
                [&](const auto& a, const auto& b) { return labels_.id(a, "") < labels_.id(b, ""); });
      mistake.gold = join(gold);
      mistake.predicted = predicted_label(row, labels_, problem);
      mistake.confidence = *std::max_element(row.begin(), row.end());
      if (mistake.gold == mistake.predicted) continue;
    }
    report.mistakes.push_back(std::move(mistake));
  }
  keep_most_telling(report.mistakes, kMistakes);
}

}  // namespace sesame
