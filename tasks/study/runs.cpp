#include "tasks/study/runs.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "autograd/check.h"
#include "autograd/random.h"
#include "models/safetensors/safetensors.h"
#include "tasks/logging/progress.h"
#include "tasks/tasks.h"

namespace sesame {
namespace {

namespace fs = std::filesystem;

// A folder that goes with the object.
struct WorkFolder {
  explicit WorkFolder(std::string folder) : path(std::move(folder)) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  std::string path;
};

std::string file_name(std::string key) {
  std::replace(key.begin(), key.end(), '/', '-');
  return key;
}

}  // namespace

std::string StudyRun::key() const { return fmt::format("{}/{}/{}", set.name, start, seed); }

std::string StudyRun::settings() const {
  const std::string all = fmt::format("{} {} {} {} {}", set.fingerprint, start, seed, order, steps);
  return fmt::format("{:016x}", hash_text(all));
}

RunSetup set_up(const StudyRun& run) {
  RunOptions options = run.set.run;
  options.init = run.start;
  options.trainer.seed = run.seed;
  return find_task(options.task).set_up(options);
}

std::int64_t planned_steps(const StudyOptions& options, const StudySet& set, std::int64_t tokens,
                           std::size_t runs) {
  if (options.steps > 0) return options.steps;
  const RunSetup setup = set_up({.set = set, .start = "random"});
  const Task& task = *setup.task;
  const std::int64_t size = task.train_size(), batch = set.run.trainer.batch_size;
  double sum = 0, sampled = 0;
  for (std::int64_t i = 0; i < size; i += std::max<std::int64_t>(1, size / 200), ++sampled) {
    sum += static_cast<double>(task.train_length(i));
  }
  const double share = static_cast<double>(tokens) / static_cast<double>(runs);
  const double per_update = static_cast<double>(batch) * sum / sampled;
  const std::int64_t most = options.epochs * ((size + batch - 1) / batch);
  return std::clamp<std::int64_t>(std::llround(share / per_update), 1, most);
}

TrainResult train_run(const StudyRun& run, const RunSetup& setup, const std::string& out,
                      const std::function<void(std::int64_t, double)>& after_update) {
  const WorkFolder work(out + "/work");
  TrainerOptions options = run.set.run.trainer;
  options.seed = run.order > 0 ? run.order : run.seed;
  options.steps = run.steps;
  options.eval_every = run.steps;
  options.out = work.path;
  options.after_update = after_update;
  return train(*setup.task, options);
}

Weights solution(const StudyRun& run, const RunSetup& setup, const std::string& out) {
  fs::create_directories(out + "/weights");
  const std::string order = run.order > 0 ? fmt::format("-{}", run.order) : "";
  const std::string path = fmt::format("{}/weights/{}{}.safetensors", out, file_name(run.key()), order);
  std::vector<NamedParameter> parameters = setup.model->parameters();
  if (fs::exists(path)) {
    const SafetensorsFile file(path);
    const auto found = file.metadata().find("settings");
    if (found != file.metadata().end() && found->second == run.settings()) {
      const NoGradGuard no_grad;
      for (NamedParameter& p : parameters) p.tensor.copy_(file.tensor(p.name));
      setup.model->eval();
      return copy_weights(*setup.model);
    }
  }
  train_run(run, setup, out);
  NamedTensors tensors;
  for (const NamedParameter& p : parameters) tensors.emplace_back(p.name, p.tensor.detach());
  save_safetensors(path, tensors, {{"format", "pt"}, {"settings", run.settings()}});
  return copy_weights(*setup.model);
}

void StudyProgress::begin(const std::string& part, bool done) {
  ++done_;
  if (done) return;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  std::string left;
  if (made_ > 0) {
    const double rest = seconds / static_cast<double>(made_) * static_cast<double>(parts_ - done_ + 1);
    left = fmt::format(" ({} left for all)", format_duration(rest));
  }
  ++made_;
  fmt::print(stderr, "{}: {} of {}: {}{}\n", name_, done_, parts_, part, left);
}

}  // namespace sesame
