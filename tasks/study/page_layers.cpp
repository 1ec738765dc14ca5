// The section on the learned weights of the layers.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/report/svg.h"
#include "tasks/study/figure.h"
#include "tasks/study/page.h"

namespace sesame {
namespace {

// The mixes of one set.
struct Mixes {
  std::string set, task, metric;
  std::vector<Spread> weights;  // by layer
  Spread centre, score;
  const OrderedJson* last = nullptr;
};

Mixes mixes_of(const StudyResults& layers, const std::string& set, std::size_t count) {
  Mixes mixes{.set = set};
  std::vector<std::vector<double>> by_layer(count);
  std::vector<double> centres, scores;
  for (const OrderedJson& run : layers) {
    if (run.at("set") != set || run.at("layer_weights").size() != count) continue;
    const std::vector<double> weights = numbers_in(run.at("layer_weights"));
    for (std::size_t j = 0; j < count; ++j) by_layer[j].push_back(weights[j]);
    centres.push_back(mean_layer(weights));
    if (run.at("score").is_number()) scores.push_back(run.at("score"));
    mixes.task = run.at("task"), mixes.metric = run.at("metric"), mixes.last = &run;
  }
  for (const std::vector<double>& values : by_layer) mixes.weights.push_back(spread_of(values));
  mixes.centre = spread_of(centres), mixes.score = spread_of(scores);
  return mixes;
}

std::string layer_name(std::size_t j) { return j == 0 ? "embeddings" : fmt::format("layer {}", j); }

BarFigure figure_of(const std::vector<Mixes>& sets, std::size_t count) {
  BarFigure figure{.title = "learned weights of the layers", .value_label = "weight (all together 1)"};
  for (std::size_t j = 0; j < count; ++j) figure.names.push_back(layer_name(j));
  for (const Mixes& mixes : sets) {
    figure.series.push_back(mixes.set);
    std::vector<double> middle, low, high;
    for (const Spread& weight : mixes.weights) {
      middle.push_back(weight.mean), low.push_back(weight.low), high.push_back(weight.high);
    }
    figure.values.push_back(middle), figure.low.push_back(low), figure.high.push_back(high);
  }
  return figure;
}

std::string table_of(const std::vector<Mixes>& sets, std::size_t count) {
  std::vector<std::vector<std::string>> rows = {{"set", "task", "mean layer"}};
  for (std::size_t j = 0; j < count; ++j) rows[0].push_back(layer_name(j));
  rows[0].insert(rows[0].end(), {"score", "runs", "examples", "updates"});
  for (const Mixes& mixes : sets) {
    std::vector<std::string> row = {mixes.set, mixes.task, spread_text(mixes.centre)};
    for (const Spread& weight : mixes.weights) row.push_back(short_number(weight.mean));
    row.insert(row.end(), {fmt::format("{} {}", mixes.metric, spread_text(mixes.score)),
                           std::to_string(mixes.centre.count), json_text(mixes.last->at("train_examples")),
                           json_text(mixes.last->at("steps"))});
    rows.push_back(row);
  }
  return numbers_table(rows);
}

}  // namespace

double mean_layer(const std::vector<double>& weights) {
  double sum = 0, mean = 0;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    sum += weights[j];
    mean += static_cast<double>(j) * weights[j];
  }
  return sum > 0 ? mean / sum : 0;
}

StudySection layers_section(const StudyResults& layers) {
  StudySection section{.title = "Which layers a task reads", .html = {}, .findings = {}};
  if (layers.empty()) return section;
  const std::size_t count = layers.back().at("layer_weights").size();
  std::vector<Mixes> sets;
  for (const std::string& set : sets_in(layers)) {
    const Mixes mixes = mixes_of(layers, set, count);
    if (mixes.last != nullptr) sets.push_back(mixes);
  }
  section.html = fmt::format(
      "<p class=\"read\">How to read it: the pretrained model stays as it is, and a head on top reads a "
      "weighted sum of its embeddings and all its layers (each normalised first); the bars are the learned "
      "weights, with the lowest and the highest of the runs as a thin line. A bar longer than {:.2f} means "
      "that the task takes more from this layer than an even mix would; the mean layer sums it up in one "
      "number.</p><div class=\"card bar-card\">{}</div><div class=\"card\">{}</div>",
      1.0 / static_cast<double>(count), bar_figure(figure_of(sets, count)), table_of(sets, count));
  std::vector<Verdict> verdicts;
  std::string numbers;
  for (const Mixes& tags : sets) {
    if (tags.task != "tag") continue;
    for (const Mixes& other : sets) {
      if (other.task == "tag") continue;
      verdicts.push_back(below(tags.centre, other.centre));
      numbers += fmt::format("{} {} against {} of {}. ", tags.set, spread_text(tags.centre),
                             spread_text(other.centre), other.set);
    }
  }
  if (verdicts.empty()) return section;
  section.findings = {
      {"Word classes are read from lower layers than what needs the meaning of a sentence "
       "(here: the mean layer).",
       kTenney, together(verdicts), numbers}};
  return section;
}

}  // namespace sesame
