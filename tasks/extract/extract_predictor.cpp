#include "tasks/extract/extract_predictor.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/data/presets.h"

namespace sesame {
namespace {

// The same texts must give the same windows: the vocabulary, its use and the sizes are compared.
void check_alike(const TrainedExtractor& a, const TrainedExtractor& b, const std::string& first,
                 const std::string& second) {
  const WindowOptions &x = a.file.windows, &y = b.file.windows;
  const std::string probe = "The Élan of 1,234 don'ts \xE4\xBD\xA0\xE5\xA5\xBD [SEP] unbelievably";
  bool alike = x.max_length == y.max_length && x.stride == y.stride && x.question == y.question &&
               x.plain_special == y.plain_special && a.file.texts == b.file.texts &&
               a.file.null_answers == b.file.null_answers &&
               a.tokenizer.vocab_size() == b.tokenizer.vocab_size() &&
               a.tokenizer.encode(probe).ids == b.tokenizer.encode(probe).ids;
  for (std::size_t id = 0; alike && id < a.tokenizer.vocab_size(); ++id) {
    alike =
        a.tokenizer.token(static_cast<std::int32_t>(id)) == b.tokenizer.token(static_cast<std::int32_t>(id));
  }
  SESAME_CHECK(alike, "--model",
               "'{}' and '{}' read texts differently and cannot form an ensemble: vocabulary, --max-length, "
               "--stride, --question and whether questions may lack an answer must agree",
               first, second);
}

void put_span(OrderedJson& json, const QuestionExample& example, const SpanCandidate& span) {
  json["answer"] = span.start < 0 ? "" : cut_text(*example.document, span.start, span.end);
  json["start"] = span.start;
  json["end"] = span.end;
  json["score"] = span.score;
}

}  // namespace

ExtractPredictor::ExtractPredictor(const UseOptions& options) : options_(options) {
  TrainedFolders folders(options);
  for (const std::string& directory : options.models) {
    models_.push_back(load_trained_extractor(folders, directory));
    check_alike(first(), models_.back(), options.models.front(), directory);
    null_threshold_ += models_.back().file.null_threshold / static_cast<double>(options.models.size());
  }
  answer_options_ = AnswerOptions::of(first().file, options.batch_tokens, options.device);
}

QuestionReadOptions ExtractPredictor::read_options(bool need_answers) const {
  QuestionReadOptions read{.columns = first().file.columns,
                           .format = options_.format,
                           .need_answers = need_answers,
                           .text_count = first().file.texts,
                           .limit = static_cast<std::size_t>(options_.limit),
                           .verbose = options_.verbose};
  if (!options_.preset.empty()) read.columns = find_preset(options_.preset).read.columns;
  if (!options_.columns.empty()) read.columns = parse_columns(options_.columns, read.columns);
  return read;
}

std::vector<Answered> ExtractPredictor::answers(std::span<const QuestionExample> examples,
                                                bool keep_logits) const {
  std::vector<const ExtractModel*> models;
  for (const TrainedExtractor& trained : models_) models.push_back(trained.model.get());
  return answer_questions(models, first().tokenizer, examples, answer_options_, keep_logits);
}

void ExtractPredictor::give_lines(const std::vector<QuestionExample>& examples, const LineSink& sink) const {
  const std::vector<Answered> given = answers(examples, options_.logits);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const QuestionAnswer& answer = given[i].answer;
    SpanCandidate chosen = answer.best;
    if (first().file.null_answers && answer.null_lead() > null_threshold_) {
      chosen = SpanCandidate{};
      for (const SpanCandidate& c : answer.candidates) {
        if (c.start < 0) chosen = c;
      }
    }
    OrderedJson line;
    if (!examples[i].id.empty()) line["id"] = examples[i].id;
    put_span(line, examples[i], chosen);
    if (first().file.null_answers) line["no_answer"] = answer.null_lead();
    if (options_.n_best > 0) line["n_best"] = OrderedJson::array();
    for (std::size_t k = 0; k < answer.candidates.size() && static_cast<std::int64_t>(k) < options_.n_best;
         ++k) {
      put_span(line["n_best"].emplace_back(OrderedJson::object()), examples[i], answer.candidates[k]);
    }
    if (options_.logits) {
      line["logits"] = {{"start", OrderedJson::array()}, {"end", OrderedJson::array()}};
      for (const SpanLogits& window : given[i].logits) {
        line["logits"]["start"].push_back(window.start);
        line["logits"]["end"].push_back(window.end);
      }
    }
    sink(json_text(line));
  }
}

void ExtractPredictor::predict(const std::string& input, const LineSink& sink) {
  QuestionReader reader(input, read_options(false));
  for_each_chunk<QuestionExample>(
      input, [&](QuestionExample& example) { return reader.next(example); },
      [&](const std::vector<QuestionExample>& chunk) { give_lines(chunk, sink); });
  say_dropped(reader.source().dropped());
}

Metrics ExtractPredictor::evaluate(const std::string& path) {
  const QuestionSet data = read_questions(path, read_options(true));
  say(fmt::format("{}: {}", path, describe(data)));
  const std::vector<SquadItem> items = squad_items(data.examples, answers(data.examples, false));
  return score_answers(items, data.second_version,
                       first().file.null_answers ? std::optional(null_threshold_) : std::nullopt);
}

std::unique_ptr<Predictor> load_extract(const UseOptions& options) {
  return std::make_unique<ExtractPredictor>(options);
}

}  // namespace sesame
