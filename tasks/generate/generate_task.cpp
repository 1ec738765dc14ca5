#include "tasks/generate/generate_task.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "autograd/ops/loss.h"
#include "models/generation/decoder_model.h"
#include "models/io/strict_json.h"
#include "tasks/data/model_input.h"
#include "tasks/generate/text_scores.h"
#include "tasks/ranks/batch_share.h"
#include "tasks/report/sequences.h"
#include "tasks/report/svg.h"
#include "tasks/train/setup.h"

namespace sesame {
namespace {

constexpr std::size_t kShown = 40, kAttentionMaps = 4, kLengths = 2000;

// The sum of the losses of these examples' tokens and end tokens, divided by `normalizer`.
Tensor pair_loss(const SequenceModel& model, const std::vector<SequencePair>& pairs,
                 const CrossEntropyOptions& options, const TrunkRows* sources = nullptr) {
  const Tensor logits = sources != nullptr ? model.teacher_forced_from(*sources, pairs)
                                           : model.teacher_forced(pairs);  // [sum(target + 1), V]
  std::vector<std::int64_t> wanted;
  for (const SequencePair& pair : pairs) {
    wanted.insert(wanted.end(), pair.target.begin(), pair.target.end());
    wanted.push_back(model.end_id());
  }
  return cross_entropy(logits, Tensor::from(wanted, logits.device()), options);
}

std::int64_t pair_tokens(const SequencePair& pair) {
  return static_cast<std::int64_t>(pair.source.ids.size() + pair.target.size() + 1);
}

DataSummary summarize(const std::string& name, const Dataset& data) {
  DataSummary summary{.name = name, .path = data.path, .facts = {}, .label_counts = {}, .lengths = {}};
  summary.facts.emplace_back("examples", format_count(static_cast<std::int64_t>(data.examples.size())));
  for (const Dropped& d : data.dropped) {
    summary.facts.emplace_back(
        "left out", fmt::format("{} rows: {} (first at line {})", d.count, d.reason, d.first_line));
  }
  if (data.empty_texts > 0)
    summary.facts.emplace_back("with an empty text", fmt::format("{}", data.empty_texts));
  return summary;
}

}  // namespace

GenerateTask::GenerateTask(SequenceModel& model, Writer writer, Dataset train, Dataset dev,
                           GenerateTaskOptions options)
    : model_(model),
      writer_(std::move(writer)),
      train_(std::move(train)),
      dev_(std::move(dev)),
      options_(std::move(options)),
      source_lengths_(train_.examples.size()),
      target_lengths_(train_.examples.size()) {
  if (model.frozen && model.encodes_apart()) {
    cache_ = std::make_unique<FeatureCache>(options_.cache_mb << 20);
  }
}

std::int64_t GenerateTask::train_length(std::int64_t i) const {
  std::int32_t& source = source_lengths_.at(static_cast<std::size_t>(i));
  if (source == 0) source = static_cast<std::int32_t>(writer_.read(train_example(i).texts, 0).ids.size());
  const std::int64_t one[] = {i};
  return source + static_cast<std::int64_t>(loss_terms(one));
}

double GenerateTask::loss_terms(std::span<const std::int64_t> examples) const {
  std::int64_t terms = 0;
  for (const std::int64_t i : examples) {
    std::int32_t& length = target_lengths_.at(static_cast<std::size_t>(i));
    if (length == 0)
      length = static_cast<std::int32_t>(writer_.target_ids(train_example(i).label).size()) + 1;
    terms += length;
  }
  return static_cast<double>(terms);
}

LossPart GenerateTask::loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) {
  std::vector<SequencePair> pairs;
  std::int64_t tokens = 0;
  for (const std::int64_t i : examples) {
    const Example& example = train_example(i);
    pairs.push_back({writer_.read(example.texts, first + static_cast<std::int64_t>(pairs.size())),
                     writer_.target_ids(example.label)});
    tokens += pair_tokens(pairs.back());
  }
  const CrossEntropyOptions loss{.label_smoothing = options_.label_smoothing, .normalizer = normalizer};
  if (!cache_) return {pair_loss(model_, pairs, loss), tokens};
  const TrunkRows rows = cache_->rows(examples, [&](std::span<const std::int64_t> some) {
    std::vector<TokenSequence> sources;
    for (const std::int64_t i : some) sources.push_back(writer_.read(train_example(i).texts, 0));
    return model_.encode(sources);
  });
  return {pair_loss(model_, pairs, loss, &rows), tokens};
}

double token_loss(const Writer& writer, const Dataset& data, std::int64_t batch_tokens) {
  NoGradGuard no_grad;
  BatchShare share;
  double sum = 0, terms = 0;
  std::vector<SequencePair> pairs;
  std::int64_t tokens = 0;
  const auto flush = [&] {
    if (!pairs.empty() && share.takes_next())
      share.give({pair_loss(*writer.model, pairs, {.normalizer = 1}).item()});
    pairs.clear();
    tokens = 0;
  };
  for (const Example& example : data.examples) {
    SequencePair pair{writer.read(example.texts, 0), writer.target_ids(example.label)};
    terms += static_cast<double>(pair.target.size() + 1);
    if (tokens + pair_tokens(pair) > batch_tokens) flush();
    tokens += pair_tokens(pair);
    pairs.push_back(std::move(pair));
  }
  flush();
  for (const double part : share.all_joined()) sum += part;
  return sum / std::max(terms, 1.);
}

Metrics GenerateTask::evaluate() {
  if (dev_.examples.empty()) return {};
  dev_texts_.clear();
  std::vector<std::string> texts;
  for (std::vector<WrittenText>& outputs :
       write_texts({&writer_}, dev_.examples, options_.decoding, options_.eval_tokens)) {
    texts.push_back(outputs.front().text);
    dev_texts_.push_back(std::move(outputs.front()));
  }
  std::vector<std::string> targets;
  for (const Example& example : dev_.examples) targets.push_back(example.label);
  say_collapse(texts, targets);
  Metrics metrics = score_texts(dev_, texts);
  metrics.set("loss", token_loss(writer_, dev_));
  return metrics;
}

std::vector<std::string> GenerateTask::metric_names() const {
  return {"bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact_match", "loss"};
}

std::string GenerateTask::show(std::int64_t i) const {
  const Example& example = train_example(i);
  std::vector<std::string> target = tokens_of(writer_.target, writer_.target_ids(example.label));
  target.push_back(writer_.target.token(writer_.target.sep_id()));
  const OrderedJson json = {{"line", example.line},
                            {"tokens", tokens_of(writer_.source, writer_.read(example.texts, 0).ids)},
                            {"target", target}};
  return json_text(json);
}

void GenerateTask::describe(Report& report) const {
  report.data.push_back(summarize("train", train_));
  for (std::int64_t i = 0; i < std::min<std::int64_t>(train_size(), kLengths); ++i) {
    report.data.back().lengths.push_back(train_length(i));
  }
  report.data.back().facts.emplace_back("targets that tokens and surface give back",
                                        fmt::format("{:.1f} %", 100 * writer_.surface.round_trip()));
  if (!dev_.examples.empty()) report.data.push_back(summarize("dev", dev_));
  if (dev_texts_.empty()) return;
  std::vector<WrittenExample> examples;
  for (std::size_t i = 0; i < dev_.examples.size(); ++i) {
    const Example& example = dev_.examples[i];
    examples.push_back({example.texts, example.labels, dev_texts_[i].text, example.line});
  }
  report.sections.push_back(written_section(examples, kShown));
  const auto* decoder = dynamic_cast<const DecoderModel*>(&model_);
  if (decoder == nullptr) return;
  NoGradGuard no_grad;
  std::vector<AttentionMap> maps;
  for (std::size_t i = 0; i < dev_.examples.size() && maps.size() < kAttentionMaps; ++i) {
    const SequencePair pair{writer_.read(dev_.examples[i].texts, 0), dev_texts_[i].tokens};
    AttentionMap map{.written = tokens_of(writer_.target, pair.target),
                     .source = tokens_of(writer_.source, pair.source.ids),
                     .weights = {}};
    if (map.written.size() + map.source.size() > kLargestMap) continue;
    map.written.push_back("end");
    map.weights = decoder->cross_attention(pair).to(DType::Float32).to_vector<float>();
    maps.push_back(std::move(map));
  }
  if (!maps.empty()) report.sections.push_back(attention_section(maps));
}

void GenerateTask::write_files(const std::string& out) const {
  writer_.surface.save(out + "/surface.json");
  if (!writer_.file.own_vocabulary) return;
  std::filesystem::create_directories(out + "/target_tokenizer");
  writer_.target.save(out + "/target_tokenizer");
}

}  // namespace sesame
