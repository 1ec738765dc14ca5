// Groups of layers set back to their pretrained values after fine-tuning, and what that costs.
#include "tasks/study/rollback.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/study/runs.h"
#include "tasks/study/store.h"

namespace sesame {
namespace {

// N of "bert.encoder.layer.N.", -1 for what is no layer.
std::int64_t layer_of(const std::string& name) {
  constexpr std::string_view prefix = "bert.encoder.layer.";
  return name.starts_with(prefix) ? std::stoll(name.substr(prefix.size())) : -1;
}

// How far the group has moved from where it began, as a share of its length there.
double moved(const std::vector<std::size_t>& members, const Weights& start, const Weights& now) {
  Weights a, b;
  for (const std::size_t i : members) a.push_back(start[i]), b.push_back(now[i]);
  return norm(difference(b, a)) / std::max(norm(a), 1e-30);
}

OrderedJson measure_rollback(const StudyOptions& options, const StudyRun& run) {
  const RunSetup setup = set_up(run);
  Task& task = *setup.task;
  const Weights start = copy_weights(*setup.model);
  const TrainResult result = train_run(run, setup, options.out);
  const Weights tuned = copy_weights(*setup.model);
  const std::string metric = task.main_metric();
  const double score = result.dev.at(metric);
  OrderedJson groups = OrderedJson::array();
  for (const LayerGroup& group : layer_groups(*setup.model)) {
    set_back(*setup.model, group.members, start);
    groups.push_back({{"name", group.name},
                      {"score", task.evaluate().at(metric)},
                      {"moved", moved(group.members, start, tuned)}});
    set_back(*setup.model, group.members, tuned);
  }
  return {{"set", run.set.name}, {"seed", run.seed}, {"steps", run.steps},
          {"metric", metric},    {"score", score},   {"dev_examples", task.dev_size()},
          {"groups", groups}};
}

}  // namespace

std::vector<LayerGroup> layer_groups(const Module& model) {
  const std::vector<NamedParameter> parameters = model.parameters();
  std::int64_t layers = 0;
  for (const NamedParameter& p : parameters) layers = std::max(layers, layer_of(p.name) + 1);
  const std::int64_t parts = std::min<std::int64_t>(3, layers);
  std::vector<LayerGroup> groups = {{"embeddings", {}}};
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t first = (part * layers + parts - 1) / parts;
    const std::int64_t last = ((part + 1) * layers + parts - 1) / parts - 1;
    groups.push_back({first == last ? fmt::format("layer {}", first + 1)
                                    : fmt::format("layers {} to {}", first + 1, last + 1),
                      {}});
  }
  LayerGroup pooler{"pooler", {}}, trunk{"the whole trunk", {}};
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i].name;
    if (!name.starts_with("bert.")) continue;
    trunk.members.push_back(i);
    if (name.starts_with("bert.embeddings.")) groups[0].members.push_back(i);
    if (name.starts_with("bert.pooler.")) pooler.members.push_back(i);
    const std::int64_t layer = layer_of(name);
    if (layer >= 0) groups[static_cast<std::size_t>(1 + layer * parts / layers)].members.push_back(i);
  }
  if (!pooler.members.empty()) groups.push_back(pooler);
  groups.push_back(trunk);
  return groups;
}

void set_back(Module& model, const std::vector<std::size_t>& members, const Weights& weights) {
  const NoGradGuard no_grad;
  std::vector<NamedParameter> parameters = model.parameters();
  for (const std::size_t i : members) parameters.at(i).tensor.copy_(weights.at(i));
}

void study_rollback(const StudyOptions& options) {
  const std::vector<StudySet> sets = study_sets(options, "rollback", kDevExamples);
  const auto [tokens, seeds] = budget_of(options, {.tokens = 300'000, .seeds = 3});
  const std::size_t runs = sets.size() * static_cast<std::size_t>(seeds);
  ResultFile results(options.out, "rollback");
  StudyProgress progress("rollback", runs);
  for (const StudySet& set : sets) {
    StudyRun run{.set = set,
                 .steps = planned_steps(options, set, tokens, runs)};
    for (run.seed = 1; run.seed <= static_cast<std::uint64_t>(seeds); ++run.seed) {
      const bool done = results.has(run.key(), run.settings());
      progress.begin(fmt::format("{}, seed {}, {} updates", set.name, run.seed, run.steps), done);
      if (!done) results.put(run.key(), run.settings(), measure_rollback(options, run));
    }
  }
}

}  // namespace sesame
