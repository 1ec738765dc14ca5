#include "tasks/generate/generate_predictor.h"

#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/generate/sequence_data.h"
#include "tasks/generate/text_scores.h"

namespace sesame {
namespace {

void check_equal_vocabularies(const Tokenizer& a, const Tokenizer& b, const std::string& where) {
  SESAME_CHECK(a.vocab_size() == b.vocab_size(), "--model",
               "{}: target vocabularies of {} and {} tokens cannot form an ensemble", where, a.vocab_size(),
               b.vocab_size());
  for (std::size_t i = 0; i < a.vocab_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    SESAME_CHECK(a.token(id) == b.token(id), "--model",
                 "{}: the target vocabularies differ (token {} is '{}' and '{}') and cannot form an ensemble",
                 where, i, a.token(id), b.token(id));
  }
}

class GeneratePredictor : public Predictor {
 public:
  explicit GeneratePredictor(const UseOptions& options) : options_(options) {
    SESAME_CHECK(!options.logits, "--logits", "is for classes: this model writes texts");
    SESAME_CHECK(options.preset.empty(), "--preset", "{} is no set of texts to write", options.preset);
    if (options.n_best > 0) options_.decoding.n_best = options.n_best;
    check(options_.decoding);
    TrainedFolders folders(options);
    for (const std::string& directory : options.models) {
      models_.push_back(load_trained_writer(folders, directory));
      const Writer &first = models_.front().writer, &own = models_.back().writer;
      const std::string both = fmt::format("'{}' and '{}'", options.models.front(), directory);
      check_equal_vocabularies(first.target, own.target, both);
      SESAME_CHECK(first.file.texts == own.file.texts, "--model", "{} read {} and {} texts", both,
                   first.file.texts, own.file.texts);
    }
    for (const TrainedWriter& model : models_) writers_.push_back(&model.writer);
  }

  void predict(const std::string& input, const LineSink& sink) override {
    ExampleReader reader(input, read_options(false));
    std::int64_t given = 0;
    for_each_chunk<Example>(
        input, [&](Example& example) { return reader.next(example); },
        [&](const std::vector<Example>& chunk) {
          give_lines(write(chunk, given), sink);
          given += static_cast<std::int64_t>(chunk.size());
        });
    say_dropped(reader.dropped());
  }

  Metrics evaluate(const std::string& path) override {
    const Dataset data = read_sequences(path, read_options(true));
    fmt::print(stderr, "{}: {}\n", path, describe(data));
    std::vector<std::string> texts;
    for (const std::vector<WrittenText>& outputs : write(data.examples, 0))
      texts.push_back(outputs.front().text);
    Metrics metrics = score_texts(data, texts);
    if (writers_.size() == 1) metrics.set("loss", token_loss(*writers_.front(), data));
    return metrics;
  }

 private:
  std::vector<std::vector<WrittenText>> write(const std::vector<Example>& examples,
                                              std::int64_t first) const {
    return write_texts(writers_, examples, options_.decoding, options_.batch_tokens, first);
  }

  // As the run read its data.
  ReadOptions read_options(bool need_target) const {
    const GenerateTaskFile& file = writers_.front()->file;
    ReadOptions read;
    read.columns = options_.columns.empty() ? file.columns : parse_columns(options_.columns, file.columns);
    if (!options_.format.empty()) read.format = parse_format(options_.format);
    read.kind = LabelKind::text;
    read.need_label = need_target;
    read.text_count = file.texts;
    read.limit = static_cast<std::size_t>(options_.limit);
    return read;
  }

  void give_lines(const std::vector<std::vector<WrittenText>>& written, const LineSink& sink) const {
    for (const std::vector<WrittenText>& outputs : written) {
      OrderedJson line = {{"text", outputs.front().text}, {"score", outputs.front().score}};
      if (options_.n_best > 0) {
        line["n_best"] = OrderedJson::array();
        for (const WrittenText& one : outputs)
          line["n_best"].push_back({{"text", one.text}, {"score", one.score}});
      }
      sink(json_text(line));
    }
  }

  UseOptions options_;
  std::vector<TrainedWriter> models_;
  std::vector<const Writer*> writers_;
};

}  // namespace

std::unique_ptr<Predictor> load_generate(const UseOptions& options) {
  return std::make_unique<GeneratePredictor>(options);
}

Metrics score_generate(const ScoreOptions& options) {
  SESAME_CHECK(options.preset.empty(), "--preset", "{} is no set of texts to write", options.preset);
  ReadOptions read;
  if (!options.columns.empty()) read.columns = parse_columns(options.columns);
  if (!options.format.empty()) read.format = parse_format(options.format);
  read.limit = static_cast<std::size_t>(options.limit);
  const Dataset data = read_sequences(options.data, read);
  fmt::print(stderr, "{}: {}\n", options.data, describe(data));
  const std::vector<std::string> texts = read_predicted_texts(options.predictions);
  SESAME_CHECK(texts.size() == data.examples.size(), options.predictions,
               "has {} predictions, {} has {} examples", texts.size(), data.path, data.examples.size());
  return score_texts(data, texts);
}

}  // namespace sesame
