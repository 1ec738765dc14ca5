// The task of writing a text: data, loss, decoding in batches, whole runs in both versions.
#include <doctest/doctest.h>
#include <zlib.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/random.h"
#include "tasks/generate/generate_predictor.h"
#include "tasks/generate/generate_setup.h"
#include "tasks/generate/sequence_data.h"
#include "tasks/generate/text_scores.h"
#include "tasks/report/sequences.h"
#include "tests/golden_model.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using sesame::testing::read_file;
using sesame::testing::TemporaryFolder;
using Json = nlohmann::json;

namespace {

// Random letters and the same backwards.
std::string reversing_rows(int count, std::uint32_t seed) {
  std::string rows = "text\ttarget\n";
  for (int i = 0; i < count; ++i) {
    std::string text, target;
    seed = seed * 1664525 + 1013904223;
    const int length = 2 + static_cast<int>(seed >> 28) % 5;
    for (int k = 0; k < length; ++k) {
      seed = seed * 1664525 + 1013904223;
      const std::string letter(1, static_cast<char>('a' + (seed >> 24) % 8));
      text += (k > 0 ? " " : "") + letter;
      target = letter + (k > 0 ? " " : "") + target;
    }
    rows += text + "\t" + target + "\n";
  }
  return rows;
}

struct Folder : TemporaryFolder {
  Folder() {
    write("train.tsv", reversing_rows(2000, 1));
    write("dev.tsv", reversing_rows(60, 2));
  }
  RunOptions options(const std::string& generator) const {
    RunOptions o;
    o.task = "generate";
    o.generator = generator;
    o.train = path("train.tsv");
    o.dev = path("dev.tsv");
    o.model = sesame::testing::tiny_bert_directory();
    o.max_length = o.max_target_length = 16;
    o.decoder_layers = 2;
    o.dropout = 0;
    o.trainer.out = path("run-" + generator);
    o.trainer.lr = 3e-3;
    o.trainer.epochs = 12;
    o.trainer.eval_every = 250;
    o.trainer.keep_best = true;
    o.run_toml = "# test\n";
    return o;
  }
  UseOptions use(const std::vector<std::string>& generators) const {
    UseOptions u;
    for (const std::string& generator : generators) u.models.push_back(path("run-" + generator));
    return u;
  }
};

std::vector<Json> predict(const UseOptions& options, const std::string& input) {
  std::vector<Json> lines;
  load_generate(options)->predict(input,
                                  [&](const std::string& line) { lines.push_back(Json::parse(line)); });
  return lines;
}

}  // namespace

TEST_CASE("both versions learn to reverse; their folders predict, alone, in batches and together") {
  const Folder folder;
  const std::string input = folder.write("in.txt", "a b c\nd d e f\nh a\n");
  for (const std::string generator : {"decoder", "self"}) {
    CAPTURE(generator);
    const Json result = Json::parse(fine_tune(folder.options(generator)));
    CHECK(result["task"] == "generate");
    CHECK(result["examples"] == 24000);
    CHECK(result["dev"]["exact_match"].get<double>() >= 0.97);
    CHECK(result["dev"]["bleu"].get<double>() > 95);
    const Json config = Json::parse(read_file(folder.path("run-" + generator) + "/config.json"));
    CHECK(config["architectures"][0] == (generator == "self" ? "BertForMaskedLM" : "BertModel"));

    UseOptions use = folder.use({generator});
    const std::vector<Json> lines = predict(use, input);
    REQUIRE(lines.size() == 3);
    CHECK(lines[0]["text"] == "c b a");
    CHECK(lines[1]["text"] == "f e d d");
    CHECK(!lines[0].contains("n_best"));
    // One at a time: the same texts and scores.
    use.batch_tokens = 1;
    const std::vector<Json> alone = predict(use, input);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      CHECK(alone[i]["text"] == lines[i]["text"]);
      CHECK(alone[i]["score"].get<double>() ==
            doctest::Approx(lines[i]["score"].get<double>()).epsilon(1e-4));
    }
    use.n_best = 2;
    use.decoding.beam = 3;
    const std::vector<Json> best = predict(use, input);
    CHECK(best[0]["n_best"].size() == 2);
    CHECK(best[0]["n_best"][0]["text"] == best[0]["text"]);
    CHECK(best[0]["n_best"][0]["score"].get<double>() >= best[0]["n_best"][1]["score"].get<double>());
    // The scores of evaluation are those that training printed.
    const Metrics again = load_generate(folder.use({generator}))->evaluate(folder.path("dev.tsv"));
    for (const char* name : {"bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact_match", "loss"}) {
      CHECK(again.at(name) == doctest::Approx(result["dev"][name].get<double>()).epsilon(1e-4));
    }
  }
  const std::string report = read_file(folder.path("run-decoder") + "/report.html");
  CHECK(contains(report, "What it writes"));
  CHECK(contains(report, "Where the output looks"));
  CHECK(!contains(read_file(folder.path("run-self") + "/report.html"), "Where the output looks"));
  // Both versions write the encoder's tokens: they can be one ensemble.
  CHECK(predict(folder.use({"decoder", "self"}), input)[1]["text"] == "f e d d");

  UseOptions sampled = folder.use({"decoder"});
  sampled.decoding.sample = true;
  sampled.decoding.temperature = 3;
  const std::vector<Json> draw = predict(sampled, input), same = predict(sampled, input);
  sampled.batch_tokens = 1;
  CHECK(draw == same);
  CHECK(predict(sampled, input)[2]["text"] ==
        draw[2]["text"]);  // draws belong to the input, not to its batch
  sampled.decoding.seed = 7;
  CHECK(predict(sampled, input) != draw);
}

TEST_CASE("parts of an update add up; the loss counts target tokens and end tokens") {
  const Folder folder;
  for (const std::string generator : {"decoder", "self"}) {
    CAPTURE(generator);
    RunOptions options = folder.options(generator);
    options.dtype = DType::Float64;
    options.label_smoothing = 0.1;
    RunSetup setup = set_up_generate(options);
    Task& task = *setup.task;
    const std::vector<std::int64_t> rows = {0, 1, 2, 3, 4};
    double terms = 0;
    for (const std::int64_t i : rows) {
      const Json shown = Json::parse(task.show(i));
      terms += static_cast<double>(shown["target"].size());
      CHECK(shown["target"].back() == "[SEP]");
      CHECK(task.train_length(i) ==
            static_cast<std::int64_t>(shown["target"].size() + shown["tokens"].size()));
    }
    CHECK(task.loss_terms(rows) == terms);
    const LossPart whole = task.loss(rows, 0, terms);
    const LossPart first = task.loss(std::span(rows).first(2), 0, terms),
                   rest = task.loss(std::span(rows).last(3), 2, terms);
    CHECK(whole.loss.item() == doctest::Approx(first.loss.item() + rest.loss.item()).epsilon(1e-10));
    CHECK(whole.tokens == first.tokens + rest.tokens);
  }
}

TEST_CASE("a vocabulary of the targets' own: cased, stored, used again") {
  const Folder folder;
  folder.write("train.tsv", "text\ttarget\na b\tGuten Tag, Ada!\nc d\tTag, Ben!\na d\tGuten Abend, Ada!\n");
  RunOptions options = folder.options("decoder");
  options.dev.clear();
  options.trainer.keep_best = false;
  options.trainer.eval_every = 0;
  options.target_vocab = 60;
  options.trainer.epochs = 120;
  fine_tune(options);
  const std::string input = folder.write("in.txt", "a b\nc d\n");
  const std::vector<Json> lines = predict(folder.use({"decoder"}), input);
  CHECK(lines[0]["text"] == "Guten Tag, Ada!");
  CHECK(lines[1]["text"] == "Tag, Ben!");
}

TEST_CASE("parallel text: plain and gzipped lines, several texts, files that do not match") {
  const TemporaryFolder folder;
  const std::string source = folder.write("a:b.src", "one\ttwo\nthree\tfour\n");
  const std::string packed = folder.path("targets.gz");
  const gzFile file = gzopen(packed.c_str(), "wb");
  gzputs(file, "x\ny z\n");
  gzclose(file);
  const Dataset data = read_sequences(source + ":" + packed, {});
  REQUIRE(data.examples.size() == 2);
  CHECK(data.examples[1].texts == std::vector<std::string>{"three", "four"});
  CHECK(data.examples[1].label == "y z");
  CHECK(data.examples[1].line == 2);
  ReadOptions one;
  one.limit = 1;
  CHECK(read_sequences(source + ":" + packed, one).limited);

  const auto error = [&](const std::string& a, const std::string& b) {
    return error_of([&] { read_sequences(folder.write("s", a) + ":" + folder.write("t", b), {}); });
  };
  CHECK(contains(error("1\n2\n3\n", "1\n"), "s has 3 lines"));
  CHECK(contains(error("1\n2\n3\n", "1\n"), "t has 1"));
  CHECK(contains(error("1\n2\n", "1\n \n"), "t:2"));
  CHECK(contains(error("1\n2\t3\n", "1\n2\n"), "s:2"));
  CHECK(contains(error("", ""), "no example"));

  const std::string several = folder.write(
      "d.jsonl", "{\"text\": \"a\", \"target\": [\"x\", \"y\"]}\n{\"text\": \"b\", \"target\": \"z\"}\n");
  const Dataset lists = read_sequences(several, {});
  CHECK(lists.examples[0].labels == std::vector<std::string>{"x", "y"});
  CHECK(lists.examples[1].labels == std::vector<std::string>{"z"});
  CHECK(lists.examples[1].label == "z");
}

TEST_CASE("exact match is of texts, not of white space; any of several targets counts") {
  Dataset data;
  data.examples = {{.labels = {"a b"}}, {.labels = {"x", "c d"}}, {.labels = {"E"}}};
  const Metrics metrics = score_texts(data, {" a  b ", "c d", "e"});
  CHECK(metrics.at("exact_match") == doctest::Approx(2.0 / 3));
  CHECK(metrics.begin()->first == "bleu");
}

TEST_CASE("the report's texts are escaped, differences marked") {
  const ReportSection section = written_section(
      {{{"<b>source"}, {"the big <i>dog"}, "the small <i>dog", 3}, {{"x"}, {"same  text"}, "same text", 4}},
      10);
  CHECK(!contains(section.html, "<b>source"));
  CHECK(contains(section.html, "<mark class=\"lost\">big</mark>"));
  CHECK(contains(section.html, "<mark class=\"added\">small</mark>"));
  CHECK(contains(section.html, "&lt;i&gt;dog"));
  CHECK(contains(section.html, "<span class=\"same\">"));
  const ReportSection map = attention_section({{{"<out>", "end"}, {"<in>", "x"}, {0.25f, 0.75f, 1, 0}}});
  CHECK(!contains(map.html, "<out>"));
  CHECK(contains(map.html, "0.750"));
}
