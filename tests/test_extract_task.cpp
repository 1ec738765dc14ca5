// The extract task as the trainer sees it, and its part of the report.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "autograd/random.h"
#include "tasks/extract/extract_setup.h"
#include "tasks/report/answers.h"
#include "tests/golden_model.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

const std::string kLong = "the cat is good. a dog is not. the fox is big, and the cow is bad.";

std::string line(const std::string& question, const std::string& answer) {
  return nlohmann::json{{"text", question}, {"text2", kLong}, {"answer", answer}}.dump() + "\n";
}

RunSetup set_up(const TemporaryFolder& folder, const std::string& content) {
  RunOptions options;
  options.task = "extract";
  options.train = options.dev = folder.write("train.jsonl", content);
  options.model = tiny_bert_directory();
  options.max_length = 22;
  extract_defaults(options);
  CHECK(options.stride == 7);
  return set_up_extract(options);
}

double loss_of(Task& task, const std::vector<std::int64_t>& examples, std::int64_t first, double terms) {
  const RandomScope scope(7, 3);
  return task.loss(examples, first, terms).loss.item();
}

}  // namespace

TEST_CASE("accumulated parts add up to the whole update, dropout included") {
  const TemporaryFolder folder;
  const RunSetup setup =
      set_up(folder, line("is it", "dog") + line("who", "the cow") + line("the fox", "big"));
  Task& task = *setup.task;
  task.model().train();
  const std::vector<std::int64_t> all = {0, 1, 2}, front = {0, 1}, back = {2};
  const double terms = task.loss_terms(all);
  CHECK(terms > 6);  // windows, several of each question
  CHECK(task.loss_terms(front) + task.loss_terms(back) == terms);
  const double whole = loss_of(task, all, 0, terms);
  CHECK(loss_of(task, front, 0, terms) + loss_of(task, back, 2, terms) ==
        doctest::Approx(whole).epsilon(1e-5));
  // Other numbers in the update, other masks.
  CHECK(std::abs(loss_of(task, front, 5, terms) + loss_of(task, back, 2, terms) - whole) > 1e-4);
  const std::int64_t tokens = task.loss(all, 0, terms).tokens;
  CHECK(tokens == task.train_length(0) + task.train_length(1) + task.train_length(2));
}

TEST_CASE("what a run stores and shows") {
  const TemporaryFolder folder;
  const RunSetup setup = set_up(folder, line("is it", "dog") + line("who", "the cow"));
  CHECK(setup.config.architectures == std::vector<std::string>{"BertForQuestionAnswering"});
  CHECK(setup.config.labels.size() == 2);
  setup.task->model().eval();
  const Metrics metrics = setup.task->evaluate();
  for (const std::string& name : setup.task->metric_names()) CHECK(metrics.has(name));
  const auto file = nlohmann::json::parse(setup.task->task_json());
  CHECK(file["null_answers"] == false);
  CHECK(file["stride"] == 7);
  const auto shown = nlohmann::json::parse(setup.task->show(1));
  CHECK(shown["answer"] == "the cow");
  CHECK(shown["windows"].size() > 1);
  Report report;
  setup.task->describe(report);
  CHECK(report.data.size() == 2);
  REQUIRE(report.sections.size() == 1);
  CHECK(contains(report.sections[0].html, "<mark"));
}

TEST_CASE("questions without an answer: the threshold is chosen on dev and stored") {
  const TemporaryFolder folder;
  const RunSetup setup = set_up(folder, line("is it", "dog") + line("who", "") + line("the", ""));
  setup.task->model().eval();
  const Metrics metrics = setup.task->evaluate();
  for (const std::string& name : setup.task->metric_names()) CHECK(metrics.has(name));
  CHECK(metrics.at("f1") == metrics.at("best_f1"));
  CHECK(metrics.at("f1") >= 200.0 / 3 - 1e-9);  // what "no answer" for all would get
  const auto file = nlohmann::json::parse(setup.task->task_json());
  CHECK(file["null_answers"] == true);
  CHECK(file["null_threshold"].get<double>() == doctest::Approx(metrics.at("best_f1_thresh")));
  Report report;
  setup.task->describe(report);
  REQUIRE(report.sections.size() == 2);
  CHECK(contains(report.sections[0].html, "without an answer"));
}

TEST_CASE("the report's answers: escaped, cut around the marks, mistakes first") {
  const std::string evil = "<script>alert('x')</script>";
  std::string far;
  for (int i = 0; i < 400; ++i) far += "word\u00e9 ";
  std::vector<AnswerRow> rows = {
      {.question = "right", .document = "abc", .gold = {{0, 1}}, .predicted = {0, 1}, .score = 1, .f1 = 1},
      {.question = evil,
       .document = far + evil + far,
       .gold = {{2400, 2403}},
       .predicted = {2402, 2410},
       .score = 0.9}};
  const std::string html = answers_section(rows).html;
  CHECK_FALSE(contains(html, "<script"));
  CHECK(html.size() < 3000);
  CHECK(contains(html, "<mark class=\"g\">&lt;s</mark><mark class=\"gp\">c</mark><mark class=\"p\">ript"));
  CHECK(html.find("&lt;script") < html.find("right"));
  CHECK(contains(html, "<mark class=\"gp\">a</mark>bc"));
}
