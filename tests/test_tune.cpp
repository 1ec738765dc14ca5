// --tune and --features through whole runs on the tiny BERT of tests/golden.
#include <stdexcept>

#include "tests/tune_runs.h"

using namespace sesame;
using namespace sesame::testing;

TEST_CASE("every mode trains, says what it trains, and predicts from its folder, in all tasks") {
  const Folder folder;
  for (const std::string task : {"classify", "tag", "extract", "generate"}) {
    std::int64_t full = 0, frozen = 0;
    for (const std::string tune : {"full", "frozen", "adapter", "lora", "bitfit"}) {
      CAPTURE(task);
      CAPTURE(tune);
      RunOptions o = folder.options(task, task + "-" + tune);
      o.tune = tune;
      o.adapter_size = 4;
      o.lora_rank = 2;
      const Json result = Json::parse(fine_tune(o));
      const std::int64_t trained = result["trainable_parameters"];
      if (tune == "full") full = trained;
      if (tune == "frozen") frozen = trained;
      CHECK(trained <= full);
      if (tune != "full" && tune != "frozen") CHECK(trained > frozen);
      CHECK(std::isfinite(result["final_loss"].get<double>()));
      CHECK(fs::exists(o.trainer.out + "/model.safetensors") == (tune != "adapter"));
      CHECK(fs::exists(o.trainer.out + "/adapter.safetensors") == (tune == "adapter"));
      // Of an adapter the weights of checkpoints stay only where the folder does not hold them.
      const std::string best = o.trainer.out + "/checkpoints/best/model.safetensors";
      CHECK(fs::exists(best) == (tune != "adapter" || result["best_step"] != result["steps"]));
      if (fs::exists(best)) {
        CHECK(SafetensorsFile(best).contains("bert.embeddings.word_embeddings.weight") == (tune == "full"));
      }
      const std::string last =
          fmt::format("{}/checkpoints/step-{:08}", o.trainer.out, result["steps"].get<int>());
      CHECK(fs::exists(last + "/state.json"));
      CHECK(fs::exists(last + "/model.safetensors") == (tune != "adapter"));
      CHECK(fs::exists(last + "/optimizer.safetensors") == (tune != "adapter"));
      CHECK(!predictions({o.trainer.out}, o.train).empty());
    }
  }
}

TEST_CASE("a stopped run goes on to the same weights in every mode, gradual unfreezing included") {
  const Folder folder;
  for (const std::string how : {"frozen", "adapter", "lora", "bitfit", "gradually"}) {
    CAPTURE(how);
    const auto options = [&](const std::string& out) {
      RunOptions o = folder.options("classify", out);
      o.tune = how == "gradually" ? "full" : how;
      o.unfreeze_gradually = how == "gradually";
      o.layer_decay = how == "gradually" ? 0.8 : 1;
      o.adapter_size = 4;
      o.trainer.epochs = 4;
      return o;
    };
    const RunOptions whole = options(how + "-whole");
    fine_tune(whole);
    RunOptions parts = options(how + "-parts");
    parts.trainer.after_update = [](std::int64_t step, double) {
      if (step == 20) throw std::runtime_error("stopped");
    };
    CHECK_THROWS(fine_tune(parts));
    parts.trainer.after_update = {};
    parts.trainer.resume = true;
    fine_tune(parts);
    CHECK(largest_difference(predictions({whole.trainer.out}, whole.train),
                             predictions({parts.trainer.out}, whole.train)) < 1e-6);
  }
}

TEST_CASE("features of every task are stored and read again") {
  const Folder folder;
  for (const std::string task : {"classify", "tag", "extract", "generate"}) {
    CAPTURE(task);
    RunOptions o = folder.options(task, task);
    o.features = "mix";
    o.features_norm = true;
    const Json result = Json::parse(fine_tune(o));
    CHECK(result["layer_weights"].size() == 3);
    CHECK(Json::parse(read_file(o.trainer.out + "/task.json"))["features"] == "mix");
    CHECK(contains(read_file(o.trainer.out + "/report.html"), "Learned layer weights"));
    UseOptions use;
    use.models = {o.trainer.out};
    const Metrics again = find_task(task).load(use)->evaluate(o.dev);
    for (const auto& [name, value] : result["dev"].items()) {
      CAPTURE(name);
      if (value.is_number() && again.has(name))
        CHECK(again.at(name) == doctest::Approx(value.get<double>()).epsilon(1e-4));
    }
  }
}

TEST_CASE("options that do not go together are refused") {
  const Folder folder;
  const auto refused = [&](const auto& change) {
    RunOptions o = folder.options("classify", "refused");
    change(o);
    return error_of([&] { fine_tune(o); });
  };
  CHECK(contains(refused([](RunOptions& o) { o.tune = "half"; }), "full, frozen, adapter"));
  CHECK(contains(refused([](RunOptions& o) { o.tune = "adapter", o.init = "random"; }), "--init"));
  CHECK(contains(refused([](RunOptions& o) { o.tune = "adapter", o.unfreeze_top = 1; }), "--unfreeze-top"));
  CHECK(contains(refused([](RunOptions& o) { o.tune = "frozen", o.unfreeze_gradually = true; }),
                 "--unfreeze-gradually"));
  CHECK(contains(refused([](RunOptions& o) { o.unfreeze_top = 9; }), "9 layers"));
  CHECK(contains(refused([](RunOptions& o) { o.features = "concat:9"; }), "concat:9"));
  CHECK(contains(refused([](RunOptions& o) { o.layer_decay = 0; }), "--layer-decay"));
}
