#include "tasks/tag/tag_task.h"

#include <nlohmann/json.hpp>
#include <set>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/data/model_input.h"
#include "tasks/ranks/batch_share.h"
#include "tasks/train/setup.h"

namespace sesame {
namespace {

std::vector<std::vector<std::int64_t>> label_numbers(const WordData& data, const LabelMap& labels) {
  std::vector<std::vector<std::int64_t>> numbers;
  for (const WordSentence& sentence : data.sentences) {
    std::vector<std::int64_t>& row = numbers.emplace_back();
    for (std::size_t w = 0; w < sentence.tags.size(); ++w) {
      row.push_back(labels.id(sentence.tags[w], data.where(sentence, w)));
    }
  }
  return numbers;
}

}  // namespace

TagTask::TagTask(TagModel& model, const Tokenizer& tokenizer, WordData train, WordData dev, TagTaskFile file,
                 const TagTaskOptions& options)
    : model_(model),
      tokenizer_(tokenizer),
      train_(std::move(train)),
      dev_(std::move(dev)),
      file_(std::move(file)),
      labels_(file_.labels),
      options_(options),
      train_tags_(label_numbers(train_, labels_)) {
  if (model.frozen) cache_ = std::make_unique<FeatureCache>(options_.cache_mb << 20);
  label_numbers(dev_, labels_);  // an unknown tag shows now, not after an epoch
}

WordInput TagTask::train_input(std::int64_t i, std::int64_t example_in_update) const {
  WordInput input = make_word_input(tokenizer_, train_sentence(i), file_.input_options(), example_in_update);
  if (lengths_.empty()) lengths_.resize(train_.sentences.size());
  lengths_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(input.tokens());
  return input;
}

std::int64_t TagTask::train_length(std::int64_t i) const {
  const auto row = static_cast<std::size_t>(i);
  if (lengths_.empty() || lengths_.at(row) == 0) train_input(i, 0);
  return lengths_[row];
}

double TagTask::loss_terms(std::span<const std::int64_t> examples) const {
  std::size_t words = 0;
  for (const std::int64_t i : examples) words += train_sentence(i).words.size();
  return static_cast<double>(words);
}

LossPart TagTask::loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) {
  const auto compute = [&](std::span<const std::int64_t> some) {
    std::vector<WordInput> inputs;
    for (const std::int64_t i : some) {
      inputs.push_back(train_input(i, first + static_cast<std::int64_t>(inputs.size())));
    }
    return model_.rows(pack_words(inputs, model_.bert.config().max_position_embeddings, options_.device));
  };
  const TrunkRows rows = cache_ ? cache_->rows(examples, compute) : compute(examples);
  SegmentsOptions names{.device = options_.device};
  std::vector<std::int64_t> targets;
  std::int64_t tokens = 0;
  for (const std::int64_t i : examples) {
    names.examples.push_back(first++);
    tokens += train_length(i);
    const std::vector<std::int64_t>& tags = train_tags_[static_cast<std::size_t>(i)];
    targets.insert(targets.end(), tags.begin(), tags.end());
  }
  const Segments sentences(rows.counts, names);
  const Tensor logits = model_.read(rows, sentences);
  return {model_.head.loss(logits, Tensor::from(targets, options_.device), sentences, normalizer,
                           options_.label_smoothing),
          tokens};
}

Metrics TagTask::evaluate() {
  if (dev_.sentences.empty()) return {};
  const std::vector<SentenceLogits> logits =
      tag_all(model_, tokenizer_, dev_.sentences, file_, options_, nullptr, cache_.get());
  TagDecoder decoder(file_.labels, file_.scheme, file_.decode);
  if (model_.head.crf) decoder.set_crf({model_.head.crf.get()});
  decoded_.clear();
  TagLists predicted;
  for (const SentenceLogits& sentence : logits) {
    decoded_.push_back(decoder.decode({&sentence}));
    predicted.push_back(tag_names(decoded_.back().tags, file_.labels));
  }
  const auto words_of = [](const TagLists& sentences) {
    std::vector<std::string> tags;
    for (const auto& sentence : sentences) tags.insert(tags.end(), sentence.begin(), sentence.end());
    return tags;
  };
  say_collapse(words_of(predicted), words_of(dev_.tags()));
  const Metrics all = tag_metrics(dev_.tags(), predicted, file_.entities());
  Metrics ordered;  // the preset's official scores first
  for (const std::string& name : file_.metrics) {
    if (all.has(name)) ordered.set(name, all.at(name));
  }
  // A type that occurs on neither side scores 0, so that every evaluation has the same metrics.
  for (const std::string& name : metric_names()) ordered.set(name, all.has(name) ? all.at(name) : 0);
  return ordered;
}

std::vector<std::string> TagTask::metric_names() const {
  std::vector<std::string> names = {"word_accuracy"};
  if (!file_.entities()) return names;
  names.insert(names.end(), {"entity_f1", "entity_precision", "entity_recall"});
  std::set<std::string> types;
  for (const std::string& label : file_.labels) {
    if (label != "O") types.insert(std::string(split_tag(label).type));
  }
  for (const std::string& type : types) names.push_back("f1_" + type);
  return names;
}

std::string TagTask::main_metric() const {
  if (!file_.metrics.empty()) return file_.metrics.front();
  return file_.entities() ? "entity_f1" : "word_accuracy";
}

std::string TagTask::show(std::int64_t i) const {
  const WordSentence& sentence = train_sentence(i);
  OrderedJson windows = OrderedJson::array();
  for (const TokenSequence& window : train_input(i, 0).windows) {
    windows.push_back(tokens_of(tokenizer_, window.ids));
  }
  OrderedJson json = {{"line", sentence.line}};
  if (windows.size() == 1) json["tokens"] = windows[0];
  if (windows.size() > 1) json["windows"] = windows;
  json["words"] = sentence.words;
  json["tags"] = sentence.tags;
  return json_text(json);
}

std::vector<SentenceLogits> tag_all(const TagModel& model, const Tokenizer& tokenizer,
                                    const std::vector<WordSentence>& sentences, const TagTaskFile& file,
                                    const TagTaskOptions& options, std::size_t* unknown_words,
                                    FeatureCache* cache) {
  NoGradGuard no_grad;
  const std::size_t labels = file.labels.size();
  BatchShare share;
  std::vector<WordInput> inputs;
  const auto read = [&](std::size_t i) {
    return make_word_input(tokenizer, sentences[i], file.input_options(), 0);
  };
  const auto rows = [&] {
    const TrunkRows rows =
        model.rows(pack_words(inputs, model.bert.config().max_position_embeddings, options.device));
    inputs.clear();
    return rows;
  };
  const auto give = [&](const TrunkRows& rows) {
    const Tensor scores = model.read(rows, Segments(rows.counts, {.device = options.device}));
    const std::vector<float> logits = scores.to(DType::Float32).to_vector<float>();
    share.give({logits.begin(), logits.end()});
  };
  const auto gathered = [&] {
    const std::vector<double> logits = share.all_joined();
    std::vector<SentenceLogits> all;
    auto row = logits.begin();
    for (const WordSentence& sentence : sentences) {
      const auto next = row + static_cast<std::ptrdiff_t>(sentence.words.size() * labels);
      all.emplace_back(row, next);
      row = next;
    }
    return all;
  };
  if (cache != nullptr) {
    const FeatureCache::Compute compute = [&](std::span<const std::int64_t> some) {
      for (const std::int64_t name : some) inputs.push_back(read(FeatureCache::dev_index(name)));
      return rows();
    };
    for (const std::vector<std::int64_t>& names : FeatureCache::dev_chunks(
             sentences.size(), options.eval_tokens, static_cast<std::size_t>(file.max_length))) {
      if (share.takes_next()) give(cache->rows(names, compute));
    }
    return gathered();
  }
  std::int64_t tokens = 0;
  const auto flush = [&] {
    if (tokens > 0 && share.takes_next()) give(rows());  // 0: sentences without words
    inputs.clear();
    tokens = 0;
  };
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    WordInput input = read(i);
    if (tokens > 0 && tokens + input.tokens() > options.eval_tokens) flush();
    tokens += input.tokens();
    if (unknown_words != nullptr) *unknown_words += input.unknown_words;
    inputs.push_back(std::move(input));
  }
  flush();
  return gathered();
}

std::vector<std::string> tag_names(const std::vector<std::int64_t>& tags,
                                   const std::vector<std::string>& labels) {
  std::vector<std::string> names;
  for (const std::int64_t tag : tags) names.push_back(labels.at(static_cast<std::size_t>(tag)));
  return names;
}

}  // namespace sesame
