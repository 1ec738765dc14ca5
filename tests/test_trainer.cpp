// Whole training runs on the tiny BERT of tests/golden: files, resume, accumulation, early stopping, errors.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/random.h"
#include "models/safetensors/safetensors.h"
#include "tasks/classify/classify_predictor.h"
#include "tasks/train/run.h"
#include "temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using sesame::testing::read_file;
using sesame::testing::TemporaryFolder;
using Json = nlohmann::json;

namespace {

const std::string kModel = std::string(SESAME_SOURCE_DIR) + "/tests/golden/tiny_bert";

// Sentences of the tiny vocabulary; the label says whether "not" occurs.
void write_data(const std::string& path, int count, std::uint64_t seed, const std::string& last_label = "") {
  RandomStream random(seed);
  std::ofstream file(path);
  file << "text\tlabel\n";
  for (int i = 0; i < count; ++i) {
    std::string text = "the";
    bool negated = false;
    for (std::uint64_t n = random.below(6) + 1; n > 0; --n) {
      const char* words[] = {"good", "is", "a", "b", "not"};
      const std::uint64_t pick = random.below(5);
      negated |= pick == 4;
      text += std::string(" ") + words[pick];
    }
    file << text << "\t"
         << (i + 1 == count && !last_label.empty() ? last_label
             : negated                             ? "yes"
                                                   : "no")
         << "\n";
  }
}

struct Folder : TemporaryFolder {
  Folder() {
    write_data(path("train.tsv"), 96, 1);
    write_data(path("dev.tsv"), 40, 2);
  }
  RunOptions options(const std::string& out) const {
    RunOptions o;
    o.train = path("train.tsv");
    o.dev = path("dev.tsv");
    o.model = kModel;
    o.max_length = 32;
    o.trainer.out = path(out);
    o.batch_size = 16;
    o.trainer.epochs = 3;
    o.trainer.lr = 5e-3;
    o.run_toml = "# test\n";
    return o;
  }
  Json run(const RunOptions& o) const { return Json::parse(fine_tune(o)); }
  // All weights of a run as one list.
  std::vector<float> weights(const std::string& out) const {
    const SafetensorsFile file(path(out) + "/model.safetensors");
    std::vector<float> all;
    for (const SafetensorsEntry& entry : file.entries()) {
      const std::vector<float> values = file.tensor(entry.name).to_vector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }
};

}  // namespace

TEST_CASE("a run learns, and its folder holds what the contract names") {
  const Folder folder;
  RunOptions options = folder.options("run");
  options.trainer.epochs = 12;
  const Json result = folder.run(options);
  CHECK(result["dev"]["accuracy"].get<double>() > 0.9);
  CHECK(result["task"] == "classify");
  CHECK(result["examples"] == 96 * 12);
  CHECK(result["trainable_parameters"].get<int>() > 10000);
  for (const char* key :
       {"train_seconds", "examples_per_second", "tokens_per_second", "peak_memory_bytes", "final_loss"}) {
    CHECK_MESSAGE(result[key].is_number(), key);
  }
  for (const char* name :
       {"config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "tokenizer_config.json",
        "task.json", "run.toml", "metrics.jsonl", "report.html", "checkpoints/best/model.safetensors"}) {
    CHECK_MESSAGE(std::filesystem::exists(folder.path("run") + "/" + name), name);
  }
  const Json config = Json::parse(read_file(folder.path("run") + "/config.json"));
  CHECK(config["id2label"]["0"] == "no");
  CHECK(config["id2label"]["1"] == "yes");
  CHECK(config["architectures"][0] == "BertForSequenceClassification");

  UseOptions use;
  use.models = {folder.path("run")};
  use.logits = true;
  const auto lines_of = [&](const std::string& name, const std::string& texts) {
    std::ofstream(folder.path(name)) << texts;
    std::vector<Json> lines;
    load_classify(use)->predict(folder.path(name),
                                [&](const std::string& line) { lines.push_back(Json::parse(line)); });
    return lines;
  };
  const std::vector<Json> lines = lines_of("two.txt", "the good is not a\nthe good is a\n");
  CHECK(lines.at(0)["label"] == "yes");
  CHECK(lines.at(1)["label"] == "no");
  // Alone or in a batch: the same.
  const std::vector<Json> alone = lines_of("one.txt", "the good is a\n");
  CHECK(alone.at(0)["logits"][0].get<double>() ==
        doctest::Approx(lines[1]["logits"][0].get<double>()).epsilon(1e-5));
}

TEST_CASE("the same seed gives the same bits, another seed does not") {
  const Folder folder;
  folder.run(folder.options("a"));
  folder.run(folder.options("b"));
  RunOptions other = folder.options("c");
  other.trainer.seed = 7;
  folder.run(other);
  CHECK(folder.weights("a") == folder.weights("b"));
  CHECK(folder.weights("a") != folder.weights("c"));
}

TEST_CASE("a resumed run ends with the bits of the undisturbed one") {
  const Folder folder;
  RunOptions options = folder.options("whole");
  options.trainer.save_every = 4;
  options.trainer.keep = 100;
  folder.run(options);
  // The interrupted run: everything after update 8 is lost.
  std::filesystem::copy(folder.path("whole"), folder.path("part"), std::filesystem::copy_options::recursive);
  for (const char* lost : {"step-00000012", "step-00000016", "step-00000018"}) {
    CHECK(std::filesystem::remove_all(folder.path("part") + "/checkpoints/" + lost) > 0);
  }
  std::filesystem::remove(folder.path("part") + "/result.json");
  options.trainer.out = folder.path("part");
  options.trainer.resume = true;
  const Json result = folder.run(options);
  CHECK(folder.weights("whole") == folder.weights("part"));
  CHECK(result["steps"] == 18);
  CHECK(result["examples"] == 96 * 3);

  // Finished: nothing to do. Other options: refused with what changed.
  CHECK(folder.run(options)["steps"] == 18);
  options.trainer.lr = 1e-3;
  CHECK(contains(error_of([&] { folder.run(options); }), "--lr was 0.005, is 0.001"));
  // Nothing to resume: starts.
  RunOptions fresh = folder.options("fresh");
  fresh.trainer.resume = true;
  CHECK(folder.run(fresh)["steps"] == 18);
}

TEST_CASE("accumulated parts equal the large batch, dropout included") {
  const Folder folder;
  RunOptions large = folder.options("large"), parts = folder.options("parts");
  large.batch_size = 20;  // 96 rows: the last update of an epoch is short
  parts.batch_size = 5;
  parts.trainer.accumulate = 4;
  // In float64 the two agree to rounding; a wrong normalizer or another dropout mask would show at once.
  large.dtype = parts.dtype = DType::Float64;
  folder.run(large);
  folder.run(parts);
  const SafetensorsFile a(folder.path("large") + "/model.safetensors"),
      b(folder.path("parts") + "/model.safetensors");
  for (const SafetensorsEntry& entry : a.entries()) {
    // A key bias has no gradient by nature: Adam blows its rounding up.
    if (contains(entry.name, "key.bias")) continue;
    const auto x = a.tensor(entry.name).to(DType::Float64).to_vector<double>();
    const auto y = b.tensor(entry.name).to(DType::Float64).to_vector<double>();
    double largest = 0;
    for (std::size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i] - y[i]));
    CHECK_MESSAGE(largest < 1e-5, entry.name);
  }
}

TEST_CASE("several labels, numbers and every pooling train") {
  const Folder folder;
  std::ofstream multi(folder.path("multi.tsv")), numbers(folder.path("numbers.tsv"));
  multi << "text\tlabel\n";
  numbers << "text\ttext2\tlabel\n";
  for (int i = 0; i < 24; ++i) {
    multi << (i % 2 ? "good a" : "not b") << "\t" << (i % 2 ? "x|y" : i % 3 ? "z" : "") << "\n";
    numbers << "the good\t" << (i % 2 ? "not" : "good") << "\t" << i % 2 * 2.5 << "\n";
  }
  multi.close();
  numbers.close();
  for (const char* pool : {"cls", "mean", "max", "attention"}) {
    for (const char* head : {"linear", "mlp"}) {
      RunOptions options = folder.options("run");
      options.pool = pool;
      options.head = head;
      options.overwrite = true;
      options.trainer.epochs = 6;
      CHECK_MESSAGE(folder.run(options)["dev"]["accuracy"].get<double>() > 0.75, pool, " ", head);
      // The stored model predicts what the trained one did.
      UseOptions use;
      use.models = {folder.path("run")};
      const Metrics again = load_classify(use)->evaluate(folder.path("dev.tsv"));
      const Json stored = Json::parse(read_file(folder.path("run") + "/result.json"));
      CHECK(again.at("accuracy") == doctest::Approx(stored["dev"]["accuracy"].get<double>()));
    }
  }
  RunOptions several = folder.options("multi");
  several.train = several.dev = folder.path("multi.tsv");
  several.labels = "multi";
  several.trainer.epochs = 20;
  CHECK(folder.run(several)["dev"]["micro_f1"].get<double>() > 0.6);
  RunOptions regression = folder.options("numbers");
  regression.train = regression.dev = folder.path("numbers.tsv");
  regression.labels = "number";
  regression.trainer.epochs = 20;
  CHECK(folder.run(regression)["dev"]["pearson"].get<double>() > 0.9);
}

TEST_CASE("early stopping stops, and --keep-best stores what it reports") {
  const Folder folder;
  RunOptions options = folder.options("stop");
  options.trainer.epochs = 50;
  options.trainer.early_stop = 2;
  options.trainer.keep_best = true;
  const Json result = folder.run(options);
  CHECK(result["steps"].get<int>() < 300);
  const SafetensorsFile stored(folder.path("stop") + "/model.safetensors");
  const SafetensorsFile best(folder.path("stop") + "/checkpoints/best/model.safetensors");
  for (const SafetensorsEntry& entry : stored.entries()) {
    CHECK(stored.tensor(entry.name).to_vector<float>() == best.tensor(entry.name).to_vector<float>());
  }
}

TEST_CASE("bad input is refused with one line, and nothing looks finished") {
  const Folder folder;
  const auto error = [&](auto change) {
    RunOptions options = folder.options("bad");
    change(options);
    const std::string text = error_of([&] { fine_tune(options); });
    CHECK(!std::filesystem::exists(folder.path("bad") + "/task.json"));
    CHECK(text.find('\n') == std::string::npos);
    return text;
  };
  write_data(folder.path("odd.tsv"), 10, 3, "perhaps");
  CHECK(contains(error([&](RunOptions& o) { o.dev = folder.path("odd.tsv"); }), "odd.tsv:11"));
  CHECK(contains(error([&](RunOptions& o) { o.columns = "text=sentence"; }), "sentence"));
  CHECK(contains(error([&](RunOptions& o) { o.train = folder.path("missing.tsv"); }), "missing.tsv"));
  CHECK(contains(error([&](RunOptions& o) { o.model = folder.path("nowhere"); }), "nowhere"));
  CHECK(contains(error([&](RunOptions& o) { o.max_length = 41; }), "--max-length"));
  CHECK(contains(error([&](RunOptions& o) { o.pool = "sum"; }), "expected cls, mean, max or attention"));
  CHECK(contains(error([&](RunOptions& o) { o.task = "dance"; }), "'dance' is not known"));
  CHECK(
      contains(error([&](RunOptions& o) { o.device = Device::parse("cuda:99"); }), "cuda:99 was asked for"));
  CHECK(contains(error([&](RunOptions& o) { o.trainer.lr = 1e30; }), "not finite"));

  std::ofstream(folder.path("occupied")) << "x";
  CHECK(contains(error([&](RunOptions& o) { o.trainer.out = folder.path("occupied"); }), "is a file"));
  std::filesystem::create_directory(folder.path("full"));
  std::ofstream(folder.path("full") + "/mine.txt") << "x";
  CHECK(contains(error([&](RunOptions& o) { o.trainer.out = folder.path("full"); }), "is not empty"));
  RunOptions over = folder.options("full");
  over.overwrite = true;
  over.trainer.steps = 1;
  folder.run(over);
  CHECK(std::filesystem::exists(folder.path("full") + "/mine.txt"));  // only our own files go
}
