// What predict and evaluate ask of a trained model, whatever its task; each of the output kinds implements
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/device.h"
#include "models/generation/decoding_options.h"
#include "tasks/data/table.h"
#include "tasks/metrics/metrics.h"

namespace sesame {

// The options of tools/predict and tools/evaluate under their names there.
struct UseOptions {
  std::vector<std::string> models;  // folders of finished runs; several are an ensemble: scores are averaged
  std::string base;                 // of adapters, where it is not found at the place that they name
  std::string preset, columns, format;
  std::int64_t limit = 0;  // the first N inputs; 0: all
  Device device = {};
  DType compute = DType::Float32;  // bfloat16: in the layers of the encoder, the caller's MixedPrecision
  std::int64_t batch_tokens = 4096;
  bool verbose = false;
  bool logits = false;       // predict: add the raw outputs of the classifiers
  std::int64_t n_best = 0;   // predict: so many answers with their scores; 0: the best one alone
  DecodingOptions decoding;  // of generate
};

using LineSink = std::function<void(const std::string&)>;

class Predictor {
 public:
  virtual ~Predictor() = default;

  // Reads `input` (a file, or "-" for standard input) piece by piece and gives one JSON object per input to
  // `sink`, in order. What is left out is counted and said on stderr.
  virtual void predict(const std::string& input, const LineSink& sink) = 0;
  // Scores on labelled data.
  virtual Metrics evaluate(const std::string& data) = 0;
};

// Scoring of anyone's predictions; the options of tools/evaluate.
struct ScoreOptions {
  std::string predictions, data;
  std::string preset, columns, format, labels, label_separator;
  std::int64_t limit = 0;
};

// Inputs read at a time: few from a stream, whose reader waits for the answers; enough from a file to pack
// batches well.
inline std::size_t chunk_size(const std::string& input) { return input == "-" ? 64 : 1024; }

// Hands what `next` reads to `use` in chunks of that size; `next` returns false at the end.
template <class Item, class Next, class Use>
void for_each_chunk(const std::string& input, const Next& next, const Use& use) {
  std::vector<Item> chunk;
  for (bool more = true; more;) {
    Item item;
    more = next(item);
    if (more) chunk.push_back(std::move(item));
    if (chunk.size() == chunk_size(input) || (!more && !chunk.empty())) {
      use(chunk);
      chunk.clear();
    }
  }
}

// Says on stderr which rows were left out of a prediction.
void say_dropped(const std::vector<Dropped>& dropped);

}  // namespace sesame
