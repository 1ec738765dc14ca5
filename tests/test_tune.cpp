// --tune, --features and adapter folders through whole runs on the tiny BERT of tests/golden.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "autograd/ops/pointwise.h"
#include "tasks/classify/classify_predictor.h"
#include "tasks/tag/tag_predictor.h"
#include "tasks/tasks.h"
#include "tasks/train/feature_cache.h"
#include "tasks/train/run.h"
#include "temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using sesame::testing::read_file;
using sesame::testing::TemporaryFolder;
using Json = nlohmann::json;

namespace {

namespace fs = std::filesystem;
const std::string kModel = std::string(SESAME_SOURCE_DIR) + "/tests/golden/tiny_bert";

struct Folder : TemporaryFolder {
  Folder() {
    std::string rows = "text\tlabel\n";
    for (int i = 0; i < 6; ++i) {
      rows += "the good\tyes\nnot a\tno\nis good b\tyes\nnot the b is\tno\na b\tyes\nis not\tno\n";
    }
    write("train.tsv", rows);
    write("tag.conll", "the\tD\ngood\tA\n\nis\tV\nnot\tN\ngood\tA\n\na\tD\nb\tA\n");
    write("extract.jsonl", R"({"question": "is", "context": "the good b", "answer": "good"})"
                           "\n"
                           R"({"question": "not", "context": "a b is", "answer": "b"})"
                           "\n");
    write("generate.tsv", "text\ttarget\nthe good\ta b\nis not\tgood the\nb\tthe\n");
  }
  RunOptions options(const std::string& task, const std::string& out) const {
    RunOptions o;
    o.task = task;
    o.train = path(task == "classify"  ? "train.tsv"
                   : task == "tag"     ? "tag.conll"
                   : task == "extract" ? "extract.jsonl"
                                       : "generate.tsv");
    o.dev = o.train;
    o.model = kModel;
    o.max_length = 16;
    if (task == "generate") o.max_target_length = 8;
    o.trainer.out = path(out);
    o.batch_size = 4;
    o.trainer.epochs = 2;
    o.trainer.lr = 1e-3;
    return o;
  }
};

std::vector<Json> predictions(const std::vector<std::string>& models, const std::string& input,
                              const std::string& base = "") {
  UseOptions use;
  use.models = models;
  use.base = base;
  const std::string task = trained_task(models.front());
  use.logits = task == "classify" || task == "tag" || task == "extract";
  std::vector<Json> lines;
  find_task(task).load(use)->predict(input,
                                     [&](const std::string& line) { lines.push_back(Json::parse(line)); });
  return lines;
}

double largest_difference(const std::vector<Json>& a, const std::vector<Json>& b) {
  double largest = 0;
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a[i]["logits"].size(); ++j) {
      largest =
          std::max(largest, std::abs(a[i]["logits"][j].get<double>() - b[i]["logits"][j].get<double>()));
    }
  }
  return largest;
}

}  // namespace

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
      const SafetensorsFile best(o.trainer.out + "/checkpoints/best/model.safetensors");
      CHECK(best.contains("bert.embeddings.word_embeddings.weight") == (tune == "full"));
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

TEST_CASE("a stored adapter stands on its base wherever that lies, and on no other") {
  const Folder folder;
  fs::copy(kModel, folder.path("base"));
  RunOptions o = folder.options("classify", "adapter");
  o.model = folder.path("base");
  o.tune = "adapter";
  o.adapter_size = 4;
  const Json result = Json::parse(fine_tune(o));
  const auto before = predictions({o.trainer.out}, o.train);
  UseOptions use;
  use.models = {o.trainer.out};
  CHECK(load_classify(use)->evaluate(o.train).at("accuracy") == result["dev"]["accuracy"].get<double>());

  fs::rename(folder.path("base"), folder.path("moved"));
  CHECK(contains(error_of([&] { predictions({o.trainer.out}, o.train); }), "--base"));
  CHECK(largest_difference(before, predictions({o.trainer.out}, o.train, folder.path("moved"))) == 0);

  RunOptions other = folder.options("classify", "other");
  fine_tune(other);
  const std::string refused = error_of([&] { predictions({o.trainer.out}, o.train, other.trainer.out); });
  const auto first = refused.find("xxh64:");
  CHECK(first != std::string::npos);
  CHECK(refused.find("xxh64:", first + 1) != std::string::npos);
}

TEST_CASE("adapters of one base share it, and each answers as it does alone") {
  const Folder folder;
  std::vector<std::string> runs;
  for (const std::uint64_t seed : {1, 2, 3}) {
    RunOptions o = folder.options("classify", fmt::format("seed-{}", seed));
    o.tune = "adapter";
    o.adapter_size = 4;
    o.trainer.seed = seed;
    fine_tune(o);
    runs.push_back(o.trainer.out);
  }
  TrainedFolders folders{UseOptions{}};
  std::vector<TrainedClassifier> models;
  for (const std::string& run : runs) models.push_back(load_trained_classifier(folders, run));
  CHECK(folders.bases() == 1);
  CHECK(&models[0].model->bert == &models[2].model->bert);

  const std::string input = folder.path("train.tsv");
  std::vector<Json> mean = predictions({runs[0]}, input);
  for (std::size_t m = 1; m < runs.size(); ++m) {
    const auto own = predictions({runs[m]}, input);
    CHECK(largest_difference(own, predictions({runs[0]}, input)) > 1e-4);
    for (std::size_t i = 0; i < own.size(); ++i) {
      for (std::size_t j = 0; j < own[i]["logits"].size(); ++j) {
        mean[i]["logits"][j] = mean[i]["logits"][j].get<double>() + own[i]["logits"][j].get<double>();
      }
    }
  }
  for (Json& line : mean) {
    for (Json& value : line["logits"]) value = value.get<double>() / 3;
  }
  CHECK(largest_difference(mean, predictions(runs, input)) < 1e-5);
}

TEST_CASE("adapters of different tasks share a base in one process") {
  const Folder folder;
  for (const std::string task : {"classify", "tag"}) {
    RunOptions o = folder.options(task, task);
    o.tune = "adapter";
    o.adapter_size = 4;
    fine_tune(o);
  }
  UseOptions use;
  TrainedFolders alone_folders{use}, folders{use};
  const TrainedClassifier alone = load_trained_classifier(alone_folders, folder.path("classify"));
  const TrainedTagger tagger = load_trained_tagger(folders, folder.path("tag"));
  const TrainedClassifier shared = load_trained_classifier(folders, folder.path("classify"));
  CHECK(folders.bases() == 1);
  CHECK(&tagger.model->bert == &shared.model->bert);
  const std::vector<Example> examples = {{.texts = {"the good"}}, {.texts = {"is not b"}}};
  const auto logits = [&](const TrainedClassifier& model) {
    return classify_all(*model.model, model.tokenizer, examples, model.options).logits;
  };
  const std::vector<WordSentence> sentences = {{.words = {"the", "good"}}};
  const auto before = tag_all(*tagger.model, tagger.tokenizer, sentences, tagger.file, {});
  CHECK(logits(shared) == logits(alone));
  CHECK(tag_all(*tagger.model, tagger.tokenizer, sentences, tagger.file, {}) == before);
}

TEST_CASE("kept features of a frozen trunk give what computing them each time gives") {
  const Folder folder;
  for (const auto& [pool, features] : {std::pair{"cls", "last"},
                                       {"cls", "mix"},
                                       {"mean", "mix"},
                                       {"max", "mix"},
                                       {"attention", "last"},
                                       {"mean", "concat:2"},
                                       {"cls", "concat:2"}}) {
    CAPTURE(pool);
    CAPTURE(features);
    std::vector<std::vector<Json>> answers;
    for (const std::int64_t megabytes : {0, 1}) {
      RunOptions o = folder.options("classify", fmt::format("{}-{}-{}", pool, features, megabytes));
      o.tune = "frozen";
      o.pool = pool;
      o.features = features;
      o.cache_mb = megabytes;
      const Json result = Json::parse(fine_tune(o));
      CHECK(result.contains("layer_weights") == (std::string(features) == "mix"));
      answers.push_back(predictions({o.trainer.out}, o.train));
    }
    CHECK(largest_difference(answers[0], answers[1]) < 1e-5);
  }
}

TEST_CASE("kept features of the other tasks give what computing them each time gives") {
  const Folder folder;
  for (const std::string task : {"tag", "extract", "generate"}) {
    for (const std::string features : {"last", "mix"}) {
      CAPTURE(task);
      CAPTURE(features);
      std::vector<double> losses;
      std::vector<Json> dev;
      for (const std::int64_t megabytes : {0, 1}) {
        RunOptions o = folder.options(task, fmt::format("{}-{}-{}", task, features, megabytes));
        o.tune = "frozen";
        o.features = features;
        o.cache_mb = megabytes;
        const Json result = Json::parse(fine_tune(o));
        losses.push_back(result["final_loss"]);
        dev.push_back(result["dev"]);
      }
      CHECK(losses[0] == doctest::Approx(losses[1]).epsilon(1e-5));
      for (const auto& [name, value] : dev[0].items()) {
        CAPTURE(name);
        CHECK(dev[1][name].get<double>() == doctest::Approx(value.get<double>()).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("the cache computes each example once, and what does not fit each time") {
  int computed = 0;
  const FeatureCache::Compute compute = [&](std::span<const std::int64_t> some) {
    TrunkRows rows;
    std::vector<float> values;
    for (const std::int64_t i : some) {
      ++computed;
      for (std::int64_t r = 0; r < i; ++r) values.push_back(static_cast<float>(10 * i + r));
      rows.counts.push_back(i);
    }
    const Tensor x = Tensor::from(values, {static_cast<std::int64_t>(values.size()), 1});
    rows.states = {x, affine(x, 2, 0)};
    return rows;
  };
  const std::vector<std::int64_t> first = {2, 0}, second = {0, 1, 2};
  for (const std::int64_t limit : {1 << 20, 8, 0}) {
    CAPTURE(limit);
    computed = 0;
    FeatureCache cache(limit);
    cache.rows(first, compute);
    const TrunkRows rows = cache.rows(second, compute);
    CHECK(rows.counts == std::vector<std::int64_t>{0, 1, 2});
    CHECK(rows.states[1].to_vector<float>() == std::vector<float>{20, 40, 42});
    CHECK(cache.bytes() <= limit);
    CHECK(computed == (limit > 100 ? 3 : limit == 8 ? 4 : 5));
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
