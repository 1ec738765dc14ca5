// Presets: the published forms of the known sets, in small imitations and, where they are at hand, in full.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "tasks/data/labels.h"
#include "tasks/data/presets.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using sesame::testing::TemporaryFolder;

namespace {

using Strings = std::vector<std::string>;

Dataset read(const std::string& preset, const std::string& path) {
  return read_examples(path, find_preset(preset).read);
}

// "" and a visible message where the data is absent.
std::string shared_data(const std::string& name) {
  const auto path = std::filesystem::path(SESAME_SOURCE_DIR) / ".." / "shared" / "data" / name;
  if (std::filesystem::exists(path)) return path.string();
  MESSAGE("SKIPPED: ../shared/data/", name, " is not here");
  return "";
}

std::map<std::string, size_t> count_labels(const Dataset& data) {
  std::map<std::string, size_t> counts;
  for (const Example& example : data.examples) ++counts[example.label];
  return counts;
}

}  // namespace

TEST_CASE("every preset is whole") {
  CHECK(presets().size() == 16);
  for (const Preset& preset : presets()) {
    if (preset.task != "classify") continue;  // they have readers of their own
    CAPTURE(preset.name);
    CHECK(!preset.read.columns.texts.empty());
    CHECK(!preset.read.columns.label.empty());
    CHECK(!preset.metrics.empty());
    CHECK(preset.labels.empty() == (preset.read.kind == LabelKind::number));
  }
  CHECK(contains(error_of([] { find_preset("sst3"); }), "unknown preset \"sst3\"; known: sst2, cola, mrpc"));
}

TEST_CASE("cola: without and with a header") {
  TemporaryFolder folder;
  const Dataset plain = read("cola", folder.write("a.tsv", "gj04\t1\t\tThey sang.\ngj04\t0\t*\tThem sang."));
  REQUIRE(plain.examples.size() == 2);
  CHECK(plain.examples[0].texts == Strings{"They sang."});
  CHECK(plain.examples[1].label == "0");
  ReadOptions options = find_preset("cola").read;
  options.need_label = false;
  const Dataset test = read_examples(folder.write("t.tsv", "index\tsentence\n0\tThey sang.\n"), options);
  CHECK(test.examples.at(0).texts == Strings{"They sang."});
}

TEST_CASE("mrpc: byte-order mark and raw quotes") {
  TemporaryFolder folder;
  const Dataset data = read("mrpc", folder.write("a.tsv",
                                                 "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n"
                                                 "1\t5\t6\tSo it is.\t\"So it is.\r\n"));
  CHECK(data.examples.at(0).texts == Strings{"So it is.", "\"So it is."});
  CHECK(data.examples.at(0).label == "1");
}

TEST_CASE("stsb: original and GLUE form") {
  TemporaryFolder folder;
  const Dataset original =
      read("stsb", folder.write("a.tsv",
                                "g\tf\t2012\t1\t5.000\tA plane.\tAn air plane.\n"
                                "g\tf\t2012\t2\t0.25\tA cat.\tA dog.\tsource\tsource\n"));
  REQUIRE(original.examples.size() == 2);
  CHECK(original.examples[1].texts == Strings{"A cat.", "A dog."});
  CHECK(original.examples[1].value == 0.25);
  const Dataset glue =
      read("stsb", folder.write("b.tsv",
                                "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\t"
                                "sentence1\tsentence2\tscore\n0\tg\tf\ty\t1\ts\ts\tA.\tB.\t3.8\n"));
  CHECK(glue.examples.at(0).texts == Strings{"A.", "B."});
  CHECK(glue.examples.at(0).value == 3.8);
  CHECK(contains(error_of([&] { read("stsb", folder.write("c.tsv", "g\tf\t2012\t1\t5.0\tA plane.\n")); }),
                 "c.tsv:1] 6 columns, the header has 7"));
}

TEST_CASE("qqp: broken rows are counted") {
  TemporaryFolder folder;
  const Dataset data =
      read("qqp", folder.write("a.tsv",
                               "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
                               "1\t2\t3\tWhy?\tHow?\t0\n2\t3\t4\tWhat is\nthis?\tWhat?\t1\n"));
  CHECK(data.examples.size() == 1);
  CHECK(describe(data) == "1 example, 2 rows dropped (wrong number of columns: 2, first at line 3)");
}

TEST_CASE("inference sets") {
  TemporaryFolder folder;
  const std::string header = "gold_label\tsentence1_parse\tsentence1\tsentence2\tlabel1\tlabel2\n";
  const Dataset txt = read(
      "snli", folder.write("snli_dev.txt", header + "neutral\t(p)\tA.\tB.\tneutral\n-\t(p)\tC.\tD.\ta\tb\n"));
  CHECK(txt.examples.at(0).texts == Strings{"A.", "B."});
  CHECK(txt.examples.at(0).label == "neutral");
  CHECK(txt.dropped.at(0).reason == "no gold label");
  CHECK(txt.dropped.at(0).first_line == 3);
  const Dataset json = read("snli", folder.write("a.jsonl",
                                                 "{\"annotator_labels\": [\"x\"], \"gold_label\": \"-\", "
                                                 "\"sentence1\": \"A\", \"sentence2\": \"B\"}\n"
                                                 "{\"annotator_labels\": [], \"gold_label\": \"entailment\", "
                                                 "\"sentence1\": \"A\", \"sentence2\": \"B\"}\n"));
  CHECK(json.examples.size() == 1);
  CHECK(json.dropped.at(0).count == 1);
  const Dataset mnli = read("mnli", folder.write("m.tsv",
                                                 "index\tpromptID\tsentence1\tsentence2\tlabel1\tgold_label\n"
                                                 "0\t1\tA.\tB.\tneutral\tcontradiction\n"));
  CHECK(mnli.examples.at(0).label == "contradiction");
  const Dataset qnli = read(
      "qnli", folder.write("q.tsv", "index\tquestion\tsentence\tlabel\n0\tWhy?\t\"So\tnot_entailment\n"));
  CHECK(qnli.examples.at(0).texts == Strings{"Why?", "\"So"});
  const std::string pairs = "index\tsentence1\tsentence2\tlabel\n";
  CHECK(read("rte", folder.write("r.tsv", pairs + "0\tA\tB\tentailment\n")).examples.at(0).label ==
        "entailment");
  CHECK(read("wnli", folder.write("w.tsv", pairs + "0\tA\tB\t1\n")).examples.at(0).label == "1");
}

TEST_CASE("imdb: folders and CSV") {
  TemporaryFolder folder;
  folder.write("aclImdb/train/pos/10_9.txt", "Good.\n\nVery good.");
  folder.write("aclImdb/train/pos/2_7.txt", "Fine.");
  folder.write("aclImdb/train/neg/0_1.txt", "Bad.");
  folder.write("aclImdb/train/unsup/0_0.txt", "Hm.");
  const Dataset data = read("imdb", folder.path("aclImdb/train"));
  REQUIRE(data.examples.size() == 3);
  CHECK(data.examples[0].label == "neg");
  CHECK(data.examples[1].texts == Strings{"Fine."});
  CHECK(data.examples[2].texts == Strings{"Good.\n\nVery good."});
  CHECK(data.dropped.at(0).reason == "no label (unsup)");
  CHECK(contains(error_of([&] { read("imdb", folder.path("aclImdb")); }), "has no folder \"neg\""));
  const Dataset csv =
      read("imdb", folder.write("a.csv", "review,sentiment\n\"Good, very.<br />\",positive\nBad,negative\n"));
  CHECK(csv.examples.at(0).label == "pos");
  CHECK(csv.examples.at(0).texts == Strings{"Good, very.<br />"});
  CHECK(csv.examples.at(1).label == "neg");
}

TEST_CASE("published files: rows and labels") {
  struct Case {
    const char *preset, *file;
    size_t rows;
    std::map<std::string, size_t> labels;
  };
  const std::vector<Case> cases = {
      {"sst2", "sst2/train.tsv", 67349, {{"0", 29780}, {"1", 37569}}},
      {"sst2", "sst2/dev.tsv", 872, {{"0", 428}, {"1", 444}}},
      {"cola", "cola/train.tsv", 8551, {{"0", 2528}, {"1", 6023}}},
      {"cola", "cola/dev.tsv", 1043, {{"0", 322}, {"1", 721}}},
      {"mrpc", "mrpc/train.tsv", 3668, {{"0", 1194}, {"1", 2474}}},
      {"mrpc", "mrpc/dev.tsv", 408, {{"0", 129}, {"1", 279}}},
      {"stsb", "stsb/sts-train.tsv", 5749, {}},
      {"stsb", "stsb/sts-dev.tsv", 1500, {}},
  };
  for (const Case& one : cases) {
    CAPTURE(one.file);
    const std::string path = shared_data(one.file);
    if (path.empty()) continue;
    const Dataset data = read(one.preset, path);
    CHECK(data.examples.size() == one.rows);
    CHECK(data.dropped.empty());
    CHECK(data.empty_texts == 0);
    if (!one.labels.empty()) CHECK(count_labels(data) == one.labels);
    for (const Example& example : data.examples) REQUIRE((example.value >= 0 && example.value <= 5));
  }
}
