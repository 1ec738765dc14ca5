// Entity scores against seqeval (tests/golden/tag_golden.json) and against the output of the official
// conlleval.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "tasks/metrics/entities.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

// Gold and predicted tags of a file in conlleval's form: the last two columns.
struct TwoColumns {
  TagLists gold, predicted;
};
TwoColumns read_two_columns(const std::string& path) {
  TwoColumns data;
  data.gold.emplace_back();
  data.predicted.emplace_back();
  std::ifstream input(path);
  for (std::string line; std::getline(input, line);) {
    std::istringstream words(line);
    std::vector<std::string> fields;
    for (std::string field; words >> field;) fields.push_back(field);
    if (fields.size() >= 2) {
      data.gold.back().push_back(fields[fields.size() - 2]);
      data.predicted.back().push_back(fields.back());
    } else if (!data.gold.back().empty()) {
      data.gold.emplace_back();
      data.predicted.emplace_back();
    }
  }
  return data;
}

double percent(double x) { return std::round(x * 1e4) / 100; }

// Compares with every number of the official output.
void check_official(const std::string& name) {
  const std::string folder = std::string(SESAME_SOURCE_DIR) + "/../shared/data/entity_f1/";
  if (!std::filesystem::exists(folder + name + ".txt")) {
    MESSAGE("skipped: no ", folder, name, ".txt");
    return;
  }
  const TwoColumns data = read_two_columns(folder + name + ".txt");
  const Metrics metrics = tag_metrics(data.gold, data.predicted, true);
  const auto counts = count_entities(data.gold, data.predicted);
  const std::string official = read_file(folder + name + ".conlleval_output.txt");
  std::smatch m;
  REQUIRE(std::regex_search(official, m,
                            std::regex(R"(with (\d+) phrases; found: (\d+) phrases; correct: (\d+))")));
  EntityCounts all;
  for (const auto& [type, c] : counts) {
    all.gold += c.gold;
    all.predicted += c.predicted;
    all.correct += c.correct;
  }
  CHECK(all.gold == std::stoll(m[1]));
  CHECK(all.predicted == std::stoll(m[2]));
  CHECK(all.correct == std::stoll(m[3]));
  REQUIRE(std::regex_search(
      official, m,
      std::regex(R"(accuracy:\s+([\d.]+)%; precision:\s+([\d.]+)%; recall:\s+([\d.]+)%; FB1:\s+([\d.]+))")));
  CHECK(percent(metrics.at("word_accuracy")) == doctest::Approx(std::stod(m[1])));
  CHECK(percent(metrics.at("entity_precision")) == doctest::Approx(std::stod(m[2])));
  CHECK(percent(metrics.at("entity_recall")) == doctest::Approx(std::stod(m[3])));
  CHECK(percent(metrics.at("entity_f1")) == doctest::Approx(std::stod(m[4])));
  const std::regex row(R"((\w+): precision:\s+([\d.]+)%; recall:\s+([\d.]+)%; FB1:\s+([\d.]+)\s+(\d+))");
  std::size_t types = 0;
  for (std::sregex_iterator it(official.begin(), official.end(), row), end; it != end; ++it) {
    if ((*it)[1] == "accuracy") continue;
    ++types;
    const EntityCounts& c = counts.at((*it)[1]);
    CAPTURE((*it)[1].str());
    CHECK(percent(c.precision()) == doctest::Approx(std::stod((*it)[2])));
    CHECK(percent(c.recall()) == doctest::Approx(std::stod((*it)[3])));
    CHECK(percent(c.f1()) == doctest::Approx(std::stod((*it)[4])));
    CHECK(c.predicted == std::stoll((*it)[5]));
  }
  CHECK(types >= 2);
}

}  // namespace

TEST_CASE("entity scores equal seqeval's") {
  const auto golden =
      nlohmann::json::parse(read_file(std::string(SESAME_SOURCE_DIR) + "/tests/golden/tag_golden.json"));
  REQUIRE(golden["entities"].size() >= 12);
  for (const auto& one : golden["entities"]) {
    CAPTURE(one["name"].get<std::string>());
    const Metrics metrics = tag_metrics(one["gold"].get<TagLists>(), one["predicted"].get<TagLists>(), true);
    CHECK(metrics.at("entity_f1") == doctest::Approx(one["f1"].get<double>()).epsilon(1e-12));
    CHECK(metrics.at("entity_precision") == doctest::Approx(one["precision"].get<double>()).epsilon(1e-12));
    CHECK(metrics.at("entity_recall") == doctest::Approx(one["recall"].get<double>()).epsilon(1e-12));
    for (const auto& [type, f1] : one["types"].items()) {
      CHECK(metrics.at("f1_" + type) == doctest::Approx(f1.get<double>()).epsilon(1e-12));
    }
  }
}

TEST_CASE("entity scores equal conlleval's official output") {
  check_official("seqeval_ground_truth");
  check_official("seqeval_ground_truth_inv");
}

TEST_CASE("entities and words") {
  const std::vector<Entity> found = find_entities({"B-A", "I-A", "I-B", "O", "U-C", "U-C", "B-C", "L-C"});
  CHECK(found == std::vector<Entity>{{"A", 0, 2}, {"B", 2, 3}, {"C", 4, 5}, {"C", 5, 6}, {"C", 6, 8}});
  CHECK(find_entities({}).empty());
  const Metrics words = tag_metrics({{"NOUN", "VERB"}, {"X"}}, {{"NOUN", "NOUN"}, {"X"}}, false);
  CHECK(words.at("word_accuracy") == doctest::Approx(2.0 / 3));
  CHECK_FALSE(words.has("entity_f1"));
  CHECK(contains(error_of([] {
                   tag_metrics({{"O", "O"}}, {{"O"}}, true);
                 }),
                 "sentence 1: 1 tags for 2 words"));
}
