// predict: answers to new inputs, one JSON object per input, in order.
#include <cstdio>

#include "autograd/check.h"
#include "autograd/comm/comm.h"
#include "autograd/precision.h"
#include "models/io/atomic_file.h"
#include "tasks/tasks.h"
#include "tools/common/program.h"
#include "tools/common/unused_options.h"
#include "tools/common/use_options.h"

namespace sesame {
namespace {

struct Arguments {
  CommonOptions common;
  UseOptions use;
  ComputeOptions compute;
  std::string input = "-", output;
};

void add_decoding_options(CLI::App& app, DecodingOptions& d) {
  app.add_option("--beam", d.beam, "generate: hypotheses kept; 1 is greedy");
  app.add_option("--length-penalty", d.length_penalty, "generate: scores are log p / length^penalty");
  app.add_option("--no-repeat-ngram", d.no_repeat_ngram, "generate: no n-gram of this size occurs twice");
  app.add_option("--max-new-tokens", d.max_new_tokens, "generate: longest output (default: as trained)");
  app.add_flag("--sample", d.sample, "generate: draw the next token instead of taking the best");
  app.add_option("--temperature", d.temperature, "generate: of the draw; below 1 is more careful");
  app.add_option("--top-k", d.top_k, "generate: draw from the k likeliest tokens; 0: all");
  app.add_option("--top-p", d.top_p, "generate: draw from the fewest tokens that hold this probability");
  app.add_option("--seed", d.seed, "generate: of the draws");
}

int run(const CLI::App& app, Arguments& a) {
  const std::unique_ptr<Predictor> predictor = load_predictor(a.use, a.compute, a.common.verbose);
  const MixedPrecision precision(a.use.compute);
  say_unused_options(app, trained_task(a.use.models.front()));
  check_same_use(a.use, a.input);
  std::unique_ptr<AtomicFile> file;
  if (!a.output.empty() && world().leads()) file = std::make_unique<AtomicFile>(a.output);
  predictor->predict(a.input, [&](const std::string& line) {
    if (file) {
      file->write(line + "\n");
    } else {
      print_line(line);
    }
  });
  if (file) file->commit();
  return 0;
}

}  // namespace
}  // namespace sesame

int main(int argc, char** argv) {
  using namespace sesame;
  Arguments a;
  CLI::App app("Predicts with trained models; several --model are an ensemble.", "predict");
  a.common.ranks = true;
  add_common_options(app, a.common);
  add_use_options(app, a.use, a.compute);
  app.get_option("--model")->required();
  app.add_option("--input", a.input,
                 "File in a format of train, or plain lines (several texts: tab); - for stdin");
  app.add_option("--output", a.output, "File to write; default: stdout");
  app.add_flag("--logits", a.use.logits, "classify, tag, extract: add the raw outputs of the classifier");
  app.add_option("--n-best", a.use.n_best, "extract, generate: so many answers with their scores");
  add_decoding_options(app, a.use.decoding);
  app.footer(
      "Examples:\n"
      "  echo 'A quiet, generous film.' | predict --model runs/first --input -\n"
      "  predict --model runs/a --model runs/b --input dev.tsv --output predictions.jsonl\n"
      "  predict --model runs/translation --input news.txt --beam 4");
  return run_program(app, argc, argv, a.common, [&] { return run(app, a); });
}
