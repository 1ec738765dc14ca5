#include "tasks/train/setup.h"

#include "autograd/check.h"
#include "tasks/metrics/collapse.h"

namespace sesame {
namespace {

bool starts_with_any(const std::string& name, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    if (name.starts_with(part + ".")) return true;
  }
  return false;
}

}  // namespace

void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

void say_collapse(const std::vector<std::string>& predicted, const std::vector<std::string>& gold) {
  const std::string text = collapse_text(predicted, gold);
  if (!text.empty()) say("dev: " + text);
}

BertConfig starting_config(const RunOptions& options) {
  BertConfig config = read_bert_config(options.model);
  if (options.dropout.has_value()) {
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = *options.dropout;
    config.classifier_dropout = options.dropout;
  }
  return config;
}

Tokenizer starting_tokenizer(const RunOptions& options, const BertConfig& config) {
  Tokenizer tokenizer = Tokenizer::load(options.model);
  SESAME_CHECK(static_cast<std::int64_t>(tokenizer.vocab_size()) <= config.vocab_size, options.model,
               "the vocabulary has {} tokens, the model's word embeddings {}", tokenizer.vocab_size(),
               config.vocab_size);
  return tokenizer;
}

bool starts_with_pooler(const RunOptions& options) {
  return options.init == "pretrained" && stores_pooler(WeightFiles(options.model));
}

bool wants_mlp(const RunOptions& options) {
  SESAME_CHECK(options.head == "linear" || options.head == "mlp", "--head",
               "unknown classifier '{}': expected linear or mlp", options.head);
  return options.head == "mlp";
}

void load_start(Module& model, const BertConfig& config, const RunOptions& options,
                const std::vector<std::string>& head, bool keep_head, bool may_lack_pooler) {
  SESAME_CHECK(options.init == "pretrained" || options.init == "random", "--init",
               "unknown start '{}': expected pretrained or random", options.init);
  if (options.init == "random") {
    init_bert_model(model, config, options.trainer.seed);
    say("random start: the weights of the model directory are not used");
    return;
  }
  LoadOptions load{.fresh = head, .ignore = head_prefixes(), .verbose = options.verbose};
  if (may_lack_pooler) load.fresh.push_back("bert.pooler");
  bool has_pooler = false;
  for (const NamedParameter& p : model.parameters()) has_pooler |= p.name.starts_with("bert.pooler.");
  if (!has_pooler) load.ignore.insert(load.ignore.end(), {"pooler", "bert.pooler"});
  LoadReport report = load_weights(model, WeightFiles(options.model), load);
  if (!keep_head) {
    for (const NamedParameter& p : model.parameters()) {
      if (starts_with_any(p.name, head) && std::erase(report.loaded, p.name) > 0) {
        report.fresh.push_back(p.name);
      }
    }
  }
  init_fresh(model, report.fresh, config.initializer_range, options.trainer.seed);
  say(fmt::format("{}: {}", report.source, report.summary(options.verbose)));
}

void check_max_length(std::int64_t max_length, std::size_t texts, const BertConfig& config) {
  const auto least = static_cast<std::int64_t>(texts) + 2;
  SESAME_CHECK(max_length >= least && max_length <= config.max_position_embeddings, "--max-length",
               "{} is out of range: {} texts and a model of {} positions allow {} to {}", max_length, texts,
               config.max_position_embeddings, least, config.max_position_embeddings);
}

}  // namespace sesame
