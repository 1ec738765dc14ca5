// Scores of anyone's tags.
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/data/presets.h"
#include "tasks/data/source.h"
#include "tasks/tag/tag_predictor.h"

namespace sesame {
namespace {

// Whether a file of predictions holds JSON lines (else columns).
bool holds_objects(const std::string& path) {
  LineReader reader(path);
  std::string line;
  while (reader.next(line)) {
    const std::size_t first = line.find_first_not_of(" \t");
    if (first != std::string::npos) return line[first] == '{' && line.find('"') != std::string::npos;
  }
  fail(path, "holds no predictions");
}

WordData read_objects(const std::string& path) {
  WordData data;
  data.path = path;
  LineReader reader(path);
  for (std::string line; reader.next(line);) {
    const Json json = json_or_discarded<Json>(line);
    SESAME_CHECK(json.is_object() && json.contains("tags") && json["tags"].is_array(), reader.where(),
                 "expected an object with a list of \"tags\", as predict writes it, found {}",
                 line.substr(0, 80));
    WordSentence sentence;
    sentence.line = reader.line();
    for (const char* key : {"tags", "tokens"}) {
      if (!json.contains(key)) continue;
      for (const Json& item : json[key]) {
        SESAME_CHECK(item.is_string(), reader.where(), "\"{}\" holds {}, strings are wanted", key,
                     json_text(item));
        (key[1] == 'a' ? sentence.tags : sentence.words).push_back(item.get<std::string>());
      }
    }
    data.sentences.push_back(std::move(sentence));
  }
  return data;
}

WordData read_column(const std::string& path, const std::string& label) {
  WordReadOptions read;
  read.format = WordFormat::conll;
  read.columns.label = label;
  return read_words(path, read);
}

void check_in_step(const WordData& data, const WordData& predictions) {
  SESAME_CHECK(predictions.sentences.size() == data.sentences.size(), predictions.path,
               "tags of {} sentences, {} has {}", predictions.sentences.size(), data.path,
               data.sentences.size());
  for (std::size_t i = 0; i < data.sentences.size(); ++i) {
    const WordSentence &given = predictions.sentences[i], &wanted = data.sentences[i];
    SESAME_CHECK(given.tags.size() == wanted.words.size(), predictions.where(given, 0),
                 "{} tags for the {} words of {}", given.tags.size(), wanted.words.size(),
                 data.where(wanted, 0));
    for (std::size_t w = 0; w < wanted.words.size() && w < given.words.size(); ++w) {
      SESAME_CHECK(given.words[w] == wanted.words[w], predictions.where(given, w),
                   "the word is \"{}\", but \"{}\" at {}", given.words[w], wanted.words[w],
                   data.where(wanted, w));
    }
  }
}

}  // namespace

Metrics score_tag(const ScoreOptions& options) {
  const bool objects = holds_objects(options.predictions);
  SESAME_CHECK(!options.data.empty() || !objects, "--data", "names no file with the gold tags");
  WordData predictions = objects ? read_objects(options.predictions) : read_column(options.predictions, "-1");
  WordData data;
  if (options.data.empty()) {
    data = read_column(options.predictions, "-2");
  } else {
    WordReadOptions read;
    if (!options.preset.empty()) {
      read.columns = find_preset(options.preset).read.columns;
      read.otherwise = parse_word_format(find_preset(options.preset).format);
    }
    if (!options.columns.empty()) read.columns = parse_columns(options.columns, read.columns);
    read.format = parse_word_format(options.format);
    read.limit = static_cast<std::size_t>(options.limit);
    data = read_words(options.data, read);
  }
  say(fmt::format("{}: {}", data.path, describe(data)));
  if (options.limit > 0 && predictions.sentences.size() > data.sentences.size()) {
    predictions.sentences.resize(data.sentences.size());
  }
  check_in_step(data, predictions);
  return tag_metrics(data.tags(), predictions.tags(), recognise_scheme(data.tags()) != Scheme::None);
}

}  // namespace sesame
