// report.html: what a run did, on one page that needs no network.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tasks/metrics/metrics.h"

namespace sesame {

// A line in a chart; points in order of step.
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (step, value)
};

struct Curve {
  std::string title, x_label = "step", y_label;
  std::vector<Series> series;
  bool smooth = false;  // draw each series faint with its moving mean on top (training loss)
};

// A dev example that the model got wrong, or a regression far from its target.
struct Mistake {
  std::vector<std::string> texts;
  std::string gold, predicted;
  double confidence = 0;  // probability of the wrong answer; for regression the size of the error
  size_t line = 0;
};

// One file of the run.
struct DataSummary {
  std::string name;  // "train", "dev"
  std::string path;
  std::vector<std::pair<std::string, std::string>> facts;     // "examples" -> "8,000", "dropped" -> ...
  std::vector<std::pair<std::string, int64_t>> label_counts;  // drawn as bars
  std::vector<int64_t> lengths;                               // tokens per example, drawn as a histogram
};

// A part that only some tasks have; made from escaped text (svg.h, escape_html).
struct ReportSection {
  std::string title;
  std::string html;
  std::string css = {};
};

struct Report {
  std::string title;
  std::string subtitle;                                       // model, date, commit: as the caller likes
  std::vector<std::pair<std::string, Metrics>> scores;        // "dev" -> metrics; shown first and large
  std::vector<Curve> curves;                                  // loss, learning rate, dev metrics over steps
  std::vector<std::string> labels;                            // of the confusion matrix
  std::vector<std::vector<int64_t>> confusion;                // [gold][predicted]; empty: none
  std::vector<std::pair<double, double>> scatter;             // regression: (gold, predicted)
  bool regression = false;                                    // mistakes are distances, not probabilities
  std::vector<ReportSection> sections;                        // shown after the decisions
  std::vector<Mistake> mistakes;                              // shown in the order given, at most 50
  std::vector<std::pair<std::string, double>> layer_weights;  // learned mix of layers, drawn as bars
  std::vector<DataSummary> data;
  std::vector<std::pair<std::string, std::string>> speed;    // "examples per second" -> "312"
  std::vector<std::pair<std::string, std::string>> options;  // the run's options
};

// Sorts by confidence, the most confident first, and keeps `count`.
void keep_most_telling(std::vector<Mistake>& mistakes, size_t count = 50);

std::string report_html(const Report& report);
void write_report(const std::string& path, const Report& report);

}  // namespace sesame
