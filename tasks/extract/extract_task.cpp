#include "tasks/extract/extract_task.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/data/model_input.h"
#include "tasks/report/answers.h"
#include "tasks/report/svg.h"
#include "tasks/train/setup.h"

namespace sesame {
namespace {

std::string count_text(std::size_t count) { return format_count(static_cast<std::int64_t>(count)); }

DataSummary summarize(const std::string& name, const QuestionSet& data) {
  DataSummary summary{.name = name, .path = data.path, .facts = {}, .label_counts = {}, .lengths = {}};
  summary.facts.emplace_back("questions", count_text(data.examples.size()));
  if (data.second_version) summary.facts.emplace_back("without an answer", count_text(data.unanswered));
  if (data.places.moved > 0)
    summary.facts.emplace_back("answers found elsewhere than said", count_text(data.places.moved));
  if (data.places.ambiguous > 0) {
    summary.facts.emplace_back("answers that occur several times", count_text(data.places.ambiguous));
  }
  for (const Dropped& d : data.dropped) {
    summary.facts.emplace_back(
        "left out", fmt::format("{} rows: {} (first at line {})", d.count, d.reason, d.first_line));
  }
  return summary;
}

}  // namespace

ExtractTask::ExtractTask(ExtractModel& model, const Tokenizer& tokenizer, QuestionSet train, QuestionSet dev,
                         const ExtractTaskFile& file, const AnswerOptions& options, std::int64_t cache_mb)
    : model_(model),
      tokenizer_(tokenizer),
      train_(std::move(train)),
      dev_(std::move(dev)),
      file_(file),
      options_(options) {
  if (model.frozen) cache_ = std::make_unique<FeatureCache>(cache_mb << 20);
  for (const QuestionSet* data : {&train_, &dev_}) {
    for (const QuestionExample& e : data->examples) check_question_fits(tokenizer_, e, options_.windows);
  }
}

const std::vector<Window>& ExtractTask::train_windows(std::int64_t i) const {
  std::vector<Window>& windows = cut_[i];
  if (windows.empty()) {
    windows = cut_windows(tokenizer_, train_.examples.at(static_cast<std::size_t>(i)), options_.windows);
  }
  return windows;
}

std::int64_t ExtractTask::train_length(std::int64_t i) const {
  if (lengths_.empty()) lengths_.resize(train_.examples.size());
  std::int32_t& length = lengths_.at(static_cast<std::size_t>(i));
  if (length == 0) {
    for (const Window& w : train_windows(i)) length += static_cast<std::int32_t>(w.length());
  }
  cut_.erase(i);
  return length;
}

double ExtractTask::loss_terms(std::span<const std::int64_t> examples) const {
  std::size_t windows = 0;
  for (const std::int64_t i : examples) windows += train_windows(i).size();
  return static_cast<double>(windows);
}

LossPart ExtractTask::loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) {
  SpanTargets targets;
  std::vector<std::int64_t> lengths;  // of all windows
  SegmentsOptions names{.device = options_.device};
  for (const std::int64_t i : examples) {
    std::int64_t number = 0;
    for (const Window& window : train_windows(i)) {
      const TokenAnswer answer = find_answer(window, train_.examples[static_cast<std::size_t>(i)]);
      targets.starts.push_back(answer.start);
      targets.ends.push_back(answer.end);
      lengths.push_back(window.length());
      names.examples.push_back(window_sequence(window, first, number++).example);
    }
    ++first;
  }
  const auto compute =
      [&, begin = first - static_cast<std::int64_t>(examples.size())](std::span<const std::int64_t> some) {
        std::vector<TokenSequence> inputs;
        std::vector<std::int64_t> counts;
        std::int64_t example = begin;
        for (const std::int64_t i : some) {
          std::int64_t number = 0, rows = 0;
          for (const Window& window : train_windows(i)) {
            inputs.push_back(window_sequence(window, example, number++));
            rows += window.length();
          }
          counts.push_back(rows);
          ++example;
        }
        TrunkRows rows =
            model_.rows(pack_batch(inputs, model_.bert.config().max_position_embeddings, options_.device));
        rows.counts = std::move(counts);  // of each example in place of each window
        return rows;
      };
  const TrunkRows rows = cache_ ? cache_->rows(examples, compute) : compute(examples);
  for (const std::int64_t i : examples) cut_.erase(i);
  const Segments windows(lengths, names);
  const Tensor logits = model_.read(rows, windows);
  return {model_.head.loss(logits, targets, windows, normalizer), windows.total()};
}

Metrics ExtractTask::evaluate() {
  if (dev_.examples.empty()) return {};
  const ExtractModel* model = &model_;
  dev_answers_ = answer_questions({&model, 1}, tokenizer_, dev_.examples, options_, false, cache_.get());
  const std::vector<SquadItem> items = squad_items(dev_.examples, dev_answers_);
  if (file_.null_answers) file_.null_threshold = tune_threshold(items);
  std::vector<std::string> predicted, gold;
  for (const SquadItem& item : items) {
    const bool refused = file_.null_answers && item.no_answer > file_.null_threshold;
    predicted.push_back(refused ? "" : item.predicted.value_or(""));
    gold.push_back(item.gold.empty() ? "" : item.gold.front());
  }
  say_collapse(predicted, gold);
  if (!file_.null_answers) return score_answers(items, dev_.second_version, std::nullopt);
  return score_answers(items, dev_.second_version, file_.null_threshold);
}

std::vector<std::string> ExtractTask::metric_names() const {
  std::vector<std::string> names = {"exact_match", "f1"};
  if (!dev_.second_version && !file_.null_answers) return names;
  if (dev_.unanswered < dev_.examples.size()) names.insert(names.end(), {"HasAns_exact", "HasAns_f1"});
  if (dev_.unanswered > 0) names.insert(names.end(), {"NoAns_exact", "NoAns_f1"});
  if (file_.null_answers)
    names.insert(names.end(), {"best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh"});
  return names;
}

std::string ExtractTask::show(std::int64_t i) const {
  const QuestionExample& example = train_.examples.at(static_cast<std::size_t>(i));
  OrderedJson json = {{"where", example.where}, {"windows", OrderedJson::array()}};
  json["answer"] = example.answers.empty() ? "" : example.answers.front().text;
  for (const Window& window : train_windows(i)) {
    const TokenAnswer answer = find_answer(window, example);
    json["windows"].push_back({{"tokens", tokens_of(tokenizer_, {window.ids.begin(), window.ids.end()})},
                               {"start", answer.start},
                               {"end", answer.end}});
  }
  cut_.erase(i);
  return json_text(json);
}

void ExtractTask::describe(Report& report) const {
  report.data.push_back(summarize("train", train_));
  DataSummary& train = report.data.back();
  std::size_t windows = 0;
  for (std::int64_t i = 0; i < std::min<std::int64_t>(train_size(), 2000); ++i) {
    windows += train_windows(i).size();
    train.lengths.push_back(train_length(i));
  }
  const auto count = static_cast<double>(train.lengths.size());
  train.facts.emplace_back("windows per question",
                           fmt::format("{:.2f}", static_cast<double>(windows) / count));
  if (dev_.examples.empty()) return;
  report.data.push_back(summarize("dev", dev_));
  if (dev_answers_.empty()) return;
  const std::vector<SquadItem> items = squad_items(dev_.examples, dev_answers_);
  const SquadVersion version =
      dev_.second_version || file_.null_answers ? SquadVersion::v2 : SquadVersion::v1;
  if (file_.null_answers) report.sections.push_back(no_answer_section(items, file_.null_threshold));
  std::vector<AnswerRow> rows;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const QuestionExample& example = dev_.examples[i];
    const QuestionAnswer& answer = dev_answers_[i].answer;
    AnswerRow row{.question = example.question.empty() ? options_.windows.question : example.question,
                  .document = *example.document,
                  .gold = {},
                  .where = example.where};
    for (const AnswerSpan& gold : example.answers) row.gold.emplace_back(gold.start, gold.end);
    const bool refused = file_.null_answers && answer.null_lead() > file_.null_threshold;
    row.f1 = refused ? example.answers.empty() : score_item(items[i], version).f1;
    if (!refused) row.predicted = {answer.best.start, answer.best.end};
    for (const SpanCandidate& c : answer.candidates) {
      if (c.start == row.predicted.first && c.end == row.predicted.second) row.score = c.score;
    }
    rows.push_back(std::move(row));
  }
  report.sections.push_back(answers_section(std::move(rows)));
}

}  // namespace sesame
