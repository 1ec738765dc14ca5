#include "tools/common/text_bench.h"

#include <algorithm>
#include <fstream>
#include <span>
#include <vector>

#include "autograd/check.h"
#include "autograd/ops/segment_ops.h"
#include "autograd/precision.h"
#include "models/pretrained.h"
#include "models/tokenizer/tokenizer.h"
#include "tools/common/timing.h"

namespace sesame {
namespace {

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream file(path);
  SESAME_CHECK(file.good(), "--texts", "cannot read '{}'", path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  SESAME_CHECK(!lines.empty(), "--texts", "'{}' has no lines", path);
  return lines;
}

// Means of the last layer's states of some texts, [n, H].
Tensor embed(const Bert& bert, const Tokenizer& tokenizer, std::span<const std::string> texts,
             Device device) {
  const auto most = static_cast<std::size_t>(bert.config().max_position_embeddings);
  std::vector<TokenSequence> sequences;
  for (const std::string& text : texts) {
    const Encoding tokens = tokenizer.encode(text, {.max_length = most});
    sequences.push_back({.ids = {tokens.ids.begin(), tokens.ids.end()}});
  }
  const PackedBatch batch = pack_batch(sequences, bert.config().max_position_embeddings, device);
  return segment_mean(bert.forward(batch, {.pooled = false}).last, batch.segments);
}

}  // namespace

TextBenchResult bench_texts(const TextBenchOptions& options) {
  const std::vector<std::string> lines = read_lines(options.texts);
  const NoGradGuard no_grad;
  const MixedPrecision precision(options.compute);
  TextBenchResult best{.load_ms = 1e30, .tokenize_ms = 1e30, .embed_ms = 1e30};
  best.texts = static_cast<std::int64_t>(lines.size());
  for (int i = 0; i < options.repeat; ++i) {
    LoadedBert bert;
    std::unique_ptr<Tokenizer> tokenizer;
    best.load_ms = std::min(best.load_ms, milliseconds([&] {
                              bert = load_bert(options.model, {.pooler = PoolerChoice::Never});
                              tokenizer = std::make_unique<Tokenizer>(Tokenizer::load(options.model));
                            }));
    best.tokens = 0;
    best.tokenize_ms = std::min(best.tokenize_ms, milliseconds([&] {
                                  for (const std::string& line : lines) {
                                    best.tokens +=
                                        static_cast<std::int64_t>(tokenizer->encode(line).ids.size());
                                  }
                                }));
    if (!options.embed) continue;
    bert.model->to(options.tensors);
    bert.model->eval();
    const auto batch = static_cast<std::size_t>(options.batch);
    best.embed_ms =
        std::min(best.embed_ms, milliseconds(
                                    [&] {
                                      for (std::size_t begin = 0; begin < lines.size(); begin += batch) {
                                        const std::size_t n = std::min(batch, lines.size() - begin);
                                        embed(*bert.model, *tokenizer, std::span(lines).subspan(begin, n),
                                              options.tensors.device);
                                      }
                                    },
                                    options.tensors.device));
  }
  if (!options.embed) best.embed_ms = 0;
  return best;
}

}  // namespace sesame
