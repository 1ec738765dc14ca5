// predict: labels for new texts, one JSON object per input, in order.
#include "tasks/classify/predict.h"

#include <cstdio>

#include "autograd/check.h"
#include "models/io/atomic_file.h"
#include "tools/common/program.h"

namespace sesame {
namespace {

struct Arguments {
  CommonOptions common;
  std::vector<std::string> models;
  std::string input = "-", output, columns, format, device = "cpu";
  std::int64_t batch_tokens = 4096;
  bool logits = false;
};

// Reads as many examples as make a batch worth packing, so that a stream of any length takes the same memory.
std::vector<Example> next_chunk(ExampleReader& reader, std::size_t size) {
  std::vector<Example> chunk;
  for (Example example; chunk.size() < size && reader.next(example);) chunk.push_back(std::move(example));
  return chunk;
}

int run(const Arguments& a) {
  const ClassifyPredictor predictor(a.models, Device::parse(a.device), a.batch_tokens, a.common.verbose);
  ReadOptions read = predictor.first().read_options(false);
  if (!a.columns.empty()) read.columns = parse_columns(a.columns, read.columns);
  if (!a.format.empty()) read.format = parse_format(a.format);
  ExampleReader reader(a.input, read);
  std::unique_ptr<AtomicFile> file;
  if (!a.output.empty()) file = std::make_unique<AtomicFile>(a.output);
  const std::size_t chunk_size = a.input == "-" ? 64 : 1024;
  for (auto chunk = next_chunk(reader, chunk_size); !chunk.empty(); chunk = next_chunk(reader, chunk_size)) {
    for (const std::string& line : predictor.json_lines(chunk, a.logits)) {
      if (file) {
        file->write(line + "\n");
      } else {
        print_line(line);
      }
    }
  }
  for (const Dropped& d : reader.dropped()) {
    fmt::print(stderr, "{} rows left out: {} (first at line {})\n", d.count, d.reason, d.first_line);
  }
  if (file) file->commit();
  return 0;
}

}  // namespace
}  // namespace sesame

int main(int argc, char** argv) {
  using namespace sesame;
  Arguments a;
  CLI::App app("Predicts with trained models; several --model are an ensemble.", "predict");
  add_common_options(app, a.common);
  app.add_option("--model", a.models, "Folder of a finished run of train; may be given several times")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--input", a.input,
                 "File in a format of train, or plain lines (two texts: tab); - for stdin");
  app.add_option("--output", a.output, "File to write; default: stdout");
  app.add_option("--columns", a.columns, "Columns by name, if they are not those of the training data");
  app.add_option("--format", a.format, "auto, tsv, csv, jsonl, lines (default: by extension)");
  app.add_option("--batch-tokens", a.batch_tokens, "Tokens per batch");
  app.add_option("--device", a.device, "cpu, cuda, cuda:N");
  app.add_flag("--logits", a.logits, "Add the raw outputs of the classifier");
  app.footer(
      "Examples:\n"
      "  echo 'A quiet, generous film.' | predict --model runs/first --input -\n"
      "  predict --model runs/a --model runs/b --input dev.tsv --output predictions.jsonl");
  return run_program(app, argc, argv, a.common, [&] { return run(a); });
}
