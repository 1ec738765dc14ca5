// Tagging words against Hugging Face's BertForTokenClassification in float64
// (tests/golden/make_tag_golden.py), and whole runs on small data.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "autograd/engine.h"
#include "autograd/random.h"
#include "nn/optim/adamw.h"
#include "nn/optim/clip.h"
#include "nn/optim/schedule.h"
#include "tasks/tag/tag_predictor.h"
#include "tests/golden_model.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

struct GoldenTagger {
  Golden golden{"tag"};
  nlohmann::json texts =
      nlohmann::json::parse(read_file(std::string(SESAME_SOURCE_DIR) + "/tests/golden/tag_golden.json"));
  Tokenizer tokenizer = Tokenizer::load(tiny_bert_directory());
  TagModel model;

  explicit GoldenTagger(DType dtype)
      : model(read_bert_config(tiny_bert_directory()), {.width = 32, .outputs = 5, .dropout = 0}) {
    load_weights(model, WeightFiles(tiny_bert_directory()),
                 {.fresh = {"classifier"}, .ignore = {"bert.pooler"}});
    const NoGradGuard no_grad;
    model.head.linear->weight.copy_(golden.tensor("classifier.weight"));
    model.head.linear->bias.fill_(0);
    model.to({.dtype = dtype});
    model.eval();
  }

  // The sentences of a golden batch as words.
  std::vector<WordInput> inputs(const std::string& batch) const {
    std::vector<WordInput> list;
    for (const auto& one : texts[batch]) {
      list.push_back(make_word_input(tokenizer, {.words = one["words"].get<std::vector<std::string>>()},
                                     {.max_length = 40}, 0));
    }
    return list;
  }
  Tensor loss(const std::string& batch) const {
    const WordBatch words = pack_words(inputs(batch), 40, {});
    const Tensor labels = golden.labels(batch + ".");
    return model.head.loss(model.forward(words), labels, words.sentences, static_cast<double>(labels.numel()),
                           0);
  }
};

void check_tagger(DType dtype, double logits_tolerance, double gradient_tolerance, double loss_tolerance) {
  const GoldenTagger tagger(dtype);
  const WordBatch batch = pack_words(tagger.inputs("a"), 40, {});
  CHECK(batch.tokens.ids.to_vector<std::int64_t>() == tagger.golden.integers("a.ids"));
  CHECK(batch.rows.to_vector<std::int64_t>() == tagger.golden.integers("a.rows"));
  const double logits =
      largest_difference(doubles(tagger.model.forward(batch)), tagger.golden.values("logits"));
  CHECK(logits < logits_tolerance);
  const Tensor loss = tagger.loss("a");
  CHECK(std::abs(loss.item() - tagger.golden.value("loss")) < loss_tolerance);
  loss.backward();
  double global = 0;
  for (const NamedParameter& p : tagger.model.parameters()) {
    const double norm = tagger.golden.value("grad_norm." + p.name);
    global += norm * norm;
  }
  double worst = 0;
  for (const NamedParameter& p : tagger.model.parameters()) {
    CAPTURE(p.name);
    const std::vector<double> got = doubles(p.tensor.grad());
    const double wanted = tagger.golden.value("grad_norm." + p.name),
                 allowed = gradient_tolerance * wanted + 1e-3 * gradient_tolerance * std::sqrt(global);
    const double distance = projected_distance(got, tagger.golden.values("grad_projection." + p.name));
    CHECK(distance <= allowed);
    CHECK(std::abs(norm_of(got) - wanted) <= allowed);
    worst = std::max(worst, distance / allowed);
  }
  MESSAGE(std::string(dtype_name(dtype)), ": logits off by ", logits, ", worst gradient at ", worst,
          " of what is allowed");
}

// Sentences of a small language: every "cat" and "dog" is an animal, "good dog" is one of two words.
std::string small_corpus() {
  std::string text;
  const char* sentences[] = {"the O\ncat B-A\nis O\nbad O\n",
                             "a O\ngood B-A\ndog I-A\nis O\nnot O\ngood O\n",
                             "not O\nthe O\ndog B-A\n",
                             "is O\nthe O\ngood B-A\ndog I-A\nbad O\n! O\n",
                             "cat B-A\n, O\ndog B-A\n, O\ncat B-A\n",
                             "the O\nbad O\nis O\nnot O\nthe O\ngood O\n"};
  for (int round = 0; round < 12; ++round) {
    for (const char* sentence : sentences) text += std::string(sentence) + "\n";
  }
  return text;
}

// Trains for some steps and returns the last loss.
double train_some(Task& task, int steps) {
  const std::vector<NamedParameter> parameters = task.model().parameters();
  AdamW optimizer(parameters, {});
  double last = 0;
  for (int step = 0; step < steps; ++step) {
    std::vector<std::int64_t> batch;
    for (std::int64_t i = 0; i < 12; ++i) batch.push_back((step * 12 + i) % task.train_size());
    task.model().zero_grad();
    const RandomScope scope(1, static_cast<std::uint64_t>(step));
    const Tensor loss = task.loss(batch, 0, task.loss_terms(batch)).loss;
    loss.backward();
    optimizer.step(3e-3, clip_factor(global_grad_norm(parameters), 1.0));
    last = loss.item();
  }
  return last;
}

RunOptions small_run(const TemporaryFolder& folder, const std::string& decode, std::int64_t max_length) {
  RunOptions options;
  options.task = "tag";
  options.train = options.dev = folder.write("train.conll", small_corpus());
  options.model = tiny_bert_directory();
  options.decode = decode;
  options.max_length = max_length;
  tag_defaults(options);
  return options;
}

}  // namespace

TEST_CASE("words of tiny BERT: logits, loss, all gradients") {
  check_tagger(DType::Float32, 2e-5, 1e-4, 2e-6);
  check_tagger(DType::Float64, 1e-11, 1e-10, 1e-12);
}

TEST_CASE("words of tiny BERT: ten training steps") {
  for (const DType dtype : {DType::Float32, DType::Float64}) {
    GoldenTagger tagger(dtype);
    const std::vector<double> wanted = tagger.golden.values("train.loss");
    const std::vector<NamedParameter> parameters = tagger.model.parameters();
    AdamW optimizer(parameters, {.weight_decay = 0.01});
    const Schedule schedule{.kind = ScheduleKind::Linear, .warmup = 2, .total = 10};
    double worst = 0;
    for (std::size_t step = 0; step < wanted.size(); ++step) {
      tagger.model.zero_grad();
      const Tensor loss = tagger.loss(step % 2 == 0 ? "a" : "b");
      loss.backward();
      worst = std::max(worst, std::abs(loss.item() - wanted[step]));
      optimizer.step(1e-3 * schedule.factor(static_cast<std::int64_t>(step)),
                     clip_factor(global_grad_norm(parameters), 1.0));
    }
    MESSAGE(std::string(dtype_name(dtype)), ": losses off by ", worst);
    CHECK(worst < (dtype == DType::Float32 ? 2e-6 : 1e-9));
  }
}

TEST_CASE("a small language is learned, with each decoding and in windows") {
  const TemporaryFolder folder;
  for (const std::string decode : {"free", "legal", "crf"}) {
    for (const std::int64_t max_length : {32, 7}) {
      CAPTURE(decode);
      CAPTURE(max_length);
      RunSetup setup = set_up_tag(small_run(folder, decode, max_length));
      setup.model->train();
      const double loss = train_some(*setup.task, 120);
      setup.model->eval();
      const Metrics metrics = setup.task->evaluate();
      MESSAGE(decode, ", max_length ", max_length, ": loss ", loss, ", entity F1 ", metrics.at("entity_f1"));
      CHECK(metrics.at("entity_f1") > 0.9);
      CHECK(metrics.at("word_accuracy") > 0.95);
      Report report;
      setup.task->describe(report);
      CHECK(report.sections.size() == 2);
    }
  }
}

TEST_CASE("parts of an update add up to the whole") {
  const TemporaryFolder folder;
  for (const char* decode : {"free", "crf"}) {
    RunSetup setup = set_up_tag(small_run(folder, decode, 7));
    setup.model->train();  // with dropout, whose draws must not depend on the parts
    const std::vector<std::int64_t> all = {0, 1, 2, 3, 4, 5};
    const double terms = setup.task->loss_terms(all);
    CHECK(terms == 30);
    double whole = 0, parts = 0;
    {
      const RandomScope scope(1, 5);
      whole = setup.task->loss(all, 0, terms).loss.item();
    }
    for (const std::int64_t i : all) {
      const RandomScope scope(1, 5);
      parts += setup.task->loss(std::vector<std::int64_t>{i}, i, terms).loss.item();
    }
    CHECK(parts == doctest::Approx(whole).epsilon(1e-5));
  }
}

TEST_CASE("the folder of a run predicts what the run evaluated") {
  const TemporaryFolder folder;
  for (const char* decode : {"free", "crf"}) {
    RunSetup setup = set_up_tag(small_run(folder, decode, 32));
    setup.model->train();
    train_some(*setup.task, 40);
    setup.model->eval();
    const Metrics wanted = setup.task->evaluate();
    const std::string out = folder.path(decode);
    save_pretrained(out, *setup.model, setup.config, setup.config.architectures.at(0));
    setup.tokenizer.save(out);
    folder.write(std::string(decode) + "/task.json", setup.task->task_json());
    UseOptions use;
    use.models = {out};
    CHECK(load_tag(use)->evaluate(folder.path("train.conll")).at("entity_f1") == wanted.at("entity_f1"));
    use.models = {out, out};
    use.logits = true;
    std::string lines;
    load_tag(use)->predict(folder.write("in.txt", "the good dog\n\ncat\n"),
                           [&](const std::string& line) { lines += line + "\n"; });
    const auto first = nlohmann::json::parse(lines.substr(0, lines.find('\n')));
    CHECK(first["tokens"] == nlohmann::json({"the", "good", "dog"}));
    CHECK(first["tags"].size() == 3);
    CHECK(first["scores"].size() == 3);
    CHECK(first["logits"][2].size() == 3);
    CHECK(contains(lines, "{\"tokens\":[],\"tags\":[]"));
    CHECK(std::count(lines.begin(), lines.end(), '\n') == 3);
  }
  UseOptions mixed;
  mixed.models = {folder.path("free"), folder.path("crf")};
  CHECK(contains(error_of([&] { load_tag(mixed); }), "cannot form an ensemble"));
}

TEST_CASE("predicted tags of others are scored") {
  const TemporaryFolder folder;
  ScoreOptions options;
  options.data = folder.write("gold.conll", "a B-X\nb I-X\n\nc O\n");
  options.predictions =
      folder.write("p.jsonl", "{\"tags\": [\"B-X\", \"I-X\"]}\n{\"tokens\": [\"c\"], \"tags\": [\"B-Z\"]}\n");
  CHECK(score_tag(options).at("entity_precision") == 0.5);
  CHECK(score_tag(options).at("word_accuracy") == doctest::Approx(2.0 / 3));
  options.predictions = folder.write("p.conll", "a B-X B-X\nb I-X O\n\nc O O\n");
  CHECK(score_tag(options).at("entity_f1") == 0);
  options.data.clear();
  CHECK(score_tag(options).at("word_accuracy") == doctest::Approx(2.0 / 3));
  options.data = folder.path("gold.conll");
  const auto error = [&](const std::string& content) {
    options.predictions = folder.write("p.jsonl", content);
    return error_of([&] { score_tag(options); });
  };
  CHECK(contains(error("{\"tags\": [\"O\", \"O\"]}\n"), "tags of 1 sentences"));
  CHECK(contains(error("{\"tags\": [\"O\"]}\n{\"tags\": [\"O\"]}\n"), "p.jsonl:1] 1 tags for the 2 words"));
  CHECK(contains(error("{\"tags\": [\"O\", \"O\"], \"tokens\": [\"a\", \"x\"]}\n{\"tags\": [\"O\"]}\n"),
                 "the word is \"x\""));
  CHECK(contains(error("{\"label\": 1}\n"), "list of \"tags\""));
}

TEST_CASE("set-ups that do not fit are refused") {
  const TemporaryFolder folder;
  const auto error = [&](const std::function<void(RunOptions&)>& change) {
    RunOptions options = small_run(folder, "free", 32);
    change(options);
    return error_of([&] { set_up_tag(options); });
  };
  CHECK(contains(error([&](RunOptions& o) { o.dev = folder.write("d.conll", "a O\nb B-ODD\n"); }),
                 "d.conll:2] unknown label \"B-ODD\""));
  CHECK(contains(error([](RunOptions& o) { o.decode = "best"; }), "expected free, legal or crf"));
  CHECK(contains(error([](RunOptions& o) { o.stride = 30; }), "--stride"));
  CHECK(contains(error([](RunOptions& o) { o.max_length = 100; }), "--max-length"));
  CHECK(
      contains(error([](RunOptions& o) { o.decode = "crf", o.label_smoothing = 0.1; }), "--label-smoothing"));
  CHECK(contains(error([](RunOptions& o) { o.head = "tree"; }), "--head"));
  CHECK(contains(error([&](RunOptions& o) {
                   o.train = folder.write("pos.conll", "a X\nb Y\n");
                   o.decode = "legal";
                 }),
                 "legal needs tags of a scheme"));
  CHECK(contains(error([&](RunOptions& o) { o.train = folder.write("one.conll", "a O\nb O\n"); }),
                 "1 different tag (\"O\"), at least 2 wanted"));
}
