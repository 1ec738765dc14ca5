#include "tasks/train/tuning_setup.h"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/adapters/base_hash.h"
#include "models/adapters/hub.h"
#include "models/io/strict_json.h"

namespace sesame {
namespace {

void check_options(const RunOptions& o, TuneMode mode) {
  const bool adapter = mode == TuneMode::Adapter;
  SESAME_CHECK(!adapter || o.unfreeze_top == 0, "--unfreeze-top",
               "does not go with --tune adapter, which stores nothing of the model itself");
  SESAME_CHECK(!adapter || o.init == "pretrained", "--init",
               "{} does not go with --tune adapter, which stores nothing of the model itself", o.init);
  SESAME_CHECK(o.adapter_size > 0, "--adapter-size", "must be positive, got {}", o.adapter_size);
  SESAME_CHECK(o.adapter_norms == "on" || o.adapter_norms == "off", "--adapter-norms",
               "must be on or off, got '{}'", o.adapter_norms);
  SESAME_CHECK(o.lora_rank > 0, "--lora-rank", "must be positive, got {}", o.lora_rank);
  SESAME_CHECK(std::isfinite(o.lora_alpha.value_or(1)) && o.lora_alpha.value_or(1) > 0, "--lora-alpha",
               "must be positive, got {}", o.lora_alpha.value_or(1));
  SESAME_CHECK(!o.unfreeze_gradually || (mode == TuneMode::Full && o.unfreeze_top == 0),
               "--unfreeze-gradually", "is for --tune full, where it ends; and not with --unfreeze-top");
  SESAME_CHECK(o.layer_decay > 0 && o.layer_decay <= 1, "--layer-decay",
               "must be above 0 and at most 1, got {}", o.layer_decay);
  SESAME_CHECK(o.cache_mb >= 0, "--cache-mb", "must not be negative, got {}", o.cache_mb);
}

// --adapter-kind, --adapter-size, and where --adapter-place and --adapter-layers want it.
AdapterConfig adapter_config(const RunOptions& o, std::int64_t layers) {
  AdapterConfig config = AdapterConfig::of_kind(o.adapter_kind, o.adapter_size);
  const bool attention = o.adapter_place == "attention", feed_forward = o.adapter_place == "feed-forward";
  SESAME_CHECK(attention || feed_forward || o.adapter_place == "both", "--adapter-place",
               "must be both, attention or feed-forward, got '{}'", o.adapter_place);
  SESAME_CHECK(o.adapter_place == "both" || o.adapter_kind == "houlsby", "--adapter-place",
               "is for --adapter-kind houlsby: {} has one place only", o.adapter_kind);
  config.after_attention = config.after_attention && !feed_forward;
  config.after_feed_forward = config.after_feed_forward && !attention;
  if (o.adapter_layers.empty()) return config;
  std::int64_t first = 0, last = 0;
  const char *begin = o.adapter_layers.data(), *end = begin + o.adapter_layers.size();
  const auto [dash, bad] = std::from_chars(begin, end, first);
  const auto [stop, wrong] = std::from_chars(dash == end ? end : dash + 1, end, last);
  SESAME_CHECK(bad == std::errc() && wrong == std::errc() && *dash == '-' && stop == end && first >= 1 &&
                   first <= last && last <= layers,
               "--adapter-layers", "must be FIRST-LAST within 1-{}, got '{}'", layers, o.adapter_layers);
  for (std::int64_t layer = 1; layer <= layers; ++layer) {
    if (layer < first || layer > last) config.leave_out.push_back(layer - 1);
  }
  return config;
}

// The prefixes of what the base lacks: a pooler that was drawn afresh.
bool has_fresh_pooler(const TrunkModel& model, const RunOptions& options) {
  return model.bert.has_pooler() && !starts_with_pooler(options);
}

void write_adapter(const std::string& out, const RunOptions& options, const RunSetup& setup,
                   OrderedJson& task) {
  const TrunkModel& model = *setup.model;
  const bool fresh_pooler = has_fresh_pooler(model, options);
  AdapterFolder folder =
      collect_adapter(model, model.bert, model.adapter,
                      fresh_pooler ? std::vector<std::string>{"bert.pooler."} : std::vector<std::string>{});
  folder.model_name = options.model;
  folder.model_class = setup.config.architectures.at(0);
  folder.labels = setup.config.labels;
  write_adapter_folder(out, folder);
  task["base"] = {{"directory", std::filesystem::absolute(options.model).lexically_normal().string()},
                  {"hash", base_hash(model.bert, fresh_pooler ? std::vector<std::string>{"pooler."}
                                                              : std::vector<std::string>{})}};
  say(fmt::format("'{}' holds the adapter and the head; its base stays in '{}'", out, options.model));
}

}  // namespace

void set_up_tuning(TrunkModel& model, const RunOptions& options) {
  const TuneMode mode = parse_tune(options.tune);
  check_options(options, mode);
  TuneOptions tune{
      .mode = mode, .unfreeze_top = options.unfreeze_top, .adapter_norms = options.adapter_norms == "on"};
  if (mode == TuneMode::Adapter) {
    tune.adapter = model.adapter = options.task.empty() ? "adapter" : options.task;
    add_adapter(model.bert, adapter_config(options, trunk_layers(model)), model.adapter,
                {.norms = tune.adapter_norms, .seed = options.trainer.seed});
    set_active_adapter(model.bert, model.adapter);
  }
  if (mode == TuneMode::Lora) {
    const auto rank = static_cast<double>(options.lora_rank);
    add_lora(model.bert, {.rank = options.lora_rank, .alpha = options.lora_alpha.value_or(rank)},
             options.trainer.seed);
  }
  const TuneCounts counts = set_tuning(model, tune);
  model.frozen = trunk_is_frozen(model);
  say(fmt::format("{}{}", counts.text(),
                  model.frozen ? "; the frozen trunk runs in evaluation mode, without dropout" : ""));
}

TrainerOptions tuned_trainer(const RunOptions& options, const Module& model) {
  TrainerOptions trainer = options.trainer;
  const std::int64_t layers = trunk_layers(model);
  if (options.layer_decay != 1) {
    trainer.lr_factor = [layers, decay = options.layer_decay](const std::string& name) {
      return layer_decay_factor(name, layers, decay);
    };
  }
  if (options.unfreeze_gradually) {
    trainer.begin_epoch = [layers](std::int64_t epoch, std::int64_t epochs,
                                   const std::vector<NamedParameter>& trained) {
      unfreeze_groups(trained, unfrozen_groups(epoch, epochs, layers), layers);
    };
  }
  return trainer;
}

std::string write_tuned_model(const std::string& out, const RunOptions& options, RunSetup& setup) {
  auto task = json_or_discarded<OrderedJson>(setup.task->task_json());
  task["tune"] = options.tune;
  if (!setup.model->adapter.empty()) {
    write_adapter(out, options, setup, task);
  } else {
    if (merge_lora(setup.model->bert)) {
      say("the low-rank updates are added to the weights: the folder holds an ordinary model");
    }
    setup.tokenizer.save(out);
    save_pretrained(out, *setup.model, setup.config, setup.config.architectures.at(0));
  }
  setup.task->write_files(out);
  return json_text(task, 2) + "\n";
}

}  // namespace sesame
