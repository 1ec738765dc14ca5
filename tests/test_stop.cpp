// Runs that are stopped by a signal and go on: the same bits as undisturbed ones, in all tasks.
#include <csignal>

#include "tests/tune_runs.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

// Everything that a finished run leaves of what it learned.
std::string learned(const std::string& out) {
  std::string bytes;
  for (const char* name : {"model.safetensors", "adapter.safetensors", "model_head.safetensors",
                           "layer_norms.safetensors", "metrics.jsonl"}) {
    if (fs::exists(out + "/" + name)) bytes += name + read_file(out + "/" + name);
  }
  return bytes;
}

}  // namespace

TEST_CASE("stopped by a signal, a run leaves a checkpoint and goes on to the same bits, in all tasks") {
  const Folder folder;
  for (const std::string task : {"classify", "tag", "extract", "generate"}) {
    for (const std::string tune : {"full", "adapter", "lora"}) {
      CAPTURE(task);
      CAPTURE(tune);
      const auto options = [&](const std::string& out) {
        RunOptions o = folder.options(task, task + "-" + tune + out);
        o.tune = tune;
        o.adapter_size = 4;
        o.lora_rank = 2;
        o.trainer.epochs = 4;
        return o;
      };
      const RunOptions whole = options("-whole");
      fine_tune(whole);
      RunOptions parts = options("-parts");
      parts.trainer.after_update = [](std::int64_t step, double) {
        if (step == 3) std::raise(SIGTERM);
      };
      const std::string error = error_of([&] { fine_tune(parts); });
      CHECK_MESSAGE(contains(error, "stopped by SIGTERM after update 3 of"), error);
      CHECK_MESSAGE(contains(error, "--resume"), error);
      CHECK(fs::exists(parts.trainer.out + "/checkpoints/step-00000003/state.json"));
      CHECK(!fs::exists(parts.trainer.out + "/task.json"));
      parts.trainer.after_update = {};
      parts.trainer.resume = true;
      fine_tune(parts);
      CHECK(learned(parts.trainer.out) == learned(whole.trainer.out));
    }
  }
}

TEST_CASE("signals have their own meaning again behind a run, and ignored ones stay ignored") {
  const Folder folder;
  const auto old_int = std::signal(SIGINT, SIG_IGN), old_term = std::signal(SIGTERM, SIG_DFL);
  RunOptions o = folder.options("classify", "ignored");
  o.trainer.after_update = [](std::int64_t, double) { std::raise(SIGINT); };
  CHECK(error_of([&] { fine_tune(o); }).empty());
  CHECK((std::signal(SIGINT, SIG_DFL) == SIG_IGN));
  CHECK((std::signal(SIGTERM, SIG_DFL) == SIG_DFL));
  std::signal(SIGINT, old_int);
  std::signal(SIGTERM, old_term);
}
