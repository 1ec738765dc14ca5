// Copying from the input: the span head against Hugging Face, windows, answers in them, decoding.
#include <doctest/doctest.h>

#include "autograd/ops/loss.h"
#include "autograd/testing/gradcheck.h"
#include "nn/optim/adamw.h"
#include "nn/optim/clip.h"
#include "nn/optim/schedule.h"
#include "tasks/extract/extract_model.h"
#include "tasks/extract/span_decode.h"
#include "tasks/extract/windows.h"
#include "tests/golden_model.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

// BertForQuestionAnswering on the weights of tiny_bert, with the stored qa_outputs.
struct GoldenSpans {
  explicit GoldenSpans(DType dtype) : golden("span"), model(config(), false) {
    load_weights(model, WeightFiles(tiny_bert_directory()),
                 {.fresh = {"qa_outputs"}, .ignore = {"classifier", "bert.pooler"}});
    NoGradGuard no_grad;
    model.head.linear->weight.copy_(golden.tensor("qa_outputs.weight"));
    model.head.linear->bias.copy_(golden.tensor("qa_outputs.bias"));
    model.to({.dtype = dtype});
    model.eval();
  }
  static BertConfig config() { return read_bert_config(tiny_bert_directory()); }

  Tensor loss(const std::string& prefix, Tensor* logits = nullptr) const {
    const PackedBatch batch = golden.batch(prefix);
    const Tensor scores = model.forward(batch);
    if (logits != nullptr) *logits = scores;
    const SpanTargets targets{golden.integers(prefix + "starts"), golden.integers(prefix + "ends")};
    return model.head.loss(scores, targets, batch.segments, static_cast<double>(batch.segments.count()));
  }

  Golden golden;
  ExtractModel model;
};

void check_golden(DType dtype, double hidden, double gradient, double gradient_rest, double loss_tolerance) {
  GoldenSpans spans(dtype);
  Tensor logits;
  const Tensor loss = spans.loss("a.", &logits);
  CHECK(largest_difference(doubles(logits), spans.golden.values("logits")) < hidden);
  CHECK(std::abs(loss.item() - spans.golden.value("loss")) < loss_tolerance);
  loss.backward();
  const double global = spans.golden.value("grad_norm");
  CHECK(global_grad_norm(spans.model.parameters()) == doctest::Approx(global).epsilon(gradient));
  for (const NamedParameter& parameter : spans.model.parameters()) {
    CAPTURE(parameter.name);
    const std::vector<double> wanted = spans.golden.values("grad." + parameter.name);
    std::vector<double> difference = doubles(parameter.tensor.grad());
    REQUIRE(difference.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) difference[i] -= wanted[i];
    CHECK(norm_of(difference) <= gradient * norm_of(wanted) + gradient_rest * global);
  }
}

QuestionExample make_example(const std::string& question, const std::string& document,
                             const std::string& answer = "", std::int64_t start = -1) {
  QuestionExample example{
      .id = "1", .question = question, .document = std::make_shared<const std::string>(document)};
  example.where = "test:1";
  AnswerPlaces places;
  if (!answer.empty()) example.answers.push_back(place_answer(example, answer, start, places));
  return example;
}

const Tokenizer& tiny_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::load(tiny_bert_directory());
  return tokenizer;
}

// The text that a window's tokens [start, end] cover.
std::string covered(const Window& window, const QuestionExample& example, const TokenAnswer& answer) {
  return cut_text(*example.document,
                  window.spans.at(static_cast<std::size_t>(answer.start - window.begin)).begin,
                  window.spans.at(static_cast<std::size_t>(answer.end - window.begin)).end);
}

// Scores of a window that are 0 but for the given positions.
SpanLogits scores(const Window& window, std::vector<std::pair<std::int64_t, float>> starts,
                  std::vector<std::pair<std::int64_t, float>> ends) {
  SpanLogits logits{std::vector<float>(window.ids.size(), 0), std::vector<float>(window.ids.size(), 0)};
  for (const auto& [i, value] : starts) logits.start.at(static_cast<std::size_t>(i)) = value;
  for (const auto& [i, value] : ends) logits.end.at(static_cast<std::size_t>(i)) = value;
  return logits;
}

}  // namespace

TEST_CASE("span head in float32: logits, loss, all gradients") {
  check_golden(DType::Float32, 2e-5, 1e-4, 1e-7, 2e-6);
}

TEST_CASE("span head in float64") { check_golden(DType::Float64, 1e-11, 1e-10, 1e-12, 1e-12); }

TEST_CASE("ten training steps") {
  for (const auto& [dtype, tolerance] : {std::pair(DType::Float32, 5e-5), {DType::Float64, 1e-11}}) {
    GoldenSpans spans(dtype);
    const std::vector<double> losses = spans.golden.values("train.loss"),
                              rates = spans.golden.values("train.lr"),
                              norms = spans.golden.values("train.grad_norm");
    const std::vector<NamedParameter> parameters = spans.model.parameters();
    AdamW optimizer(parameters, {.weight_decay = 0.01});
    const Schedule schedule{.kind = ScheduleKind::Linear, .warmup = 2, .total = 10};
    for (std::size_t step = 0; step < losses.size(); ++step) {
      spans.model.zero_grad();
      const Tensor loss = spans.loss(step % 2 == 0 ? "a." : "b.");
      CHECK(std::abs(loss.item() - losses[step]) < tolerance);
      loss.backward();
      const double norm = global_grad_norm(parameters);
      CHECK(std::abs(norm / norms[step] - 1) < 20 * tolerance);
      const double rate = 1e-3 * schedule.factor(static_cast<std::int64_t>(step));
      CHECK(rate == doctest::Approx(rates[step]));
      optimizer.step(rate, clip_factor(norm, 1.0));
    }
  }
}

TEST_CASE("the loss of a window is cross-entropy over its positions") {
  const SpanHead head({.width = 4});
  const Segments segments({3, 5});
  const std::vector<float> values = {0.5f, -1, 2, 0.25f, 1000, 3, -2, 4, 0, 1, 1.5f, -3, -1000, 2, 0.75f, 0};
  Tensor logits = Tensor::from(values, {8, 2}).to(DType::Float64);
  const double loss = head.loss(logits, {{1, 0}, {2, 3}}, segments, 2).item();
  double wanted = 0;
  for (const auto& [begin, length, start, end] : {std::tuple(0, 3, 1, 2), {3, 5, 0, 3}}) {
    for (const auto& [column, target] : {std::pair(0, start), {1, end}}) {
      const Tensor row = logits.slice(0, begin, begin + length).slice(1, column, column + 1).contiguous();
      wanted +=
          cross_entropy(row.reshape({1, length}), Tensor::from(std::vector<std::int64_t>{target})).item() / 4;
    }
  }
  CHECK(loss == doctest::Approx(wanted).epsilon(1e-12));
  CHECK(contains(error_of([&] {
                   head.loss(logits, {{3, 0}, {2, 3}}, segments, 2);
                 }),
                 "position 3 in a sequence of 3"));
}

TEST_CASE("the MLP head has a classifier each for start and end, under head.*") {
  ExtractModel model(GoldenSpans::config(), true);
  init_bert_model(model, GoldenSpans::config(), 3);
  CHECK(model.parameter("head.start.layers.0.weight").shape() == Shape{32, 32});
  CHECK(model.parameter("head.end.layers.1.weight").shape() == Shape{1, 32});
  model.eval();
  const Golden golden("span");
  const PackedBatch batch = golden.batch("a.");
  const Tensor logits = model.forward(batch);
  CHECK(logits.shape() == Shape{batch.segments.total(), 2});
  model.head.loss(logits, {golden.integers("a.starts"), golden.integers("a.ends")}, batch.segments, 4)
      .backward();
  for (const NamedParameter& p : model.parameters()) CHECK(p.tensor.grad().defined());
}

TEST_CASE("windows cover the document, and answers are found in those that hold them") {
  const std::string document = "the cat is good. a dog is not. the fox is big, and the cow is bad.";
  const QuestionExample example = make_example("is it", document, "fox is big");
  const WindowOptions options{.max_length = 20, .stride = 4};
  const std::vector<Window> windows = cut_windows(tiny_tokenizer(), example, options);
  REQUIRE(windows.size() > 2);
  std::int64_t reached = 0, holding = 0;
  for (const Window& window : windows) {
    CHECK(window.length() <= 20);
    CHECK(window.end - window.begin == static_cast<std::int64_t>(window.spans.size()));
    CHECK(window.spans.front().begin <= reached);
    reached = window.spans.back().end;
    const TokenAnswer answer = find_answer(window, example);
    if (answer.start == 0) continue;
    ++holding;
    CHECK(covered(window, example, answer) == "fox is big");
  }
  CHECK(reached == static_cast<std::int64_t>(document.size()));
  CHECK(holding >= 1);
  CHECK(windows.front().first);
  CHECK(windows.back().last);
  CHECK_FALSE(windows.front().last);
  // One window when there is room, and [CLS] where there is no answer.
  const std::vector<Window> one =
      cut_windows(tiny_tokenizer(), make_example("is it", document), {.max_length = 400, .stride = 4});
  REQUIRE(one.size() == 1);
  CHECK(find_answer(one[0], make_example("is it", document)).end == 0);
}

TEST_CASE("a document alone, with and without a fixed question") {
  const QuestionExample example = make_example("", "the good dog", "good");
  const std::vector<Window> alone = cut_windows(tiny_tokenizer(), example, {.max_length = 30, .stride = 4});
  REQUIRE(alone.size() == 1);
  CHECK(alone[0].begin == 1);
  CHECK(alone[0].type_ids.back() == 0);
  const std::vector<Window> asked =
      cut_windows(tiny_tokenizer(), example, {.max_length = 30, .stride = 4, .question = "is"});
  CHECK(asked[0].begin == 3);
  CHECK(covered(asked[0], example, find_answer(asked[0], example)) == "good");
}

TEST_CASE("a question that leaves no room names --max-length") {
  const QuestionExample example = make_example("quick quick quick quick", "dog");
  const std::string error =
      error_of([&] { cut_windows(tiny_tokenizer(), example, {.max_length = 20, .stride = 4}); });
  CHECK(contains(error, "test:1"));
  CHECK(contains(error, "--max-length"));
}

TEST_CASE("answers come back with exactly the source text") {
  // Accents, a letter of four bytes, white space at the answer's ends, an answer that begins within a word.
  const std::string document = "\U0001F600 Big  Fo\u0301x, not a d\u00f6g!";
  const auto round_trip = [&](const std::string& answer) {
    const QuestionExample example = make_example("is", document, answer);
    const std::vector<Window> windows =
        cut_windows(tiny_tokenizer(), example, {.max_length = 40, .stride = 4});
    const TokenAnswer tokens = find_answer(windows[0], example);
    REQUIRE(tokens.start > 0);
    const SpanLogits logits = scores(windows[0], {{tokens.start, 5.0f}}, {{tokens.end, 5.0f}});
    const QuestionAnswer decoded = decode_spans({&windows[0], 1}, {&logits, 1}, {});
    return cut_text(document, decoded.best.start, decoded.best.end);
  };
  CHECK(round_trip("Big  Fo\u0301x") == "Big  Fo\u0301x");
  CHECK(round_trip("d\u00f6g") == "d\u00f6g");
  CHECK(round_trip(" not a ") == "not a");
  CHECK(round_trip("!") == "!");
}

TEST_CASE("decoding: order, length, place and null answers") {
  const QuestionExample example = make_example("is", "the cat is not good");
  const std::vector<Window> windows = cut_windows(tiny_tokenizer(), example, {.max_length = 40, .stride = 4});
  const Window& window = windows[0];
  const std::int64_t b = window.begin, last = window.end - 1;
  const auto decode = [&](const SpanLogits& logits, const DecodeOptions& options = {}) {
    return decode_spans({&window, 1}, {&logits, 1}, options);
  };
  // The best start lies behind the best end: the next best pair that is in order.
  QuestionAnswer answer = decode(scores(window, {{last, 9}, {b, 5}}, {{b, 6}, {last, 1}}));
  CHECK(answer.best.logit == 11);
  CHECK(answer.best.start == window.spans[0].begin);
  CHECK(answer.best.end == window.spans[0].end);
  // At most max_answer tokens.
  answer = decode(scores(window, {{b, 9}}, {{last, 9}}), {.max_answer = 2});
  CHECK(answer.best.logit == 9);
  // The question and [CLS] are no answers.
  answer = decode(scores(window, {{0, 50}, {1, 40}}, {{0, 50}, {1, 40}}));
  CHECK(answer.best.logit == 0);
  CHECK(answer.best.start >= 0);
  CHECK(answer.null_logit == 100);
  CHECK(answer.null_lead() == 100);
  double sum = 0;
  for (const SpanCandidate& c : answer.candidates) sum += c.score;
  CHECK(sum == doctest::Approx(1));
  // "No answer" among the candidates.
  answer = decode(scores(window, {{0, 3}}, {{0, 3}}), {.null_answers = true});
  CHECK(answer.candidates.front().start == -1);
  CHECK(answer.candidates.front().score > 0.9);
  CHECK(answer.best.start >= 0);
}

TEST_CASE("decoding over windows: the best span, the lowest null score") {
  const std::string document = "the cat is good. a dog is not. the fox is big, and the cow is bad.";
  const QuestionExample example = make_example("is it", document);
  const std::vector<Window> windows = cut_windows(tiny_tokenizer(), example, {.max_length = 20, .stride = 4});
  std::vector<SpanLogits> logits;
  for (const Window& w : windows) {
    const auto number = static_cast<float>(&w - windows.data());
    logits.push_back(scores(w, {{0, 10 - number}, {w.begin, number}}, {{0, 0}, {w.begin, number}}));
  }
  const QuestionAnswer answer = decode_spans(windows, logits, {.null_answers = true});
  const auto last = static_cast<double>(windows.size() - 1);
  CHECK(answer.best.logit == 2 * last);
  CHECK(answer.best.start == windows.back().spans.front().begin);
  CHECK(answer.null_logit == 10 - last);
  for (std::size_t i = 1; i < answer.candidates.size(); ++i) {
    const SpanCandidate &a = answer.candidates[i - 1], &c = answer.candidates[i];
    CHECK(a.logit >= c.logit);
    CHECK((a.start != c.start || a.end != c.end));
  }
}

TEST_CASE("a document without tokens has no answer") {
  const QuestionExample example = make_example("is", " \u200b ");
  const std::vector<Window> windows = cut_windows(tiny_tokenizer(), example, {.max_length = 20, .stride = 4});
  REQUIRE(windows.size() == 1);
  const SpanLogits logits = scores(windows[0], {}, {});
  CHECK(decode_spans(windows, {&logits, 1}, {}).candidates.empty());
  const QuestionAnswer answer = decode_spans(windows, {&logits, 1}, {.null_answers = true});
  CHECK(answer.candidates.size() == 1);
  CHECK(answer.null_lead() > 1e300);
}
