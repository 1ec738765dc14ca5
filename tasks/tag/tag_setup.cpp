#include "tasks/tag/tag_setup.h"

#include <algorithm>
#include <set>

#include "autograd/check.h"
#include "tasks/data/presets.h"
#include "tasks/train/tuning_setup.h"

namespace sesame {
namespace {

WordReadOptions read_options(const RunOptions& options, const Preset* preset) {
  WordReadOptions read;
  if (preset != nullptr) {
    read.columns = preset->read.columns;
    read.otherwise = parse_word_format(preset->format);
  }
  if (!options.columns.empty()) read.columns = parse_columns(options.columns, read.columns);
  read.format = parse_word_format(options.format);
  return read;
}

std::size_t contexts_of(const WordData& data) { return data.sentences.at(0).contexts.size(); }

// The preset's order; else that of the model's own configuration where it names the same tags (a model that
// was trained on them keeps its numbering); else sorted.
std::vector<std::string> choose_labels(const WordData& train, const Preset* preset,
                                       const std::vector<std::string>& old) {
  if (preset != nullptr && !preset->labels.empty()) return preset->labels;
  std::set<std::string> found;
  for (const WordSentence& s : train.sentences) found.insert(s.tags.begin(), s.tags.end());
  SESAME_CHECK(found.size() >= 2, train.path, "{} different tag{}, at least 2 wanted", found.size(),
               found.size() == 1 ? fmt::format(" (\"{}\")", *found.begin()) : "s");
  if (std::set<std::string>(old.begin(), old.end()) == found && old.size() == found.size()) return old;
  return {found.begin(), found.end()};
}

void check_options(const RunOptions& options, const TagTaskFile& file, const BertConfig& config) {
  check_max_length(file.max_length, file.contexts + 1, config);
  check_stride(file.input_options(), file.contexts);
  SESAME_CHECK(file.decode != Decode::Legal || file.entities(), "--decode",
               "legal needs tags of a scheme (BIO, IOB1, BIOES, BILOU); those of {} follow none",
               options.train);
  SESAME_CHECK(file.decode != Decode::Crf || options.label_smoothing == 0, "--label-smoothing",
               "has no meaning for --decode crf, which scores whole sequences");
}

}  // namespace

void tag_defaults(RunOptions& options) {
  if (options.max_length == 0) options.max_length = 128;
  // Short windows (--max-length 16) keep a quarter of themselves.
  if (options.stride == 0) options.stride = std::min<std::int64_t>(32, options.max_length / 4);
}

RunSetup set_up_tag(const RunOptions& options) {
  const Preset* preset = options.preset.empty() ? nullptr : &find_preset(options.preset);
  WordReadOptions read = read_options(options, preset);
  BertConfig config = starting_config(options);
  const std::vector<std::string> old_labels = config.labels;
  WordData train = read_words(options.train, read), dev;
  // Tags and scheme are those of the whole file: rare tags need not be among the first sentences.
  const Scheme scheme = recognise_scheme(train.tags());
  config.labels = choose_labels(train, preset, old_labels);
  if (options.limit > 0) {
    read.limit = static_cast<std::size_t>(options.limit);
    train = read_words(options.train, read);
  }
  say(fmt::format("train: {}: {}, {} tags, scheme: {}", options.train, describe(train), config.labels.size(),
                  scheme_name(scheme)));
  TagTaskFile file{.labels = config.labels,
                   .mlp = wants_mlp(options),
                   .features = parse_features(options.features, options.features_norm),
                   .decode = parse_decode(options.decode, "--decode"),
                   .scheme = scheme,
                   .max_length = options.max_length,
                   .stride = options.stride,
                   .plain_special = options.plain_special,
                   .preset = options.preset,
                   .data_format = word_format_of(options.train, read),
                   .columns = read.columns,
                   .contexts = contexts_of(train),
                   .metrics = preset != nullptr ? preset->metrics : std::vector<std::string>{}};
  check_options(options, file, config);
  if (!options.dev.empty()) {
    read.fixed_contexts = true;
    read.context_count = file.contexts;
    read.limit = static_cast<std::size_t>(options.dev_limit);
    dev = read_words(options.dev, read);
    say(fmt::format("dev: {}: {}", options.dev, describe(dev)));
  }
  config.problem_type = "";
  config.architectures = {file.standard() ? "BertForTokenClassification" : "BertModel"};

  RunSetup setup{.config = config, .tokenizer = starting_tokenizer(options, config), .model = {}, .task = {}};
  auto model = std::make_unique<TagModel>(config, file.head_options(config));
  load_start(*model, config, options, {"classifier", "head"}, old_labels == config.labels);
  set_up_tuning(*model, options);
  model->to({options.dtype, options.device});
  setup.task = std::make_unique<TagTask>(*model, setup.tokenizer, std::move(train), std::move(dev), file,
                                         TagTaskOptions{.label_smoothing = options.label_smoothing,
                                                        .cache_mb = options.cache_mb,
                                                        .device = options.device});
  setup.model = std::move(model);
  return setup;
}

TrainedTagger load_trained_tagger(TrainedFolders& folders, const std::string& directory) {
  const TagTaskFile file = TagTaskFile::read(directory);
  const TrainedFolder folder = folders.open(directory, false);
  check_max_length(file.max_length, file.contexts + 1, folder.config);
  check_stride(file.input_options(), file.contexts);
  TrainedTagger trained{.tokenizer = folder.tokenizer(),
                        .file = file,
                        .model = std::make_unique<TagModel>(folder.trunk, file.head_options(folder.config))};
  folder.load(*trained.model);
  return trained;
}

}  // namespace sesame
