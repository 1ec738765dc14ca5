#include "tasks/generate/writer.h"

#include <algorithm>
#include <numeric>

#include "autograd/check.h"
#include "models/generation/decoder_model.h"
#include "models/generation/self_model.h"
#include "tasks/data/model_input.h"
#include "tasks/ranks/batch_share.h"

namespace sesame {

std::unique_ptr<SequenceModel> make_sequence_model(std::shared_ptr<Bert> trunk, const GenerateTaskFile& file,
                                                   const Tokenizer& target) {
  if (file.generator == Generator::Self) {
    return std::make_unique<SelfModel>(std::move(trunk), target.sep_id(), file.features);
  }
  // The encoder's embeddings may have more rows than its vocabulary has tokens.
  const std::int64_t vocabulary =
      file.own_vocabulary ? static_cast<std::int64_t>(target.vocab_size()) : trunk->config().vocab_size;
  const DecoderModelOptions options{.layers = file.decoder_layers,
                                    .vocab_size = vocabulary,
                                    .begin_id = target.cls_id(),
                                    .end_id = target.sep_id()};
  return std::make_unique<DecoderModel>(std::move(trunk), options, file.features);
}

TokenSequence Writer::read(const std::vector<std::string>& texts, std::int64_t example) const {
  return tokenize_input(
      source, texts,
      {.max_length = static_cast<std::size_t>(file.max_length), .plain_special = file.plain_special},
      example);
}

std::vector<std::int64_t> Writer::target_ids(const std::string& text) const {
  std::vector<std::int32_t> ids;
  target.encode_ids(text, ids, true);
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(file.max_target_length - 1)));
  return {ids.begin(), ids.end()};
}

namespace {

// What was found for the inputs of one batch as numbers: of each input how many outputs, of each its score,
// its length and its tokens.
std::vector<double> as_numbers(const std::vector<std::vector<Hypothesis>>& found) {
  std::vector<double> numbers;
  for (const std::vector<Hypothesis>& outputs : found) {
    numbers.push_back(static_cast<double>(outputs.size()));
    for (const Hypothesis& one : outputs) {
      numbers.push_back(one.score);
      numbers.push_back(static_cast<double>(one.tokens.size()));
      numbers.insert(numbers.end(), one.tokens.begin(), one.tokens.end());
    }
  }
  return numbers;
}

// The outputs of one input, and on to the next.
std::vector<WrittenText> from_numbers(std::vector<double>::const_iterator& next) {
  std::vector<WrittenText> outputs(static_cast<std::size_t>(*next++));
  for (WrittenText& one : outputs) {
    one.score = *next++;
    const auto length = static_cast<std::ptrdiff_t>(*next++);
    one.tokens.assign(next, next + length);
    next += length;
  }
  return outputs;
}

}  // namespace

std::vector<std::vector<WrittenText>> write_texts(const std::vector<const Writer*>& writers,
                                                  const std::vector<Example>& examples,
                                                  DecodingOptions options, std::int64_t batch_tokens,
                                                  std::int64_t first) {
  const Writer& main = *writers.front();
  if (options.max_new_tokens == 0) options.max_new_tokens = main.file.max_target_length - 1;
  std::vector<const SequenceModel*> models;
  for (const Writer* writer : writers) {
    models.push_back(writer->model);
    const std::int64_t room = writer->model->max_target(writer->file.max_length);
    SESAME_CHECK(options.max_new_tokens <= room, "--max-new-tokens",
                 "{} is too many: beside a source of up to {} tokens the model has room for {}",
                 options.max_new_tokens, writer->file.max_length, room);
  }
  std::vector<std::vector<TokenSequence>> inputs(writers.size());  // [writer][example]
  for (std::size_t w = 0; w < writers.size(); ++w) {
    for (std::size_t i = 0; i < examples.size(); ++i) {
      inputs[w].push_back(writers[w]->read(examples[i].texts, first + static_cast<std::int64_t>(i)));
    }
  }
  const auto length = [&](std::size_t i) { return inputs[0][i].ids.size(); };
  std::vector<std::size_t> order(examples.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return length(a) < length(b); });

  BatchShare share;
  const std::int64_t copies = options.sample ? options.n_best : options.beam;  // hypotheses of each source
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    std::vector<std::vector<TokenSequence>> batch(writers.size());
    for (std::int64_t tokens = 0; end < order.size(); ++end) {
      tokens += static_cast<std::int64_t>(length(order[end])) * std::max<std::int64_t>(copies, 1);
      if (end > begin && tokens > batch_tokens) break;
      for (std::size_t w = 0; w < writers.size(); ++w) batch[w].push_back(inputs[w][order[end]]);
    }
    if (share.takes_next()) share.give(as_numbers(decode(models, batch, options)));
  }
  std::vector<std::vector<WrittenText>> written(examples.size());
  const std::vector<double> numbers = share.all_joined();
  auto next = numbers.begin();
  for (const std::size_t i : order) {
    written[i] = from_numbers(next);
    SESAME_CHECK(!written[i].empty(), "decode", "found no output for input {}", i);
    for (WrittenText& one : written[i]) {
      // The word embeddings may have more rows than the vocabulary has tokens.
      std::erase_if(one.tokens, [&](std::int64_t id) {
        return id >= static_cast<std::int64_t>(main.target.vocab_size());
      });
      one.text = main.surface.text(one.tokens, examples[i].texts);
    }
  }
  return written;
}

}  // namespace sesame
