#include "tasks/generate/generate_setup.h"

#include <algorithm>

#include "autograd/check.h"
#include "models/generation/decoder_model.h"
#include "models/pretrained.h"
#include "models/tokenizer/wordpiece_trainer.h"
#include "tasks/generate/sequence_data.h"
#include "tasks/report/svg.h"
#include "tasks/train/tuning_setup.h"

namespace sesame {
namespace {

std::size_t texts_of(const Dataset& data) { return data.examples.at(0).texts.size(); }

Dataset read_part(const char* name, const std::string& path, const ReadOptions& read) {
  Dataset data = read_sequences(path, read);
  say(fmt::format("{}: {}: {}", name, path, describe(data)));
  return data;
}

GenerateTaskFile task_file(const RunOptions& options, const BertConfig& config) {
  GenerateTaskFile file{.generator = parse_generator(options.generator),
                        .features = parse_features(options.features, options.features_norm),
                        .own_vocabulary = options.target_vocab > 0,
                        .max_length = options.max_length,
                        .max_target_length = options.max_target_length,
                        .plain_special = options.plain_special};
  SESAME_CHECK(options.target_vocab >= 0, "--target-vocab", "must not be negative, got {}",
               options.target_vocab);
  if (file.generator == Generator::Self) {
    SESAME_CHECK(
        !file.own_vocabulary, "--target-vocab",
        "is of --generator decoder: --generator self writes the tokens of the model's own vocabulary");
    const std::int64_t needed = file.max_length + file.max_target_length;
    SESAME_CHECK(needed <= config.max_position_embeddings, "--max-target-length",
                 "source and target share the positions of --generator self: --max-length {} and "
                 "--max-target-length {} "
                 "make {}, the model has {}",
                 file.max_length, file.max_target_length, needed, config.max_position_embeddings);
  } else {
    SESAME_CHECK(options.decoder_layers >= 1, "--decoder-layers", "must be positive, got {}",
                 options.decoder_layers);
    file.decoder_layers = options.decoder_layers;
  }
  return file;
}

// The encoder's vocabulary, or one of the targets' own.
Tokenizer target_tokenizer(const RunOptions& options, const Tokenizer& source, const Dataset& train) {
  if (options.target_vocab == 0) return source;
  WordPieceTrainer trainer({.vocab_size = options.target_vocab});
  for (const Example& example : train.examples) {
    for (const std::string& target : example.labels) trainer.add(target);
  }
  Tokenizer tokenizer(trainer.train());
  say(fmt::format("vocabulary of the targets: {} tokens",
                  format_count(static_cast<std::int64_t>(tokenizer.vocab_size()))));
  return tokenizer;
}

Surface learn_surface(const Tokenizer& tokenizer, const Dataset& train) {
  std::vector<std::string> targets;
  std::vector<std::vector<std::string>> sources;
  for (const Example& example : train.examples) {
    targets.push_back(example.label);
    sources.push_back(example.texts);
  }
  return Surface::learn(tokenizer, targets, sources);
}

// What training does not see: tokens beyond the longest length, and characters that the vocabulary lacks.
void say_targets(const Writer& writer, const Dataset& train) {
  std::int64_t cut = 0, unknown = 0, tokens = 0;
  const std::int64_t longest = writer.file.max_target_length - 1;
  for (const Example& example : train.examples) {
    std::vector<std::int32_t> ids;
    writer.target.encode_ids(example.label, ids, true);
    cut += static_cast<std::int64_t>(ids.size()) > longest;
    unknown += std::count(ids.begin(), ids.end(), writer.target.unk_id());
    tokens += static_cast<std::int64_t>(ids.size());
  }
  std::string line = fmt::format("targets: {:.1f} tokens on average",
                                 static_cast<double>(tokens) / static_cast<double>(train.examples.size()));
  if (cut > 0)
    line += fmt::format(", {} cut after {} tokens (--max-target-length)", format_count(cut), longest);
  if (unknown > 0) line += fmt::format(", {} of all tokens are [UNK]", format_count(unknown));
  line += fmt::format("; learned for the text from tokens: {}; {:.1f} % of the targets come back exactly",
                      writer.surface.learned(), 100 * writer.surface.round_trip());
  say(line);
}

void start_weights(SequenceModel& model, const BertConfig& config, const RunOptions& options,
                   const GenerateTaskFile& file) {
  if (file.generator == Generator::Self) {
    load_start(model, config, options, {"cls", "head"}, true);
    return;
  }
  auto& decoder = dynamic_cast<DecoderModel&>(model);
  load_start(model, config, options, {"head"}, false);
  init_decoder(decoder, options.trainer.seed);
  if (options.init == "pretrained" && !file.own_vocabulary) {
    copy_encoder_embeddings(decoder);
    say("the decoder starts with the encoder's embeddings");
  }
}

}  // namespace

void generate_defaults(RunOptions& options) {
  if (options.max_length == 0) options.max_length = 128;
  if (options.max_target_length == 0) options.max_target_length = 128;
}

RunSetup set_up_generate(const RunOptions& options) {
  check(options.decoding);
  ReadOptions read;
  if (!options.columns.empty()) read.columns = parse_columns(options.columns);
  if (!options.format.empty()) read.format = parse_format(options.format);
  read.limit = static_cast<std::size_t>(options.limit);
  Dataset train = read_part("train", options.train, read), dev;
  if (!options.dev.empty()) {
    read.limit = static_cast<std::size_t>(options.dev_limit);
    dev = read_part("dev", options.dev, read);
    SESAME_CHECK(texts_of(dev) == texts_of(train), options.dev, "has {} texts per row, the training data {}",
                 texts_of(dev), texts_of(train));
  }

  BertConfig config = starting_config(options);
  GenerateTaskFile file = task_file(options, config);
  file.columns = read.columns;
  file.texts = texts_of(train);
  check_max_length(file.max_length, file.texts, config);
  config.labels.clear();
  config.problem_type.clear();
  const bool standard = file.generator == Generator::Self && file.features.kind == FeatureKind::Last;
  config.architectures = {standard ? "BertForMaskedLM" : "BertModel"};

  RunSetup setup{.config = config, .tokenizer = starting_tokenizer(options, config), .model = {}, .task = {}};
  const Tokenizer target = target_tokenizer(options, setup.tokenizer, train);
  std::unique_ptr<SequenceModel> model =
      make_sequence_model(std::make_shared<Bert>(config, starts_with_pooler(options)), file, target);
  const std::int64_t room = model->max_target(file.max_length) + 1;
  SESAME_CHECK(
      file.max_target_length >= 2 && file.max_target_length <= room, "--max-target-length",
      "{} is out of range: beside a source of up to {} tokens this model has room for 2 to {}, the end token "
      "included",
      file.max_target_length, file.max_length, room);
  Writer writer{.model = model.get(),
                .source = setup.tokenizer,
                .target = target,
                .surface = learn_surface(target, train),
                .file = file};
  say_targets(writer, train);
  start_weights(*model, config, options, file);
  set_up_tuning(*model, options);
  model->to({options.dtype, options.device});
  setup.task = std::make_unique<GenerateTask>(*model, std::move(writer), std::move(train), std::move(dev),
                                              GenerateTaskOptions{.label_smoothing = options.label_smoothing,
                                                                  .decoding = options.decoding,
                                                                  .cache_mb = options.cache_mb,
                                                                  .device = options.device});
  setup.model = std::move(model);
  return setup;
}

TrainedWriter load_trained_writer(TrainedFolders& folders, const std::string& directory) {
  const GenerateTaskFile file = GenerateTaskFile::read(directory);
  const TrainedFolder folder = folders.open(directory);
  const Tokenizer source = folder.tokenizer();
  const Tokenizer target = file.own_vocabulary ? Tokenizer::load(directory + "/target_tokenizer") : source;
  std::unique_ptr<SequenceModel> model = make_sequence_model(folder.trunk, file, target);
  folder.load(*model);
  Writer writer{.model = model.get(),
                .source = source,
                .target = target,
                .surface = Surface::load(target, directory + "/surface.json"),
                .file = file};
  return {std::move(model), std::move(writer)};
}

}  // namespace sesame
