// study: repeats the findings that explain why pre-training works, on data at hand. Everything it does lies
// in tasks/study/study.h.
#include "tasks/study/study.h"

#include <fmt/core.h>

#include "tools/common/program.h"

namespace sesame {
namespace {

std::string command_list() {
  std::string text =
      "What to study (each writes OUT/<name>.jsonl and OUT/study.html, and goes on where it was stopped):\n";
  for (const StudyCommand& command : study_commands())
    text += fmt::format("  {:<10} {}\n", command.name, command.what);
  return text + "  all        one after the other\n  page       only the page, from the results in --out\n";
}

void add_options(CLI::App& app, std::string& command, StudyOptions& o) {
  app.add_option("what", command, "What to study: see the end of this text")->required()->configurable(false);
  app.add_option("--model", o.model, "Hugging Face directory of a BERT model");
  app.add_option("--out", o.out, "Folder of the results")->required();
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* help) {
    app.add_option(name, values, help)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->expected(1)
        ->allow_extra_args(false);
  };
  list("--data", o.data,
       "NAME=DIR[,key=value...], repeatable: a set with train.* and dev.* (docs/study.md lists the keys)");
  list("--preset", o.presets, "NAME=DIR, repeatable: a known set, as in mrpc=data/mrpc");
  app.add_flag("!--no-examples", o.examples, "Leave the project's example data (examples/data) out");
  app.add_option("--seeds", o.seeds, "Runs of each kind (default: 3; landscape 2, modes 1, table 1)");
  app.add_option(
      "--tokens", o.tokens,
      "Tokens through training in all runs together (default: curves 600k, landscape 700k, rollback 300k, "
      "modes 600k, layers 300k, table 600k)");
  app.add_option("--steps", o.steps, "Updates of each run instead");
  app.add_option("--epochs", o.epochs, "At most so many passes over the training data");
  app.add_option("--batch-size", o.batch_size, "Examples per update");
  app.add_option("--lr", o.lr, "Learning rate");
  app.add_option("--dev-limit", o.dev_limit,
                 "The first N development examples (default: 300; modes, table: all)");
  app.add_option("--evaluations", o.evaluations, "curves: development scores along a run");
  app.add_option(
      "--probe-tokens", o.probe_tokens,
      "landscape: tokens of the examples that a loss is measured on (default: 2400 over all sets)");
  app.add_option("--line-points", o.line_points, "landscape: points from -0.5 to 1.5 of the way");
  app.add_option("--grid", o.grid, "landscape: points along each side of a plane");
  app.add_option("--radius", o.radius,
                 "landscape: of the plane of random directions, in lengths of the filters");
  app.add_option("--snapshots", o.snapshots, "path: points on the path");
}

}  // namespace
}  // namespace sesame

int main(int argc, char** argv) {
  using namespace sesame;
  CommonOptions common;
  StudyOptions options;
  std::string command;
  CLI::App app("Measures and draws why a pretrained model is the better start.", "study");
  add_common_options(app, common);
  add_options(app, command, options);
  app.footer(command_list() +
             "\nExamples:\n"
             "  study curves --model models/minilm --out study\n"
             "  study landscape --model models/minilm --preset sst2=data/sst2 --no-examples --out study\n"
             "  study all --model models/minilm --data mine=data/mine,text=question,label=topic --out study");
  return run_program(app, argc, argv, common, [&] {
    options.verbose = common.verbose;
    print_line(run_study(command, options));
    return 0;
  });
}
