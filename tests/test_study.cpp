// A whole study at the smallest size: it finishes, goes on where it was stopped, repeats itself, and its page
// says what it must.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "golden_model.h"
#include "tasks/study/findings.h"
#include "tasks/study/page.h"
#include "tasks/study/sets.h"
#include "tasks/study/store.h"
#include "tasks/study/study.h"
#include "temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;

namespace {

const char* const kRows =
    "text\tlabel\nthe good\tyes\nnot a\tno\nis good b\tyes\nnot\tno\na good b\tyes\nnot the\tno\n";

struct Smallest {
  Smallest() {
    folder.write("toy/train.tsv", kRows);
    folder.write("toy/dev.tsv", kRows);
    options = {.model = testing::tiny_bert_directory(),
               .out = folder.path("out"),
               .data = {"toy=" + folder.path("toy") + ",max-length=16"},
               .examples = false,
               .seeds = 2,
               .steps = 4,
               .batch_size = 3,
               .evaluations = 2,
               .probe_tokens = 30,
               .line_points = 5,
               .grid = 5,
               .snapshots = 2};
  }
  testing::TemporaryFolder folder;
  StudyOptions options;
};

}  // namespace

TEST_CASE("all of a study, its page, and nothing to do the second time") {
  Smallest s;
  run_study("all", s.options);
  const auto text = [&](const char* name) {
    return testing::read_file(s.folder.path(std::string("out/") + name));
  };
  const std::string curves = text("curves.jsonl"), path = text("path.jsonl"),
                    landscape = text("landscape.jsonl");
  CHECK(std::count(curves.begin(), curves.end(), '\n') == 1 + 4);
  CHECK(std::count(landscape.begin(), landscape.end(), '\n') == 1 + 2 * (2 + 2));
  CHECK(std::count(path.begin(), path.end(), '\n') == 1 + 2);
  for (const auto& result : ResultFile(s.options.out, "path").all()) {
    CHECK(result["missed"] == 0);  // the repeated training is the same, bit for bit
    const auto last = result["points"].back();
    CHECK(last[1].get<double>() == doctest::Approx(1));
    CHECK(last[2].get<double>() == doctest::Approx(0).epsilon(1e-6));
  }
  const std::string page = text("study.html");
  for (const char* part :
       {"Training from pretrained", "The shape of the loss", "The way of the optimiser", "Layers set back",
        "What is trained, and what it costs", "Which layers a task reads", "Scores of every set",
        "default-src 'none'", "Hao et al. 2019"}) {
    CHECK_MESSAGE(contains(page, part), part);
  }
  for (const char* never : {"<script", "nan", "inf\"", "http-equiv=\"refresh"})
    CHECK_MESSAGE(!contains(page, never), never);
  CHECK_FALSE(std::filesystem::exists(s.folder.path("out/work")));

  // A run that is missing is made again, equal to before; the others stay.
  const std::size_t end = curves.rfind('\n', curves.size() - 2);
  s.folder.write("out/curves.jsonl", curves.substr(0, end + 1));
  run_study("all", s.options);
  const auto without_times = [](const std::string& lines) {
    std::string kept;
    for (std::size_t at = 0, stop = 0; at < lines.size(); at = stop + 1) {
      stop = lines.find('\n', at);
      auto json = nlohmann::json::parse(lines.substr(at, stop - at));
      json.erase("train_seconds");
      kept += json.dump() + "\n";
    }
    return kept;
  };
  CHECK(without_times(text("curves.jsonl")) == without_times(curves));
  CHECK(text("landscape.jsonl") == landscape);
}

TEST_CASE("the loss at the start and at the solution is that of the model") {
  Smallest s;
  s.options.seeds = 1;
  run_study("landscape", s.options);
  const ResultFile results(s.options.out, "landscape");
  const auto line = results.at("toy/pretrained/1/line"), plane = results.at("toy/pretrained/1/solutions");
  // Both lead through start and solution: x = 0 and 1 are points 1 and 3 of 5, y = 0 is row 1.
  for (const std::size_t i : {1, 3}) {
    CHECK(line["train"][i].get<double>() ==
          doctest::Approx(plane["train"][5 + i].get<double>()).epsilon(1e-5));
    CHECK(line["dev"][i].get<double>() == doctest::Approx(plane["dev"][5 + i].get<double>()).epsilon(1e-5));
  }
  // The middle of the plane of random directions is the solution.
  const auto random = results.at("toy/pretrained/1/random directions");
  CHECK(random["train"][12].get<double>() == doctest::Approx(line["train"][3].get<double>()).epsilon(1e-5));
}

TEST_CASE("sets are read from their specification") {
  testing::TemporaryFolder folder;
  const std::string model = testing::tiny_bert_directory(), toy = folder.path("toy");
  folder.write("toy/train.tsv", kRows);
  folder.write("toy/dev.tsv", kRows);
  const auto sets = [&](std::vector<std::string> data, std::vector<std::string> presets = {}) {
    return study_sets(
        {.model = model, .data = std::move(data), .presets = std::move(presets), .examples = false});
  };
  const StudySet set = sets({"a=" + toy + ",text=question,label=topic,limit=3,lr=2e-4"}).at(0);
  CHECK(set.name == "a");
  CHECK(set.run.columns == "text=question,label=topic");
  CHECK(set.run.limit == 3);
  CHECK(set.run.trainer.lr == 2e-4);
  CHECK(set.run.max_length == 128);
  CHECK(sets({}, {"sst2=" + toy}).at(0).run.preset == "sst2");
  CHECK(sets({"a=" + toy, "a=" + toy + ",limit=1"}).size() == 1);
  CHECK(sets({"a=" + toy + ",train=dev.tsv"}).at(0).run.train == toy + "/dev.tsv");
  CHECK(contains(error_of([&] { sets({}); }), "no data"));
  CHECK(contains(error_of([&] { sets({"a"}); }), "NAME=DIR"));
  CHECK(contains(error_of([&] { sets({"a=" + folder.path("none")}); }), "none"));
  CHECK(contains(error_of([&] { sets({"a=" + toy + ",colour=red"}); }), "colour"));
  CHECK(contains(error_of([&] { sets({"a=" + toy + ",limit=-1"}); }), "-1"));
  folder.write("toy/train.csv", kRows);
  CHECK(contains(error_of([&] { sets({"a=" + toy}); }), "2 files train.*"));
}

TEST_CASE("results of other versions and other programs are refused") {
  testing::TemporaryFolder folder;
  const auto error = [&](const std::string& content) {
    folder.write("curves.jsonl", content);
    return error_of([&] { ResultFile(folder.path(), "curves"); });
  };
  CHECK(error("{\"study\":\"curves\",\"format\":1}\n") == "");
  CHECK(contains(error("{\"study\":\"curves\",\"format\":2}\n"), "format 2"));
  CHECK(contains(error("{\"study\":\"table\",\"format\":1}\n"), "table"));
  CHECK(contains(error("{\"step\":1}\n"), "curves.jsonl:1"));
  CHECK(contains(error("{\"study\":\"curves\",\"format\":1}\n{\"ke"), "curves.jsonl:2"));
  CHECK(contains(error(""), "empty"));
}

TEST_CASE("verdicts follow the runs") {
  const Spread low = spread_of({1, 2}), high = spread_of({3, 4}), across = spread_of({1.5, 3.5});
  CHECK(below(low, high) == Verdict::Agrees);
  CHECK(below(high, low) == Verdict::Differs);
  CHECK(below(low, across) == Verdict::Mixed);
  CHECK(below(low, high, 1.5) == Verdict::Mixed);
  CHECK(together({Verdict::Agrees, Verdict::Agrees}) == Verdict::Agrees);
  CHECK(together({Verdict::Agrees, Verdict::Differs}) == Verdict::Mixed);
  CHECK(together({}) == Verdict::Mixed);
  CHECK(low.deviation == doctest::Approx(std::sqrt(0.5)));
  CHECK(spread_text(spread_of({0.5})) == "0.500");
}
