// What the report shows of a tagger.
#include <algorithm>
#include <map>

#include "autograd/check.h"
#include "tasks/metrics/classification.h"
#include "tasks/report/svg.h"
#include "tasks/report/tagged_text.h"
#include "tasks/tag/tag_task.h"

namespace sesame {
namespace {

constexpr std::int64_t kLengths = 2000;  // training sentences whose lengths are drawn

DataSummary summarize(const std::string& name, const WordData& data) {
  DataSummary summary{.name = name, .path = data.path, .facts = {}, .label_counts = {}, .lengths = {}};
  summary.facts.emplace_back("sentences", format_count(static_cast<std::int64_t>(data.sentences.size())));
  summary.facts.emplace_back("words", format_count(static_cast<std::int64_t>(data.words)));
  for (const Dropped& d : data.dropped) {
    summary.facts.emplace_back(
        "left out", fmt::format("{} rows: {} (first at line {})", d.count, d.reason, d.first_line));
  }
  std::map<std::string, std::int64_t> counts;
  for (const WordSentence& sentence : data.sentences) {
    for (const std::string& tag : sentence.tags) ++counts[tag];
  }
  if (counts.size() <= 60) summary.label_counts.assign(counts.begin(), counts.end());
  return summary;
}

std::vector<TagScore> entity_scores(const TagLists& gold, const TagLists& predicted) {
  std::vector<TagScore> rows;
  EntityCounts all;
  const auto add = [&](const std::string& name, const EntityCounts& c) {
    rows.push_back({name, c.gold, c.predicted, c.correct, c.precision(), c.recall(), c.f1()});
  };
  for (const auto& [type, c] : count_entities(gold, predicted)) {
    add(type, c);
    all.gold += c.gold;
    all.predicted += c.predicted;
    all.correct += c.correct;
  }
  add("all", all);
  return rows;
}

// The same numbers for tags that are no entities: each word is one.
std::vector<TagScore> word_scores(const std::vector<std::vector<std::int64_t>>& confusion,
                                  const std::vector<std::string>& labels) {
  std::vector<TagScore> rows;
  for (std::size_t k = 0; k < labels.size(); ++k) {
    EntityCounts c;
    c.correct = confusion[k][k];
    for (std::size_t j = 0; j < labels.size(); ++j) {
      c.gold += confusion[k][j];
      c.predicted += confusion[j][k];
    }
    rows.push_back({labels[k], c.gold, c.predicted, c.correct, c.precision(), c.recall(), c.f1()});
  }
  return rows;
}

}  // namespace

void TagTask::describe(Report& report) const {
  report.data.push_back(summarize("train", train_));
  for (std::int64_t i = 0; i < std::min(train_size(), kLengths); ++i) {
    report.data.back().lengths.push_back(train_length(i));
  }
  if (!dev_.sentences.empty()) report.data.push_back(summarize("dev", dev_));
  if (decoded_.empty()) return;
  std::vector<std::int64_t> gold_words, predicted_words;
  std::vector<TaggedText> texts;
  TagLists predicted;
  for (std::size_t i = 0; i < dev_.sentences.size(); ++i) {
    const WordSentence& sentence = dev_.sentences[i];
    predicted.push_back(tag_names(decoded_[i].tags, file_.labels));
    TaggedText& text = texts.emplace_back(
        TaggedText{.words = sentence.words, .gold = sentence.tags, .predicted = predicted.back()});
    text.line = sentence.line;
    for (std::size_t w = 0; w < sentence.tags.size(); ++w) {
      gold_words.push_back(labels_.id(sentence.tags[w], ""));
      predicted_words.push_back(decoded_[i].tags[w]);
      if (text.gold[w] != text.predicted[w]) text.telling = std::max(text.telling, decoded_[i].scores[w]);
    }
  }
  report.labels = file_.labels;
  report.confusion =
      confusion_matrix(gold_words, predicted_words, static_cast<std::int64_t>(file_.labels.size()));
  std::vector<std::string> types = file_.labels;
  if (file_.entities()) {
    report.sections.push_back(tag_scores_section("Entities by type", entity_scores(dev_.tags(), predicted)));
    types.clear();
    for (const std::string& label : file_.labels) {
      const std::string type(split_tag(label).type);
      if (label != "O" && std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
    }
  } else {
    report.sections.push_back(
        tag_scores_section("Words by tag", word_scores(report.confusion, file_.labels)));
  }
  report.sections.push_back(tagged_text_section(std::move(texts), types));
}

}  // namespace sesame
