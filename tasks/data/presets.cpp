#include "tasks/data/presets.h"

#include <utility>

#include "autograd/check.h"

namespace sesame {

namespace {

Preset make(const std::string& name, std::vector<std::string> texts, const std::string& label,
            std::vector<std::string> labels, std::vector<std::string> metrics) {
  Preset preset;
  preset.name = name;
  preset.read.columns = {std::move(texts), label};
  preset.read.kind = labels.empty() ? LabelKind::number : LabelKind::one_class;
  preset.labels = std::move(labels);
  preset.metrics = std::move(metrics);
  return preset;
}

Preset other(const std::string& name, const std::string& task, const std::string& format,
             std::vector<std::string> metrics) {
  Preset preset;
  preset.name = name;
  preset.task = task;
  preset.format = format;
  preset.metrics = std::move(metrics);
  return preset;
}

// GLUE's file has no header; its test set has one ("index sentence").
Preset cola() {
  Preset preset = make("cola", {"sentence"}, "label", {"0", "1"}, {"mcc", "accuracy"});
  preset.read.headerless = {"source", "label", "mark", "sentence"};
  return preset;
}

// The original sts-train.tsv has no header and sometimes names its sources in further columns; GLUE's form
// has a header with the same names.
Preset stsb() {
  Preset preset = make("stsb", {"sentence1", "sentence2"}, "score", {}, {"pearson", "spearman", "mse"});
  preset.read.headerless = {"genre", "file", "year", "id", "score", "sentence1", "sentence2"};
  preset.read.ragged = Ragged::allow_extra;
  return preset;
}

// Some questions of the published file hold newlines, which break their rows apart.
Preset qqp() {
  Preset preset = make("qqp", {"question1", "question2"}, "is_duplicate", {"0", "1"}, {"accuracy", "f1"});
  preset.read.ragged = Ragged::drop;
  return preset;
}

// The published .jsonl and .txt (a table), and GLUE's .tsv. "-": the annotators did not agree.
Preset nli(const std::string& name) {
  Preset preset = make(name, {"sentence1", "sentence2"}, "gold_label",
                       {"entailment", "neutral", "contradiction"}, {"accuracy"});
  preset.read.drop_labels = {{"-", "no gold label"}};
  preset.read.txt_is_tsv = true;
  preset.read.ragged = Ragged::allow_short;
  return preset;
}

// The published folders aclImdb/{train,test}/{neg,pos}/*.txt, or one CSV with review and sentiment.
Preset imdb() {
  Preset preset = make("imdb", {"review"}, "sentiment", {"neg", "pos"}, {"accuracy"});
  preset.read.folders = true;
  preset.read.label_aliases = {{"negative", "neg"}, {"positive", "pos"}};
  return preset;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = {
      make("sst2", {"sentence"}, "label", {"0", "1"}, {"accuracy"}),
      cola(),
      make("mrpc", {"#1 String", "#2 String"}, "Quality", {"0", "1"}, {"accuracy", "f1"}),
      stsb(),
      qqp(),
      nli("mnli"),
      make("qnli", {"question", "sentence"}, "label", {"entailment", "not_entailment"}, {"accuracy"}),
      make("rte", {"sentence1", "sentence2"}, "label", {"entailment", "not_entailment"}, {"accuracy"}),
      make("wnli", {"sentence1", "sentence2"}, "label", {"0", "1"}, {"accuracy"}),
      nli("snli"),
      imdb(),
      other("conll2003", "tag", "conll", {"entity_f1", "word_accuracy"}),
      other("wnut17", "tag", "conll", {"entity_f1", "word_accuracy"}),
      other("ud-upos", "tag", "conllu", {"word_accuracy"}),
      other("squad", "extract", "squad", {"f1", "exact_match"}),
      other("squad2", "extract", "squad", {"f1", "exact_match"}),
  };
  return all;
}

const Preset& find_preset(const std::string& name) {
  std::string known;
  for (const Preset& preset : presets()) {
    if (preset.name == name) return preset;
    known += (known.empty() ? "" : ", ") + preset.name;
  }
  fail("--preset", "unknown preset \"{}\"; known: {}", name, known);
}

}  // namespace sesame
