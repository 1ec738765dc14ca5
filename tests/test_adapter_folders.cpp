// Folders of adapters through whole runs: their base, ensembles, averages, several tasks on one base.
#include "tasks/classify/classify_predictor.h"
#include "tasks/tag/tag_predictor.h"
#include "tasks/use/average.h"
#include "tests/tune_runs.h"

using namespace sesame;
using namespace sesame::testing;

TEST_CASE("adapters stand where they are asked for, and are found there again") {
  const Folder folder;
  const auto trained = [&](const std::string& place, const std::string& layers) {
    RunOptions o = folder.options("classify", place + layers);
    o.tune = "adapter";
    o.adapter_size = 4;
    o.adapter_norms = "off";
    o.adapter_place = place;
    o.adapter_layers = layers;
    const Json result = Json::parse(fine_tune(o));
    const SafetensorsFile stored(o.trainer.out + "/adapter.safetensors");
    for (const int layer : {0, 1}) {
      const auto has = [&](const std::string& where) {
        return stored.contains(
            fmt::format("bert.encoder.layer.{}.{}.adapters.classify.adapter_up.weight", layer, where));
      };
      const bool here = layers.empty() || layers == fmt::format("{0}-{0}", layer + 1);
      CHECK(has("attention.output") == (here && place != "feed-forward"));
      CHECK(has("output") == (here && place != "attention"));
    }
    UseOptions use;
    use.models = {o.trainer.out};
    CHECK(load_classify(use)->evaluate(o.train).at("accuracy") == result["dev"]["accuracy"].get<double>());
    return result["trainable_parameters"].get<std::int64_t>();
  };
  RunOptions frozen = folder.options("classify", "frozen");
  frozen.tune = "frozen";
  const std::int64_t head = Json::parse(fine_tune(frozen))["trainable_parameters"];
  const std::int64_t all = trained("both", "") - head;
  CHECK(all > 0);
  CHECK(trained("attention", "") - head == all / 2);
  CHECK(trained("feed-forward", "2-2") - head == all / 4);
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

TEST_CASE("an average answers as one adapter, and only adapters for the same answers have one") {
  const Folder folder;
  for (const std::string task : {"classify", "tag", "extract", "generate"}) {
    CAPTURE(task);
    std::vector<std::string> runs;
    for (const std::uint64_t seed : {1, 2}) {
      RunOptions o = folder.options(task, fmt::format("{}-{}", task, seed));
      o.tune = "adapter";
      o.adapter_size = 4;
      o.trainer.seed = seed;
      if (task == "generate") o.target_vocab = 40;
      fine_tune(o);
      runs.push_back(o.trainer.out);
    }
    const std::string out = folder.path(task + "-mean"), input = folder.options(task, "").train;
    const Json said = Json::parse(average_runs({.models = {runs[0], runs[0]}, .out = out}));
    CHECK(said["adapters"] == 2);
    CHECK(predictions({out}, input) == predictions({runs[0]}, input));  // of two equal ones: the same
    average_runs({.models = runs, .out = out, .overwrite = true});
    const auto weights = [](const std::string& run, const std::string& file) {
      const SafetensorsFile stored(run + "/" + file);
      return stored.tensor(stored.entries()[0].name).to_vector<float>();
    };
    for (const std::string file :
         {"adapter.safetensors", "model_head.safetensors", "layer_norms.safetensors"}) {
      const auto a = weights(runs[0], file), b = weights(runs[1], file), mean = weights(out, file);
      REQUIRE(mean.size() == a.size());
      for (std::size_t i = 0; i < a.size(); ++i) CHECK(mean[i] == doctest::Approx((a[i] + b[i]) / 2));
    }
    CHECK(predictions({out}, input).size() == predictions({runs[0]}, input).size());
  }
  const auto refused = [&](const std::string& a, const std::string& b) {
    return error_of([&] {
      average_runs({.models = {folder.path(a), folder.path(b)}, .out = folder.path("none")});
    });
  };
  CHECK(contains(refused("classify-1", "tag-1"), "same answers"));
  folder.write("other.tsv", "text\tlabel\nthe good\tgood\nnot a\tbad\n");
  RunOptions o = folder.options("classify", "other");
  o.train = o.dev = folder.path("other.tsv");
  o.tune = "adapter";
  o.adapter_size = 4;
  fine_tune(o);
  CHECK(contains(refused("classify-1", "other"), "\"labels\""));
  CHECK_FALSE(fs::exists(folder.path("none")));
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
