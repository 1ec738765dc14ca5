#include "tasks/extract/extract_setup.h"

#include "autograd/check.h"
#include "tasks/data/presets.h"
#include "tasks/train/tuning_setup.h"

namespace sesame {
namespace {

QuestionReadOptions read_options(const RunOptions& options) {
  QuestionReadOptions read;
  if (!options.preset.empty()) read.columns = find_preset(options.preset).read.columns;
  if (!options.columns.empty()) read.columns = parse_columns(options.columns, read.columns);
  read.format = options.format;
  read.verbose = options.verbose;
  return read;
}

QuestionSet read_set(const char* name, const std::string& path, const QuestionReadOptions& options) {
  QuestionSet data = read_questions(path, options);
  say(fmt::format("{}: {}: {}", name, path, describe(data)));
  return data;
}

void check_options(const RunOptions& options, const BertConfig& config) {
  check_max_length(options.max_length, 2, config);
  SESAME_CHECK(options.stride > 0 && options.stride < options.max_length - 2, "--stride",
               "must be 1 to {} for windows of {} tokens, got {}", options.max_length - 3, options.max_length,
               options.stride);
  SESAME_CHECK(options.max_answer > 0, "--max-answer", "must be positive, got {}", options.max_answer);
  SESAME_CHECK(options.label_smoothing == 0, "--label-smoothing", "is for --task classify and generate");
}

}  // namespace

void extract_defaults(RunOptions& options) {
  if (options.max_length == 0) options.max_length = 384;
  if (options.stride == 0) options.stride = std::max<std::int64_t>(options.max_length / 3, 1);
}

RunSetup set_up_extract(const RunOptions& options) {
  QuestionReadOptions read = read_options(options);
  read.limit = static_cast<std::size_t>(options.limit);
  QuestionSet train = read_set("train", options.train, read), dev;
  if (!options.dev.empty()) {
    read.limit = static_cast<std::size_t>(options.dev_limit);
    read.text_count = train.texts;
    dev = read_set("dev", options.dev, read);
  }
  SESAME_CHECK(options.question.empty() || train.texts == 1, "--question",
               "is for documents alone; {} has questions", options.train);

  BertConfig config = starting_config(options);
  check_options(options, config);
  const ExtractTaskFile file{.mlp = wants_mlp(options),
                             .features = parse_features(options.features, options.features_norm),
                             .windows = {.max_length = options.max_length,
                                         .stride = options.stride,
                                         .plain_special = options.plain_special,
                                         .question = options.question},
                             .max_answer = options.max_answer,
                             .texts = train.texts,
                             .null_answers = train.unanswered > 0 || options.preset == "squad2",
                             .preset = options.preset,
                             .columns = read.columns};
  config.architectures = {file.standard() ? "BertForQuestionAnswering" : "BertModel"};
  config.labels = {"LABEL_0", "LABEL_1"};  // two outputs, in place of the labels of an earlier task
  config.problem_type.clear();

  RunSetup setup{.config = config, .tokenizer = starting_tokenizer(options, config), .model = {}, .task = {}};
  auto model = std::make_unique<ExtractModel>(config, file.mlp, file.features);
  load_start(*model, config, options, {"qa_outputs", "head"}, true);
  set_up_tuning(*model, options);
  model->to({options.dtype, options.device});
  setup.task = std::make_unique<ExtractTask>(*model, setup.tokenizer, std::move(train), std::move(dev), file,
                                             AnswerOptions::of(file, 4096, options.device), options.cache_mb);
  setup.model = std::move(model);
  return setup;
}

TrainedExtractor load_trained_extractor(TrainedFolders& folders, const std::string& directory) {
  const ExtractTaskFile file = ExtractTaskFile::read(directory);
  const TrainedFolder folder = folders.open(directory, false);
  check_max_length(file.windows.max_length, 2, folder.config);
  TrainedExtractor trained{.tokenizer = folder.tokenizer(),
                           .file = file,
                           .model = std::make_unique<ExtractModel>(folder.trunk, file.mlp, file.features)};
  folder.load(*trained.model);
  return trained;
}

}  // namespace sesame
