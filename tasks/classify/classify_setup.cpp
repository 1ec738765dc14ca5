#include "tasks/classify/classify_setup.h"

#include <algorithm>

#include "autograd/check.h"
#include "tasks/data/presets.h"
#include "tasks/train/tuning_setup.h"

namespace sesame {
namespace {

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
  const bool standard = file.pooling == Pooling::Cls && !file.mlp && file.features.kind == FeatureKind::Last;
  config.architectures = {standard ? "BertForSequenceClassification" : "BertModel"};
}

ClassifyHeadOptions head_options(const BertConfig& config, const ClassifyTaskFile& file) {
  return {.problem = file.problem,
          .width = config.hidden_size,
          .outputs = file.outputs(),
          .pooling = file.pooling,
          .mlp = file.mlp,
          .dropout = config.classifier_dropout.value_or(config.hidden_dropout_prob),
          .features = file.features,
          .layers = config.num_hidden_layers};
}

EncodeOptions encode_options(const ClassifyTaskFile& file, const BertConfig& config) {
  check_max_length(file.max_length, file.texts, config);
  return {.max_length = static_cast<std::size_t>(file.max_length), .plain_special = file.plain_special};
}

}  // namespace

void classify_defaults(RunOptions& options) {
  if (options.max_length == 0) options.max_length = 128;
}

RunSetup set_up_classify(const RunOptions& options) {
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

  BertConfig config = starting_config(options);
  const std::vector<std::string> old_labels = config.labels;
  const LabelMap labels = choose_labels(train, preset, config);
  const ClassifyTaskFile file{.problem = problem_of(train.kind),
                              .labels = labels.names(),
                              .mlp = wants_mlp(options),
                              .pooling = parse_pooling(options.pool),
                              .features = parse_features(options.features, options.features_norm),
                              .max_length = options.max_length,
                              .plain_special = options.plain_special,
                              .preset = options.preset,
                              .columns = read.columns,
                              .label_separator = options.label_separator,
                              .texts = texts_of(train),
                              .metrics = preset != nullptr ? preset->metrics : std::vector<std::string>{}};
  SESAME_CHECK(options.label_smoothing == 0 || file.problem == Problem::OneClass, "--label-smoothing",
               "is for one class out of several; this data has {}",
               file.problem == Problem::Regression ? "numbers" : "several labels");
  set_labels(config, file);
  const ClassifyTaskOptions task_options{.encode = encode_options(file, config),
                                         .label_smoothing = options.label_smoothing,
                                         .metrics = file.metrics,
                                         .cache_mb = options.cache_mb,
                                         .device = options.device};

  RunSetup setup{.config = config, .tokenizer = starting_tokenizer(options, config), .model = {}, .task = {}};
  const bool wants_pooler = ClassifyHead(head_options(config, file)).needs_pooler();
  auto model = std::make_unique<ClassifyModel>(config, head_options(config, file),
                                               wants_pooler || starts_with_pooler(options));
  // A stored head that numbered other labels is of no use here.
  load_start(*model, config, options, {"classifier", "head"}, old_labels == config.labels, wants_pooler);
  set_up_tuning(*model, options);
  model->to({options.dtype, options.device});
  setup.task = std::make_unique<ClassifyTask>(*model, setup.tokenizer, std::move(train), std::move(dev), file,
                                              task_options);
  setup.model = std::move(model);
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

TrainedClassifier load_trained_classifier(TrainedFolders& folders, const std::string& directory) {
  const ClassifyTaskFile file = ClassifyTaskFile::read(directory);
  const TrainedFolder folder = folders.open(directory);
  TrainedClassifier trained{
      .tokenizer = folder.tokenizer(),
      .file = file,
      .labels = file.problem == Problem::Regression ? LabelMap() : LabelMap(file.labels),
      .model = std::make_unique<ClassifyModel>(folder.trunk, head_options(folder.config, file)),
      .options = {.encode = encode_options(file, folder.config),
                  .metrics = file.metrics,
                  .device = folders.device()}};
  folder.load(*trained.model);
  return trained;
}

}  // namespace sesame
