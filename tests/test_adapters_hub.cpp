// Folders of adapters: AdapterHub's files byte for byte, LayerNorms beside them, averages, and the hash of
// the base. With SESAME_ADAPTER_EXCHANGE=DIR it trades folders with tests/golden/check_adapterhub.py.
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>

#include "models/adapters/base_hash.h"
#include "models/adapters/hub.h"
#include "models/adapters/xxh64.h"
#include "nn/init.h"
#include "tests/adapter_models.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

namespace fs = std::filesystem;

const std::string kStored = std::string(SESAME_SOURCE_DIR) + "/tests/golden/tiny_adapter";

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

AdapterFolder complete(AdapterFolder folder,
                       const std::string& model_class = "BertForSequenceClassification") {
  folder.model_name = "tiny_bert";
  folder.model_class = model_class;
  folder.labels = {"no", "maybe", "yes"};
  return folder;
}

PackedBatch tiny_batch() { return Golden("tiny_bert").batch("a."); }

// A copy of the stored folder with one file changed by `change`.
template <class Change>
std::string error_with(const std::string& file, Change change) {
  const TemporaryFolder temporary;
  fs::copy(kStored, temporary.path("a"));
  std::string text = read_file(kStored + "/" + file);
  change(text);
  temporary.write("a/" + file, text);
  return error_of([&] {
    TinyClassifier model;
    install_adapter(model.bert, read_adapter_folder(temporary.path("a")));
  });
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a folder of AdapterHub's library gives its logits and is written back byte for byte") {
  const AdapterFolder folder = read_adapter_folder(kStored);
  CHECK(folder.name == "t");
  CHECK(folder.config == AdapterConfig::houlsby(8));
  CHECK(folder.model_class == "BertForSequenceClassification");
  CHECK(folder.labels == std::vector<std::string>{"no", "maybe", "yes"});
  TinyClassifier model;
  install_adapter(model.bert, folder, "mine");
  copy_weights(head_weights(model), folder.head, "head");
  set_active_adapter(model.bert, "mine");
  CHECK(largest_difference(model.logit_values(tiny_batch()), Golden("adapter").values("houlsby.logits")) <
        2e-5);

  AdaptedClassifier own("houlsby", DType::Float32);
  const TemporaryFolder temporary;
  write_adapter_folder(temporary.path("out"), complete(collect_adapter(own, own.bert, "t")));
  for (const auto& entry : fs::directory_iterator(kStored)) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    CHECK(read_file(temporary.path("out/" + name)) == read_file(entry.path().string()));
  }
  CHECK_FALSE(fs::exists(temporary.path("out/layer_norms.safetensors")));
}

TEST_CASE("LayerNorms and a pooler that the base lacks travel in a file of their own") {
  AdaptedClassifier model("pfeiffer", DType::Float32, true);
  {
    const NoGradGuard no_grad;
    model.parameter("bert.encoder.layer.0.output.LayerNorm.bias").fill_(0.25);
    model.parameter("bert.pooler.dense.bias").fill_(0.5);
  }
  const std::vector<double> logits = model.logit_values(tiny_batch());
  const TemporaryFolder temporary;
  write_adapter_folder(temporary.path(), complete(collect_adapter(model, model.bert, "t", {"bert.pooler."})));
  const AdapterFolder folder = read_adapter_folder(temporary.path());
  CHECK(folder.trunk.size() == 12);
  CHECK(folder.config == AdapterConfig::pfeiffer(5));
  TinyClassifier other;
  const std::vector<double> base = other.logit_values(tiny_batch());
  install_adapter(other.bert, folder);
  set_active_adapter(other.bert, "t");
  CHECK(other.logit_values(tiny_batch()) == logits);
  set_active_adapter(other.bert, "");
  CHECK(other.logit_values(tiny_batch()) != base);  // the pooler stays
}

TEST_CASE("every size and place comes back from its configuration") {
  for (const std::int64_t width : {32, 384, 768}) {
    for (std::int64_t size = 1; size <= 2 * width; size += 1 + size / 40) {
      AdapterConfig config{.size = size, .after_attention = false, .activation = "gelu", .leave_out = {0, 2}};
      CHECK(AdapterConfig::from_hub(config.to_hub(width), width, "test") == config);
    }
  }
}

TEST_CASE("folders that do not fit are refused with file and reason") {
  const std::string config = "adapter_config.json";
  CHECK(mentions(
      error_with(config, [](auto& t) { replace(t, "\"is_parallel\": false", "\"is_parallel\": true"); }),
      "is_parallel"));
  CHECK(mentions(
      error_with(config, [](auto& t) { replace(t, "\"scaling\": 1.0", "\"scaling\": \"learned\""); }),
      "scaling"));
  CHECK(mentions(error_with(config, [](auto& t) { replace(t, "\"swish\"", "\"mish\""); }), "mish"));
  CHECK(mentions(error_with(config, [](auto& t) { replace(t, "_factor\": 4", "_factor\": 8"); }), "(8, 32)"));
  CHECK(
      mentions(error_with(config, [](auto& t) { replace(t, "_factor\": 4", "_factor\": {\"default\": 4}"); }),
               "reduction_factor"));
  CHECK(
      mentions(error_with(config, [](auto& t) { replace(t, "_factor\": 4", "_factor\": 0"); }), "positive"));
  CHECK(mentions(error_with(config, [](auto& t) { replace(t, "_size\": 32", "_size\": 64"); }), "width 64"));
  CHECK(mentions(
      error_with(config, [](auto& t) { replace(t, "\"bert\",\n  \"name\"", "\"t5\",\n  \"name\""); }), "t5"));
  CHECK(mentions(error_with(config, [](auto& t) { replace(t, "\"leave_out\": []", "\"leave_out\": [0]"); }),
                 "which the model does not have"));
  CHECK(mentions(error_with(config, [](auto& t) { t = "{}"; }), config));
  CHECK(mentions(error_with("head_config.json", [](auto& t) { replace(t, "\"yes\": 2", "\"yes\": 1"); }),
                 "ids"));
  const TemporaryFolder temporary;
  temporary.write(config, read_file(kStored + "/" + config));
  temporary.write("pytorch_adapter.bin", "x");
  CHECK(mentions(error_of([&] { read_adapter_folder(temporary.path()); }), "use_safetensors"));
  CHECK(mentions(error_of([] { read_adapter_folder("/nowhere"); }), "/nowhere"));
}

TEST_CASE("the average of adapters is that of their weights") {
  AdaptedClassifier one("houlsby", DType::Float32, true);
  const AdapterFolder first = complete(collect_adapter(one, one.bert, "t"));
  TinyClassifier two;
  add_adapter(two.bert, AdapterConfig::houlsby(8), "u", {.norms = true, .seed = 5});
  const AdapterFolder second = complete(collect_adapter(two, two.bert, "u"));
  const AdapterFolder mean = average_adapters({first, second, second});
  CHECK(mean.name == "t");
  REQUIRE(mean.adapter.size() == first.adapter.size());
  for (std::size_t i = 0; i < mean.adapter.size(); ++i) {
    CHECK(mean.adapter[i].first == first.adapter[i].first);
    std::vector<double> wanted = doubles(first.adapter[i].second);
    const std::vector<double> other = doubles(second.adapter[i].second);
    for (std::size_t k = 0; k < wanted.size(); ++k) wanted[k] = (wanted[k] + 2 * other[k]) / 3;
    CHECK(largest_difference(doubles(mean.adapter[i].second), wanted) < 1e-6);
  }
  CHECK(mean.trunk.size() == 10);
  CHECK(mean.head.size() == 2);
  AdapterFolder odd = second;
  odd.config.size = 4;
  CHECK(mentions(error_of([&] { average_adapters({first, odd}); }), "of size 4"));
  odd = second;
  odd.labels = {"a", "b", "c"};
  CHECK(mentions(error_of([&] { average_adapters({first, odd}); }), "labels"));
  odd = second;
  odd.trunk.clear();
  CHECK(mentions(error_of([&] { average_adapters({first, odd}); }), "LayerNorm"));
}

TEST_CASE("XXH64 gives the values of its specification") {
  const auto hash = [](const std::string& text, std::size_t piece) {
    Xxh64 hash;
    for (std::size_t i = 0; i < text.size(); i += piece) hash.add(std::string_view(text).substr(i, piece));
    return hash.digest();
  };
  CHECK(hash("", 1) == 0xEF46DB3751D8E999u);
  CHECK(hash("a", 1) == 0xD24EC4F1A98C6E5Bu);
  CHECK(hash("abc", 3) == 0x44BC2CF5AD770999u);
  const std::string text = "Call me Ishmael. Some years ago--never mind how long precisely-";
  for (const std::size_t piece : {1, 5, 31, 32, 33, 63}) CHECK(hash(text, piece) == 0x02A2E85470D6FD96u);
}

TEST_CASE("the hash of a base belongs to its weights and to nothing that was added") {
  TinyClassifier model;
  const std::string hash = base_hash(model.bert);
  CHECK(hash.size() == 22);
  CHECK(hash.starts_with("xxh64:"));
  install_adapter(model.bert, read_adapter_folder(kStored));
  add_adapter(model.bert, AdapterConfig::pfeiffer(4), "norms", {.norms = true});
  set_active_adapter(model.bert, "norms");
  add_lora(model.bert);
  const NoGradGuard no_grad;
  model.parameter("bert.embeddings.LayerNorm.bias").fill_(3);  // the adapter's own
  CHECK(base_hash(model.bert) == hash);
  check_base(model.bert, hash, "task.json");
  model.bert.to({.dtype = DType::Float64});
  CHECK(base_hash(model.bert) == hash);
  model.parameter("bert.pooler.dense.bias").fill_(3);
  CHECK(base_hash(model.bert) != hash);
  CHECK(base_hash(model.bert, {"pooler."}) == base_hash(TinyClassifier().bert, {"pooler."}));
  const std::string error = error_of([&] { check_base(model.bert, hash, "task.json"); });
  CHECK(mentions(error, hash));
  CHECK(mentions(error, base_hash(model.bert)));
  CHECK(mentions(error, "task.json"));
}

namespace {

// BertForTokenClassification and BertForQuestionAnswering without their dropout: one Linear on all rows.
struct TinyRows : Module {
  TinyRows(const std::string& name, std::int64_t outputs)
      : bert(read_bert_config(tiny_bert_directory()), false), head(32, outputs) {
    register_module("bert", bert);
    register_module(name, head);
    load_weights(*this, WeightFiles(tiny_bert_directory()),
                 {.fresh = {name}, .ignore = {"bert.pooler", "classifier"}});
    eval();
  }
  Tensor logits(const PackedBatch& batch) const { return head.forward(bert.forward(batch).last); }

  Bert bert;
  Linear head;
};

// Their folder must give their logits; ours is written with ours beside it.
template <class Model>
void exchange(const fs::path& folder, const std::string& kind, const std::string& model_class,
              const std::function<Model()>& make) {
  CAPTURE(kind);
  CAPTURE(model_class);
  const NoGradGuard no_grad;
  const std::string theirs = folder / ("theirs_" + kind + "_" + model_class),
                    ours = folder / ("ours_" + kind + "_" + model_class);
  Model model = make();
  const AdapterFolder stored = read_adapter_folder(theirs);
  CHECK(stored.model_class == model_class);
  install_adapter(model.bert, stored);
  copy_weights(head_weights(model), stored.head, theirs);
  set_active_adapter(model.bert, stored.name);
  const Tensor wanted = SafetensorsFile(theirs + "/logits.safetensors").tensor("logits");
  CHECK(largest_difference(doubles(model.logits(tiny_batch())), doubles(wanted)) < 1e-5);

  Model other = make();
  add_adapter(other.bert, AdapterConfig::of_kind(kind, 7), "ours");
  for (const auto& [name, tensor] : other.bert.adapters->weights("ours")) {
    init_normal(tensor, 0, 0.3, init_key(11, name));
  }
  for (const auto& [name, tensor] : head_weights(other)) init_normal(tensor, 0, 0.3, init_key(12, name));
  set_active_adapter(other.bert, "ours");
  AdapterFolder out = complete(collect_adapter(other, other.bert, "ours"), model_class);
  if (model_class == "BertForQuestionAnswering") out.labels = {"LABEL_0", "LABEL_1"};
  write_adapter_folder(ours, out);
  save_safetensors(ours + "/logits.safetensors", {{"logits", other.logits(tiny_batch())}});
}

}  // namespace

// DIR/theirs_<kind>_<class> are folders that the library wrote, with the logits it gives to the golden batch
// beside them; DIR/ours_<kind>_<class> are written here, with ours.
TEST_CASE("exchange with AdapterHub's library") {
  const char* folder = std::getenv("SESAME_ADAPTER_EXCHANGE");
  if (folder == nullptr) return;
  for (const std::string kind : {"houlsby", "pfeiffer"}) {
    exchange<TinyClassifier>(folder, kind, "BertForSequenceClassification", [] { return TinyClassifier(); });
    exchange<TinyRows>(folder, kind, "BertForTokenClassification", [] { return TinyRows("classifier", 3); });
    exchange<TinyRows>(folder, kind, "BertForQuestionAnswering", [] { return TinyRows("qa_outputs", 2); });
  }
}
