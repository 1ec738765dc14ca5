// average: one adapter from several that stand on the same base.
#include "tasks/use/average.h"

#include "tools/common/program.h"
#include "tools/common/toml_config.h"

int main(int argc, char** argv) {
  using namespace sesame;
  CommonOptions common;
  AverageOptions options;
  CLI::App app("Writes the average of adapters of one base: mean weights of adapter, LayerNorms and head.",
               "average");
  add_common_options(app, common);
  app.add_option("--model", options.models, "Folder of a run of train --tune adapter; two or more")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--out", options.out, "Folder to write, for predict and evaluate")->required();
  app.add_flag("--overwrite", options.overwrite, "Start anew in a folder that is not empty")
      ->configurable(false);
  app.footer(
      "Adapters from different seeds have little to do with each other and make a poor average: for those,\n"
      "several --model of predict (averaged scores) are the way.\n"
      "Examples:\n"
      "  average --model runs/a --model runs/b --out runs/mean\n"
      "  evaluate --model runs/mean --data dev.tsv");
  return run_program(app, argc, argv, common, [&] {
    options.run_toml = toml_with(app, {});
    print_line(average_runs(options));
    return 0;
  });
}
