#include "tasks/tag/tag_predictor.h"

#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/data/presets.h"

namespace sesame {
namespace {

// Mean logits of the models as one list of K numbers for each word.
OrderedJson logits_json(const std::vector<std::vector<SentenceLogits>>& models, std::size_t sentence,
                        std::size_t labels) {
  OrderedJson words = OrderedJson::array();
  const std::size_t count = models.front()[sentence].size();
  for (std::size_t begin = 0; begin < count; begin += labels) {
    std::vector<float> row(labels, 0);
    for (const auto& model : models) {
      for (std::size_t j = 0; j < labels; ++j) row[j] += model[sentence][begin + j];
    }
    for (float& value : row) value /= static_cast<float>(models.size());
    words.push_back(row);
  }
  return words;
}

}  // namespace

TagPredictor::TagPredictor(const UseOptions& options) : options_(options) {
  std::vector<const Crf*> crfs;
  TrainedFolders folders(options);
  for (const std::string& directory : options.models) {
    models_.push_back(load_trained_tagger(folders, directory));
    const TagTaskFile& own = models_.back().file;
    SESAME_CHECK(
        own.labels == file().labels && own.decode == file().decode && own.contexts == file().contexts,
        "--model", "'{}' and '{}' differ in tags, decoding or number of texts and cannot form an ensemble",
        options.models.front(), directory);
    crfs.push_back(models_.back().model->head.crf.get());
  }
  decoder_ = std::make_unique<TagDecoder>(file().labels, file().scheme, file().decode);
  if (file().decode == Decode::Crf) decoder_->set_crf(crfs);
}

WordReadOptions TagPredictor::read_options(const std::string& path, bool need_tags) const {
  WordReadOptions read;
  read.format = parse_word_format(options_.format);
  read.otherwise = file().data_format;
  read.need_tags = need_tags;
  read.fixed_contexts = true;
  read.context_count = file().contexts;
  read.limit = static_cast<std::size_t>(options_.limit);
  if (!options_.preset.empty()) {
    read.otherwise = parse_word_format(find_preset(options_.preset).format);
    read.columns = find_preset(options_.preset).read.columns;
  } else if (word_format_of(path, read) == file().data_format) {
    read.columns = file().columns;  // columns of one format say nothing in another
  }
  if (!options_.columns.empty()) read.columns = parse_columns(options_.columns, read.columns);
  return read;
}

std::vector<std::vector<SentenceLogits>> TagPredictor::logits(const std::vector<WordSentence>& sentences) {
  std::vector<std::vector<SentenceLogits>> all;
  const TagTaskOptions options{.eval_tokens = options_.batch_tokens, .device = options_.device};
  for (const TrainedTagger& model : models_) {
    std::size_t* count = all.empty() ? &unknown_words_ : nullptr;
    all.push_back(tag_all(*model.model, model.tokenizer, sentences, model.file, options, count));
  }
  return all;
}

DecodedSentence TagPredictor::decode(const std::vector<std::vector<SentenceLogits>>& logits,
                                     std::size_t sentence) const {
  std::vector<const SentenceLogits*> models;
  for (const auto& model : logits) models.push_back(&model[sentence]);
  return decoder_->decode(models);
}

void TagPredictor::give_lines(const std::vector<WordSentence>& sentences, const LineSink& sink) {
  const auto all = logits(sentences);
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    const DecodedSentence decoded = decode(all, i);
    OrderedJson line;
    line["tokens"] = sentences[i].words;
    line["tags"] = tag_names(decoded.tags, file().labels);
    line["scores"] = std::vector<float>(decoded.scores.begin(), decoded.scores.end());
    if (options_.logits) line["logits"] = logits_json(all, i, file().labels.size());
    sink(json_text(line));
  }
}

void TagPredictor::say_unknown() const {
  if (unknown_words_ == 0) return;
  say(fmt::format(
      "{} words without a token of their own (control characters and the like) were read as [UNK]",
      unknown_words_));
}

void TagPredictor::predict(const std::string& input, const LineSink& sink) {
  const WordReadOptions read = read_options(input, false);
  WordReader reader(input, read);
  std::size_t count = 0;
  for_each_chunk<WordSentence>(
      input,
      [&](WordSentence& sentence) {
        return (read.limit == 0 || count++ < read.limit) && reader.next(sentence);
      },
      [&](const std::vector<WordSentence>& chunk) { give_lines(chunk, sink); });
  say_dropped(reader.dropped());
  say_unknown();
}

Metrics TagPredictor::evaluate(const std::string& path) {
  const WordData data = read_words(path, read_options(path, true));
  say(fmt::format("{}: {}", path, describe(data)));
  const auto all = logits(data.sentences);
  TagLists predicted;
  for (std::size_t i = 0; i < data.sentences.size(); ++i) {
    predicted.push_back(tag_names(decode(all, i).tags, file().labels));
  }
  say_unknown();
  return tag_metrics(data.tags(), predicted, file().entities());
}

std::unique_ptr<Predictor> load_tag(const UseOptions& options) {
  return std::make_unique<TagPredictor>(options);
}

}  // namespace sesame
