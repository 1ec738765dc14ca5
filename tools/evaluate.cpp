// evaluate: scores of a trained model, or of anyone's predictions, on labelled data.
#include "autograd/check.h"
#include "autograd/precision.h"
#include "tasks/tasks.h"
#include "tools/common/program.h"
#include "tools/common/unused_options.h"
#include "tools/common/use_options.h"

namespace sesame {
namespace {

struct Arguments {
  CommonOptions common;
  UseOptions use;
  std::string data, predictions, task, labels, label_separator;
  ComputeOptions compute;
};

Metrics score_predictions(const Arguments& a) {
  const std::string task =
      a.task.empty() ? predicted_task(a.predictions, a.use.preset) : task_of(a.task, a.use.preset);
  SESAME_CHECK(a.use.limit >= 0, "--limit", "must not be negative, got {}", a.use.limit);
  return find_task(task).score({.predictions = a.predictions,
                                .data = a.data,
                                .preset = a.use.preset,
                                .columns = a.use.columns,
                                .format = a.use.format,
                                .labels = a.labels,
                                .label_separator = a.label_separator,
                                .limit = a.use.limit});
}

Metrics score_model(Arguments& a) {
  const std::unique_ptr<Predictor> predictor = load_predictor(a.use, a.compute, a.common.verbose);
  const MixedPrecision precision(a.use.compute);
  return predictor->evaluate(a.data);
}

int run(const CLI::App& app, Arguments& a) {
  SESAME_CHECK(a.use.models.empty() != a.predictions.empty(), "evaluate",
               "give either --model or --predictions");
  check_same_use(a.use, a.data);
  if (a.predictions.empty()) say_unused_options(app, trained_task(a.use.models.front()));
  print_line((a.predictions.empty() ? score_model(a) : score_predictions(a)).json());
  return 0;
}

}  // namespace
}  // namespace sesame

int main(int argc, char** argv) {
  using namespace sesame;
  Arguments a;
  CLI::App app("Prints the scores of a model or of a file of predictions as one JSON object.", "evaluate");
  a.common.ranks = true;
  add_common_options(app, a.common);
  add_use_options(app, a.use, a.compute);
  app.add_option("--predictions", a.predictions,
                 "Lines as predict writes them, instead of a model; SQuAD's JSON too");
  app.add_option("--data", a.data, "Labelled data")->required();
  app.add_option("--preset", a.use.preset, "Known data set (default with --model: that of the training)");
  app.add_option("--task", a.task,
                 "Of --predictions (default: that of --preset, else told by the first line)");
  app.add_option("--labels", a.labels,
                 "With --predictions, what the label column holds: auto, class, multi, number");
  app.add_option("--label-separator", a.label_separator,
                 "With --predictions, between the labels of a cell (default: |)");
  app.add_option("--limit", a.use.limit, "Only the first N examples");
  app.add_option("--beam", a.use.decoding.beam, "generate: hypotheses kept; 1 is greedy");
  app.add_option("--length-penalty", a.use.decoding.length_penalty,
                 "generate: scores are log p / length^penalty");
  app.footer(
      "Examples:\n"
      "  evaluate --model runs/first --data dev.tsv\n"
      "  evaluate --predictions predictions.jsonl --data dev.tsv --preset sst2\n"
      "  evaluate --predictions squad_predictions.json --data dev-v1.1.json --preset squad");
  return run_program(app, argc, argv, a.common, [&] { return run(app, a); });
}
