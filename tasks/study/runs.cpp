#include "tasks/study/runs.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#ifdef __GLIBC__  // known from the headers above
#include <malloc.h>
#endif

#include "autograd/allocator.h"
#include "autograd/check.h"
#include "autograd/random.h"
#include "models/io/atomic_file.h"
#include "models/safetensors/safetensors.h"
#include "tasks/logging/progress.h"
#include "tasks/tasks.h"
#include "tasks/train/tuning_setup.h"

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

// What of set.run tells one mode from another; part of the settings of runs that name their mode.
std::string tuning_text(const StudyRun& run) {
  const RunOptions& o = run.set.run;
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {}", o.tune, o.adapter_kind, o.adapter_size,
                     o.adapter_place, o.adapter_layers, o.adapter_norms, o.lora_rank, o.unfreeze_top,
                     o.features, o.features_norm, o.pool, o.limit, o.trainer.lr * run.mix_lr);
}

std::string file_name(std::string key) {
  std::replace(key.begin(), key.end(), '/', '-');
  return key;
}

}  // namespace

std::string StudyRun::key() const {
  return fmt::format("{}/{}/{}", set.name, mode.empty() ? start : mode, seed);
}

std::string StudyRun::settings() const {
  std::string all = fmt::format("{} {} {} {} {}", set.fingerprint, start, seed, order, steps);
  if (!mode.empty()) all += " " + tuning_text(*this);
  return fmt::format("{:016x}", hash_text(all));
}

RunOptions run_options(const StudyRun& run) {
  RunOptions options = run.set.run;
  options.init = run.start;
  options.trainer.seed = run.seed;
  options.trainer.steps = options.trainer.eval_every = run.steps;
  return options;
}

RunSetup set_up(const StudyRun& run) {
  release_cached_memory();  // of the run before
  return find_task(run.set.run.task).set_up(run_options(run));
}

StudyBudget budget_of(const StudyOptions& options, const StudyBudget& usual) {
  return {.tokens = options.tokens > 0 ? options.tokens : usual.tokens,
          .seeds = options.seeds > 0 ? options.seeds : usual.seeds};
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
  TrainerOptions options = tuned_trainer(run_options(run), *setup.model);
  if (run.order > 0) options.seed = run.order;
  options.out = work.path;
  options.after_update = after_update;
  if (run.mix_lr != 1) {
    options.lr_factor = [factor = run.mix_lr](const std::string& name) {
      return name.ends_with("features.weights") ? factor : 1;
    };
  }
  return train(*setup.task, options);
}

std::int64_t stored_bytes(const StudyRun& run, RunSetup& setup, const std::string& out) {
  const WorkFolder work(out + "/work");
  write_file_atomic(work.path + "/task.json", write_tuned_model(work.path, run_options(run), setup));
  std::int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(work.path)) {
    if (entry.is_regular_file()) bytes += static_cast<std::int64_t>(entry.file_size());
  }
  return bytes;
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

MemoryPeak::MemoryPeak() {
  release_cached_memory();  // blocks of earlier runs would count as this one's
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  std::ofstream clear("/proc/self/clear_refs");  // "5" sets the peak back to what is resident now
  clear << "5";
  clear.flush();
  known_ = clear.good();
}

std::int64_t MemoryPeak::bytes() const {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (known_ && std::getline(status, line)) {
    long long kilobytes = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %lld", &kilobytes) == 1) return kilobytes * 1024;
  }
  return 0;
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
