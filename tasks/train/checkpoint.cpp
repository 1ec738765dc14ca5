#include "tasks/train/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/atomic_file.h"
#include "models/io/strict_json.h"
#include "models/safetensors/safetensors.h"

namespace sesame {
namespace {

namespace fs = std::filesystem;

// Not its parents: where the folder of the run has disappeared, it is not made anew without what else was in
// it.
void make_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directory(folder, error);
  SESAME_CHECK(!error, folder, "cannot be made: {}; has the folder of the run been moved or removed?",
               error.message());
}

std::string step_name(std::int64_t step) { return fmt::format("step-{:08}", step); }

// JSON has no NaN and no infinity: they are kept by name.
Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

double read_number(const Json& json) {
  if (json == "nan") return std::nan("");
  if (json == "inf" || json == "-inf") return json == "inf" ? HUGE_VAL : -HUGE_VAL;
  return json.get<double>();
}

Json to_json(const TrainState& s) {
  return {{"step", s.step},
          {"examples", s.examples},
          {"tokens", s.tokens},
          {"train_seconds", s.train_seconds},
          {"last_loss", number(s.last_loss)},
          {"best_score", number(s.best_score)},
          {"best_step", s.best_step},
          {"evaluations_without_gain", s.evaluations_without_gain},
          {"skipped_steps", s.skipped_steps},
          {"finished", s.finished},
          {"fingerprint", s.fingerprint}};
}

TrainState read_state(const Json& json, const std::string& path) {
  TrainState s;
  for (const char* key :
       {"step", "examples", "tokens", "best_step", "evaluations_without_gain", "skipped_steps"}) {
    const bool count = !json.is_object() || !json.contains(key) || json[key].is_number_integer();
    SESAME_CHECK(count, path, "\"{}\" is {}: expected a whole number", key, json_text(json[key]));
  }
  try {
    s.step = json.at("step");
    s.examples = json.at("examples");
    s.tokens = json.at("tokens");
    s.train_seconds = json.at("train_seconds");
    s.last_loss = read_number(json.at("last_loss"));
    s.best_score = read_number(json.at("best_score"));
    s.best_step = json.at("best_step");
    s.evaluations_without_gain = json.at("evaluations_without_gain");
    s.skipped_steps = json.at("skipped_steps");
    s.finished = json.at("finished");
    s.fingerprint = json.at("fingerprint");
  } catch (const Json::exception& error) {
    fail(path, "not a state of this program: {}", error.what());
  }
  return s;
}

NamedTensors as_tensors(const std::vector<NamedParameter>& parameters) {
  NamedTensors tensors;
  for (const NamedParameter& p : parameters) tensors.emplace_back(p.name, p.tensor.detach().to(Device{}));
  return tensors;
}

void load_weights(const std::string& path, const std::vector<NamedParameter>& parameters) {
  NoGradGuard no_grad;
  const SafetensorsFile file(path);
  for (NamedParameter p : parameters) {
    SESAME_CHECK(file.contains(p.name), path, "the checkpoint lacks '{}': it belongs to another model",
                 p.name);
    const Tensor saved = file.tensor(p.name);
    SESAME_CHECK(saved.shape() == p.tensor.shape(), path, "'{}' is {} in the checkpoint, {} in the model",
                 p.name, saved.shape(), p.tensor.shape());
    p.tensor.copy_(saved.to(p.tensor.dtype()));
  }
}

// How the examples of an update are cut into parts. update_size() is the number of its examples; with
// --batch-tokens, which makes parts of its own, that of its parts.
constexpr std::string_view kCuts[] = {"batch-size", "accumulate", "ranks"};

std::int64_t update_size(const Json& options) {
  const std::int64_t parts =
      options.value("accumulate", std::int64_t{1}) * options.value("ranks", std::int64_t{1});
  return options.value("batch-tokens", std::int64_t{0}) > 0
             ? parts
             : parts * options.value("batch-size", std::int64_t{1});
}

}  // namespace

std::string state_text(const TrainState& state) { return json_text(to_json(state), 2) + "\n"; }

TrainState state_of_text(const std::string& text, const std::string& where) {
  return read_state(json_or_discarded<Json>(text), where);
}

std::string changed_options(const std::string& before, const std::string& now) {
  const Json a = json_or_discarded<Json>(before), b = json_or_discarded<Json>(now);
  if (!a.is_object() || !b.is_object()) return before == now ? "" : "they cannot be compared";
  const bool same_updates = update_size(a) == update_size(b);
  std::string text;
  for (const auto& [key, value] : b.items()) {
    if (a.contains(key) && a[key] == value) continue;
    if (same_updates && std::find(std::begin(kCuts), std::end(kCuts), key) != std::end(kCuts)) continue;
    text += fmt::format("{}--{} was {}, is {}", text.empty() ? "" : ", ", key,
                        a.contains(key) ? json_text(a[key]) : "not given", json_text(value));
  }
  return text;
}

Checkpoints::Checkpoints(const std::string& out, std::int64_t keep)
    : folder_(out + "/checkpoints"), keep_(keep) {
  SESAME_CHECK(keep >= 1, "checkpoint", "--keep must be at least 1, got {}", keep);
}

std::vector<std::int64_t> Checkpoints::steps() const {
  std::vector<std::int64_t> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder_, none)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("step-") || name.find_first_not_of("0123456789", 5) != std::string::npos) continue;
    if (name.size() > 5 && name.size() < 20) found.push_back(std::stoll(name.substr(5)));
  }
  std::sort(found.begin(), found.end());
  return found;
}

void Checkpoints::save_step(const TrainState& state, const std::vector<NamedParameter>& parameters,
                            const Optimizer& optimizer) {
  make_folder(folder_);
  AtomicDir target(folder_ + "/" + step_name(state.step));
  save_safetensors(target.folder() + "/model.safetensors", as_tensors(parameters));
  save_safetensors(target.folder() + "/optimizer.safetensors", as_tensors(optimizer.state()));
  write_file_atomic(target.folder() + "/state.json", state_text(state));
  target.commit();
  const std::vector<std::int64_t> all = steps();
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep_) < all.size(); ++i) {
    remove_directory(folder_ + "/" + step_name(all[i]));
  }
}

void Checkpoints::save_best(const TrainState& state, const std::vector<NamedParameter>& parameters) {
  make_folder(folder_);
  AtomicDir target(folder_ + "/best");
  save_safetensors(target.folder() + "/model.safetensors", as_tensors(parameters));
  write_file_atomic(target.folder() + "/state.json", state_text(state));
  target.commit();
}

std::optional<TrainState> Checkpoints::newest() const {
  const std::vector<std::int64_t> all = steps();
  if (all.empty()) return std::nullopt;
  const std::string path = folder_ + "/" + step_name(all.back()) + "/state.json";
  return read_state(read_json_file(path), path);
}

TrainState Checkpoints::load_newest(const std::vector<NamedParameter>& parameters,
                                    Optimizer& optimizer) const {
  const TrainState state = newest().value();
  const std::string from = folder_ + "/" + step_name(state.step);
  load_weights(from + "/model.safetensors", parameters);
  const SafetensorsFile file(from + "/optimizer.safetensors");
  std::vector<NamedParameter> saved;
  for (const SafetensorsEntry& entry : file.entries()) saved.push_back({entry.name, file.tensor(entry.name)});
  optimizer.load_state(saved, state.step - state.skipped_steps);
  return state;
}

void Checkpoints::drop_weights(bool best_too) const {
  for (const std::int64_t step : steps()) {
    fs::remove(folder_ + "/" + step_name(step) + "/model.safetensors");
    fs::remove(folder_ + "/" + step_name(step) + "/optimizer.safetensors");
  }
  if (best_too) fs::remove(folder_ + "/best/model.safetensors");
}

bool Checkpoints::has_best() const { return fs::exists(folder_ + "/best/state.json"); }

void Checkpoints::load_best(const std::vector<NamedParameter>& parameters) const {
  load_weights(folder_ + "/best/model.safetensors", parameters);
}

}  // namespace sesame
