// Questions from files: SQuAD JSON, JSON lines, tables; answers that are not where they are said to be.
#include <doctest/doctest.h>
#include <zlib.h>

#include "tasks/extract/question_reader.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

std::string squad(const std::string& questions,
                  const std::string& context = "A caf\u00e9 in Denver, Denver Broncos.") {
  return R"({"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": ")" + context +
         R"(", "qas": [)" + questions + "]}]}]}";
}

QuestionSet read(const TemporaryFolder& folder, const std::string& name, const std::string& content,
                 QuestionReadOptions options = {}) {
  return read_questions(folder.write(name, content), options);
}

std::string error_for(const std::string& name, const std::string& content, QuestionReadOptions options = {}) {
  const TemporaryFolder folder;
  return error_of([&] { read(folder, name, content, options); });
}

}  // namespace

TEST_CASE("SQuAD JSON: offsets in code points, shared documents, questions without an answer") {
  const TemporaryFolder folder;
  const std::string content = squad(R"({"id": "a", "question": "Where?", "is_impossible": false,
                "answers": [{"text": "Denver", "answer_start": 10}, {"text": "Denver Broncos", "answer_start": 18}]},
               {"id": "b", "question": "Who?", "is_impossible": true, "answers": [],
                "plausible_answers": [{"text": "nothing of this is read", "answer_start": 1}]})");
  const QuestionSet data = read(folder, "dev.json", content);
  REQUIRE(data.examples.size() == 2);
  CHECK(data.second_version);
  CHECK(data.unanswered == 1);
  CHECK(data.texts == 2);
  const QuestionExample& first = data.examples[0];
  CHECK(first.id == "a");
  CHECK(contains(first.where, "dev.json: question a"));
  CHECK(first.answers[0].start == 10);
  CHECK(first.answers[1].end == 32);
  CHECK(first.document == data.examples[1].document);
  CHECK(cut_text(*first.document, first.answers[1].start, first.answers[1].end) == "Denver Broncos");
  CHECK(read(folder, "pretty.json", "\n\n" + content, {.limit = 1}).limited);
  // The same under another name, if one says so.
  CHECK(read(folder, "dev.data", content, {.format = "squad"}).examples.size() == 2);
}

TEST_CASE("gzipped files") {
  const TemporaryFolder folder;
  const std::string content =
      squad(R"({"id": "a", "question": "q", "answers": [{"text": "A", "answer_start": 0}]})");
  const gzFile file = gzopen(folder.path("dev.json.gz").c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
  CHECK(read_questions(folder.path("dev.json.gz"), {}).examples.size() == 1);
}

TEST_CASE("answers that are not at their place") {
  const TemporaryFolder folder;
  const auto one = [&](const std::string& answer) {
    return squad(R"({"id": "a7", "question": "q", "answers": [)" + answer + "]}");
  };
  const QuestionSet moved = read(folder, "d.json", one(R"({"text": "Broncos", "answer_start": 3})"));
  CHECK(moved.places.moved == 1);
  CHECK(moved.examples[0].answers[0].start == 25);
  CHECK(contains(describe(moved), "1 answer not at the place given"));
  const std::string twice = error_for("d.json", one(R"({"text": "Denver", "answer_start": 3})"));
  CHECK(contains(twice, "question a7"));
  CHECK(contains(twice, "several times"));
  CHECK(contains(error_for("d.json", one(R"({"text": "Boston", "answer_start": 3})")),
                 "\"Boston\" does not occur"));
  CHECK(contains(error_for("d.json", one(R"({"text": " ", "answer_start": 1})")), "answer is empty"));
  CHECK(contains(error_for("d.json", one(R"({"text": "A", "answer_start": 99999})")), "several") == false);
}

TEST_CASE("JSON lines in their several forms") {
  const TemporaryFolder folder;
  const QuestionSet hf = read(
      folder, "a.jsonl",
      R"({"id": 7, "question": "Where?", "context": "In Rome.", "answers": {"text": ["Rome"], "answer_start": [3]}})"
      "\n"
      R"({"id": 8, "question": "Who?", "context": "In Rome.", "answers": {"text": [], "answer_start": []}})"
      "\n");
  REQUIRE(hf.examples.size() == 2);
  CHECK(hf.examples[0].id == "7");
  CHECK(hf.examples[0].answers[0].start == 3);
  CHECK(hf.unanswered == 1);
  const QuestionSet plain = read(folder, "b.jsonl",
                                 R"({"text": "Where?", "text2": "Rome, Rome", "answer": "Rome", "start": 6})"
                                 "\n"
                                 R"({"text": "Where?", "text2": "Rome, Rome", "answer": "Rome"})"
                                 "\n"
                                 R"({"text": "Who?", "text2": "Rome", "answer": null})"
                                 "\n"
                                 R"({"text": "Who?", "text2": "Ann and Bo", "answer": ["Ann", "Bo"]})"
                                 "\n");
  CHECK(plain.examples[0].answers[0].start == 6);
  CHECK(plain.examples[1].answers[0].start == 0);
  CHECK(plain.places.ambiguous == 1);
  CHECK(plain.examples[2].answers.empty());
  CHECK(plain.examples[3].answers.size() == 2);
  const QuestionSet alone =
      read(folder, "c.json", R"({"text": "So very kind of you", "answer": "very kind"})");
  CHECK(alone.texts == 1);
  CHECK(alone.examples[0].question.empty());
  CHECK(alone.examples[0].answers[0].start == 3);
  const QuestionSet named =
      read(folder, "d.jsonl", R"({"mood": "good", "tweet": "fine day", "chosen": "fine"})",
           {.columns = {.texts = {"mood", "tweet"}, .label = "chosen"}});
  CHECK(named.examples[0].question == "good");
}

TEST_CASE("tables and plain lines") {
  const TemporaryFolder folder;
  const QuestionSet tsv =
      read(folder, "a.tsv", "text\ttext2\tanswer\tstart\nWhere?\tÀ Rome\tRome\t2\nWho?\tRome\t\t\n");
  CHECK(tsv.examples[0].answers[0].start == 2);
  CHECK(tsv.examples[1].answers.empty());
  const QuestionSet csv = read(folder, "a.csv", "context,answer\n\"Rome, or\",Rome\n");
  CHECK(csv.texts == 1);
  QuestionReader lines(folder.write("a.txt", "Where?\tIn Rome\n"), {.need_answers = false, .text_count = 2});
  QuestionExample example;
  REQUIRE(lines.next(example));
  CHECK(example.question == "Where?");
  CHECK(*example.document == "In Rome");
  CHECK_FALSE(lines.next(example));
}

TEST_CASE("what does not fit is refused with its place") {
  const auto refused = [](const std::string& name, const std::string& content, const std::string& part) {
    const std::string error = error_for(name, content);
    CAPTURE(content);
    CAPTURE(error);
    CHECK(contains(error, part));
    CHECK(contains(error, name));
  };
  const std::string good = squad(R"({"id": "a", "question": "q", "answers": []})");
  refused("d.json", good.substr(0, good.size() - 5), "JSON");
  refused("d.json", R"({"data": 3})", "\"data\" is a number");
  refused("d.json", R"({"data": [{"paragraphs": [{"qas": []}]}]})", "no key \"context\"");
  refused("d.json", R"({"data": [{"title": "t"}]})", "data[0]] no key \"paragraphs\"");
  refused("d.json", R"({"data": []})", "holds no question");
  refused("d.json", squad(R"({"id": "a", "answers": []})"), "qas[0]] no key \"question\"");
  refused("d.json", squad(R"({"id": "a", "question": "q"})"), "no key \"answers\"");
  refused("d.json", squad(R"({"id": "a", "question": 5, "answers": []})"), "\"question\" is a number");
  refused("d.json", squad(R"({"id": "a", "question": "q", "answers": [{"text": "A", "answer_start": "0"}]})"),
          "a code point's number");
  refused(
      "d.json",
      squad(
          R"({"id": "a", "question": "q", "is_impossible": true, "answers": [{"text": "A", "answer_start": 0}]})"),
      "is_impossible");
  refused("d.json", squad(R"({"id": "a", "question": "q", "answers": []})", " "), "the document is empty");
  refused("d.json", squad(R"({"id": "a", "question": "", "answers": []})"), "the question is empty");
  refused("d.json", std::string(200, '[') + std::string(200, ']'), "nested deeper");
  refused("d.json", squad(R"({"id": "a", "question": "q\u0000", "answers": []})"), "NUL");
  refused("d.jsonl", "{\"text\": \"a\", \"answer\": \"a\"}\n{\"text\": \"a\"}\n", ":2] no key \"answer\"");
  refused("d.jsonl", "{\"text\": \"a\", \"answer\": {\"text\": [\"a\"], \"answer_start\": []}}\n",
          "1 answers with 0 places");
  refused("d.jsonl", "{\"text\": \"a\", \"answer\": 3}\n", "\"answer\" is a number");
  refused("d.tsv", "text\tanswer\tstart\na cat\tcat\ttwo\n", ":2] \"start\" holds \"two\"");
  refused("d.tsv", "text\tlabels\na cat\tcat\n", "no column \"answer\"");
  refused("d.txt", "a cat\n", "plain lines carry no answers");
}
