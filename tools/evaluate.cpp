// evaluate: scores of a trained model, or of anyone's predictions, on labelled data.
#include "autograd/check.h"
#include "tasks/classify/predict.h"
#include "tasks/data/presets.h"
#include "tools/common/program.h"

namespace sesame {
namespace {

struct Arguments {
  CommonOptions common;
  std::vector<std::string> models;
  std::string data, predictions, preset, columns, format, labels, label_separator, device = "cpu";
  std::int64_t batch_tokens = 4096, limit = 0;
};

void apply(const Arguments& a, ReadOptions& read) {
  if (!a.columns.empty()) read.columns = parse_columns(a.columns, read.columns);
  if (!a.format.empty()) read.format = parse_format(a.format);
  SESAME_CHECK(a.limit >= 0, "--limit", "must not be negative, got {}", a.limit);
  read.limit = static_cast<std::size_t>(a.limit);
}

Metrics score_model(const Arguments& a) {
  const ClassifyPredictor predictor(a.models, Device::parse(a.device), a.batch_tokens, a.common.verbose);
  const TrainedClassifier& model = predictor.first();
  ReadOptions read = model.read_options(true);
  if (!a.preset.empty()) {
    const LabelKind kind = read.kind;
    read = find_preset(a.preset).read;
    read.kind = kind;
  }
  apply(a, read);
  const Dataset data = read_examples(a.data, read);
  fmt::print(stderr, "{}: {}\n", a.data, describe(data));
  return score_classification(data, model.labels, model.file.problem,
                              predictor.predict(data.examples).predictions);
}

Metrics score_file(const Arguments& a) {
  ReadOptions read;
  std::vector<std::string> labels;
  if (!a.preset.empty()) {
    read = find_preset(a.preset).read;
    labels = find_preset(a.preset).labels;
  }
  apply(a, read);
  if (!a.labels.empty()) read.kind = parse_label_kind(a.labels);
  if (!a.label_separator.empty()) read.label_separator = a.label_separator;
  const Dataset data = read_examples(a.data, read);
  fmt::print(stderr, "{}: {}\n", a.data, describe(data));
  return score_prediction_file(a.predictions, data, labels);
}

int run(const Arguments& a) {
  SESAME_CHECK(a.models.empty() != a.predictions.empty(), "evaluate", "give either --model or --predictions");
  print_line((a.predictions.empty() ? score_model(a) : score_file(a)).json());
  return 0;
}

}  // namespace
}  // namespace sesame

int main(int argc, char** argv) {
  using namespace sesame;
  Arguments a;
  CLI::App app("Prints the scores of a model or of a file of predictions as one JSON object.", "evaluate");
  add_common_options(app, a.common);
  app.add_option("--model", a.models, "Folder of a finished run of train; several are an ensemble")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--predictions", a.predictions, "Lines as predict writes them, instead of a model");
  app.add_option("--data", a.data, "Labelled data")->required();
  app.add_option("--preset", a.preset, "Known data set (default with --model: that of the training)");
  app.add_option("--columns", a.columns, "Columns by name");
  app.add_option("--format", a.format, "auto, tsv, csv, jsonl");
  app.add_option("--labels", a.labels,
                 "With --predictions, what the label column holds: auto, class, multi, number");
  app.add_option("--label-separator", a.label_separator,
                 "With --predictions, between the labels of a cell (default: |)");
  app.add_option("--limit", a.limit, "Only the first N examples");
  app.add_option("--batch-tokens", a.batch_tokens, "Tokens per batch");
  app.add_option("--device", a.device, "cpu, cuda, cuda:N");
  app.footer(
      "Examples:\n"
      "  evaluate --model runs/first --data dev.tsv\n"
      "  evaluate --predictions predictions.jsonl --data dev.tsv --preset sst2");
  return run_program(app, argc, argv, a.common, [&] { return run(a); });
}
