#include "tasks/classify/classify_setup.h"

#include <algorithm>

#include "autograd/check.h"
#include "tasks/data/presets.h"

namespace sesame {
namespace {

void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

ReadOptions read_options(const RunOptions& options) {
  ReadOptions read;
  if (!options.preset.empty()) read = find_preset(options.preset).read;
  if (!options.columns.empty()) read.columns = parse_columns(options.columns, read.columns);
  if (!options.format.empty()) read.format = parse_format(options.format);
  if (options.labels != "auto") read.kind = parse_label_kind(options.labels);
  read.label_separator = options.label_separator;
  return read;
}

Problem problem_of(LabelKind kind) {
  if (kind == LabelKind::multi_label) return Problem::MultiLabel;
  return kind == LabelKind::number ? Problem::Regression : Problem::OneClass;
}

std::size_t texts_of(const Dataset& data) { return data.examples.at(0).texts.size(); }

// The preset's order; else that of the model's own configuration where it names the same labels (a model that
// was trained on them keeps its numbering); else sorted.
LabelMap choose_labels(const Dataset& train, const Preset* preset, const BertConfig& config) {
  if (train.kind == LabelKind::number) return {};
  if (preset != nullptr && !preset->labels.empty()) return LabelMap(preset->labels);
  const LabelMap found = LabelMap::of(train);
  const auto sorted = [](std::vector<std::string> names) {
    std::sort(names.begin(), names.end());
    return names;
  };
  if (sorted(config.labels) == sorted(found.names())) return LabelMap(config.labels);
  return found;
}

void set_labels(BertConfig& config, const ClassifyTaskFile& file) {
  config.labels = file.problem == Problem::Regression ? std::vector<std::string>{"LABEL_0"} : file.labels;
  config.problem_type = file.problem == Problem::OneClass     ? "single_label_classification"
                        : file.problem == Problem::MultiLabel ? "multi_label_classification"
                                                              : "regression";
  config.architectures = {file.pooling == Pooling::Cls && !file.mlp ? "BertForSequenceClassification"
                                                                    : "BertModel"};
}

ClassifyHeadOptions head_options(const BertConfig& config, const ClassifyTaskFile& file) {
  return {.problem = file.problem,
          .width = config.hidden_size,
          .outputs = file.outputs(),
          .pooling = file.pooling,
          .mlp = file.mlp,
          .dropout = config.classifier_dropout.value_or(config.hidden_dropout_prob)};
}

EncodeOptions encode_options(const ClassifyTaskFile& file, const BertConfig& config) {
  SESAME_CHECK(file.max_length >= static_cast<std::int64_t>(file.texts) + 2 &&
                   file.max_length <= config.max_position_embeddings,
               "--max-length", "{} is out of range: {} texts and a model of {} positions allow {} to {}",
               file.max_length, file.texts, config.max_position_embeddings, file.texts + 2,
               config.max_position_embeddings);
  return {.max_length = static_cast<std::size_t>(file.max_length), .plain_special = file.plain_special};
}

bool stores_pooler(const WeightFiles& weights) {
  return weights.contains("pooler.dense.weight") || weights.contains("bert.pooler.dense.weight");
}

void load_or_initialize(ClassifySetup& setup, const RunOptions& options,
                        const std::vector<std::string>& old_labels) {
  const std::uint64_t seed = options.trainer.seed;
  SESAME_CHECK(options.init == "pretrained" || options.init == "random", "--init",
               "unknown start '{}': expected pretrained or random", options.init);
  if (options.init == "random") {
    init_bert_model(*setup.model, setup.config, seed);
    say("random start: the weights of the model directory are not used");
    return;
  }
  std::vector<std::string> fresh = {"classifier", "head"};
  if (setup.model->bert.has_pooler()) fresh.push_back("bert.pooler");
  setup.report = load_weights(*setup.model, WeightFiles(options.model),
                              {.fresh = fresh, .ignore = {"classifier", "head"}, .verbose = options.verbose});
  std::vector<std::string>&fresh_names = setup.report.fresh, &loaded = setup.report.loaded;
  if (old_labels != setup.config.labels) {
    // A stored head that numbered other labels is of no use here.
    for (const NamedParameter& p : setup.model->parameters()) {
      const bool of_head = p.name.starts_with("classifier.") || p.name.starts_with("head.");
      if (of_head && std::erase(loaded, p.name) > 0) fresh_names.push_back(p.name);
    }
  }
  init_fresh(*setup.model, fresh_names, setup.config.initializer_range, seed);
  say(fmt::format("{}: {}", setup.report.source, setup.report.summary(options.verbose)));
}

}  // namespace

ClassifySetup set_up_classify(const RunOptions& options) {
  const Preset* preset = options.preset.empty() ? nullptr : &find_preset(options.preset);
  ReadOptions read = read_options(options);
  read.limit = static_cast<std::size_t>(options.limit);
  Dataset train = read_examples(options.train, read);
  Dataset dev;
  say(fmt::format("train: {}: {}", options.train, describe(train)));
  if (!options.dev.empty()) {
    read.limit = static_cast<std::size_t>(options.dev_limit);
    read.kind = train.kind;
    dev = read_examples(options.dev, read);
    say(fmt::format("dev: {}: {}", options.dev, describe(dev)));
    SESAME_CHECK(texts_of(dev) == texts_of(train), options.dev, "has {} texts per row, the training data {}",
                 texts_of(dev), texts_of(train));
  }

  BertConfig config = read_bert_config(options.model);
  const std::vector<std::string> old_labels = config.labels;
  const LabelMap labels = choose_labels(train, preset, config);
  SESAME_CHECK(options.head == "linear" || options.head == "mlp", "--head",
               "unknown classifier '{}': expected linear or mlp", options.head);
  ClassifyTaskFile file{.problem = problem_of(train.kind),
                        .labels = labels.names(),
                        .mlp = options.head == "mlp",
                        .pooling = parse_pooling(options.pool),
                        .max_length = options.max_length,
                        .plain_special = options.plain_special,
                        .preset = options.preset,
                        .columns = read.columns,
                        .label_separator = options.label_separator,
                        .texts = texts_of(train),
                        .metrics = preset != nullptr ? preset->metrics : std::vector<std::string>{}};
  if (options.dropout.has_value()) {
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = *options.dropout;
    config.classifier_dropout = options.dropout;
  }
  SESAME_CHECK(options.label_smoothing == 0 || file.problem == Problem::OneClass, "--label-smoothing",
               "is for one class out of several; this data has {}",
               file.problem == Problem::Regression ? "numbers" : "several labels");
  set_labels(config, file);

  ClassifySetup setup{.config = config,
                      .tokenizer = Tokenizer::load(options.model),
                      .file = file,
                      .model = nullptr,
                      .task = nullptr,
                      .report = {}};
  SESAME_CHECK(static_cast<std::int64_t>(setup.tokenizer.vocab_size()) <= config.vocab_size, options.model,
               "the vocabulary has {} tokens, the model's word embeddings {}", setup.tokenizer.vocab_size(),
               config.vocab_size);
  const bool with_pooler = file.pooling == Pooling::Cls ||
                           (options.init == "pretrained" && stores_pooler(WeightFiles(options.model)));
  setup.model = std::make_unique<ClassifyModel>(config, head_options(config, file), with_pooler);
  load_or_initialize(setup, options, old_labels);
  setup.model->to({options.dtype, options.device});
  const ClassifyTaskOptions task_options{.encode = encode_options(file, config),
                                         .label_smoothing = options.label_smoothing,
                                         .metrics = file.metrics,
                                         .device = options.device};
  setup.task = std::make_unique<ClassifyTask>(*setup.model, setup.tokenizer, std::move(train), std::move(dev),
                                              labels, task_options);
  return setup;
}

ReadOptions TrainedClassifier::read_options(bool need_label) const {
  ReadOptions read;
  if (!file.preset.empty()) read = find_preset(file.preset).read;
  read.columns = file.columns;
  read.label_separator = file.label_separator;
  read.text_count = file.texts;
  read.need_label = need_label;
  read.kind = file.problem == Problem::OneClass     ? LabelKind::one_class
              : file.problem == Problem::MultiLabel ? LabelKind::multi_label
                                                    : LabelKind::number;
  return read;
}

TrainedClassifier load_trained_classifier(const std::string& directory, Device device, bool verbose) {
  const ClassifyTaskFile file = ClassifyTaskFile::read(directory);
  const BertConfig config = read_bert_config(directory);
  TrainedClassifier trained{
      .tokenizer = Tokenizer::load(directory),
      .file = file,
      .labels = file.problem == Problem::Regression ? LabelMap() : LabelMap(file.labels),
      .model = nullptr,
      .options = {.encode = encode_options(file, config), .metrics = file.metrics, .device = device}};
  const WeightFiles weights(directory);
  trained.model = std::make_unique<ClassifyModel>(config, head_options(config, file), stores_pooler(weights));
  load_weights(*trained.model, weights, {.verbose = verbose});
  trained.model->to({DType::Float32, device});
  trained.model->eval();
  return trained;
}

}  // namespace sesame
