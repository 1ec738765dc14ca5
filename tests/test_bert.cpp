// The packed BERT: batches, errors, and that nothing depends on batch mates.
#include <doctest/doctest.h>

#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/random.h"
#include "tests/golden_model.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

// Sequences of many lengths over tiny BERT's vocabulary.
std::vector<TokenSequence> mixed_sequences() {
  RandomStream random(7);
  std::vector<TokenSequence> list;
  for (const std::int64_t length : {1, 40, 3, 2, 17, 8, 33, 5, 21, 40}) {
    TokenSequence sequence;
    for (std::int64_t i = 0; i < length; ++i) {
      sequence.ids.push_back(static_cast<std::int64_t>(random.below(64)));
      sequence.type_ids.push_back(i > length / 2 ? 1 : 0);
    }
    sequence.example = static_cast<std::int64_t>(list.size());
    list.push_back(sequence);
  }
  return list;
}

GoldenClassifier& tiny() {
  static GoldenClassifier model(read_bert_config(tiny_bert_directory()), 3);
  static const LoadReport report = load_weights(model, WeightFiles(tiny_bert_directory()));
  return model;
}

}  // namespace

TEST_CASE("packing") {
  const PackedBatch batch = pack_batch({{{5, 6, 7}, {0, 1, 1}, 4}, {{8}, {}, 9}}, 3);
  CHECK(batch.ids.to_vector<std::int64_t>() == std::vector<std::int64_t>{5, 6, 7, 8});
  CHECK(batch.type_ids.to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1, 1, 0});
  CHECK(batch.position_ids.to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1, 2, 0});
  CHECK(batch.segments.count() == 2);
  CHECK(batch.segments.example_keys().to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{std::int64_t{4} << 32, std::int64_t{9} << 32});
  CHECK(contains(error_of([] { pack_batch({{{1, 2, 3, 4}, {}, 17}}, 3); }), "example 17 has 4 tokens"));
  CHECK(contains(error_of([] { pack_batch({{{}, {}, 2}}, 3); }), "example 2 has no tokens"));
  CHECK(contains(error_of([] {
                   pack_batch({{{1, 2}, {0}, 2}}, 3);
                 }),
                 "example 2 has 1 type ids for 2 tokens"));
}

TEST_CASE("logits are the same alone, in any batch and in any order") {
  const NoGradGuard no_grad;
  const std::vector<TokenSequence> sequences = mixed_sequences();
  std::vector<TokenSequence> backwards(sequences.rbegin(), sequences.rend());
  const std::vector<double> together = doubles(tiny().logits(pack_batch(sequences, 40)));
  const std::vector<double> reversed = doubles(tiny().logits(pack_batch(backwards, 40)));
  double worst = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::vector<double> alone = doubles(tiny().logits(pack_batch({sequences[i]}, 40)));
    for (std::size_t c = 0; c < 3; ++c) {
      worst = std::max(worst, std::abs(alone[c] - together[3 * i + c]));
      worst = std::max(worst, std::abs(alone[c] - reversed[3 * (sequences.size() - 1 - i) + c]));
    }
  }
  MESSAGE("logits differ by at most ", worst);
  CHECK(worst < 1e-5);
}

TEST_CASE("dropout depends on the example, not on its batch") {
  const NoGradGuard no_grad;
  GoldenClassifier& model = tiny();
  const std::vector<TokenSequence> sequences = mixed_sequences();
  const auto run = [&](const std::vector<TokenSequence>& list, std::uint64_t step) {
    const RandomScope scope(1, step);
    return doubles(model.logits(pack_batch(list, 40)));
  };
  const std::vector<double> still = run(sequences, 0);
  model.train();
  const std::vector<double> together = run(sequences, 0);
  CHECK(largest_difference(still, together) > 1e-2);
  CHECK(largest_difference(run(sequences, 0), together) == 0);
  CHECK(largest_difference(run(sequences, 1), together) > 1e-2);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::vector<double> alone = run({sequences[i]}, 0);
    CHECK(largest_difference(alone, {together.begin() + 3 * static_cast<std::ptrdiff_t>(i),
                                     together.begin() + 3 * static_cast<std::ptrdiff_t>(i + 1)}) < 1e-5);
  }
  model.eval();
}

// In float64, where another order of the same sums leaves no more than a trace.
TEST_CASE("the last layer computes the first rows alone where no others are read") {
  GoldenClassifier model(read_bert_config(tiny_bert_directory()), 3);
  load_weights(model, WeightFiles(tiny_bert_directory()));
  model.to({.dtype = DType::Float64});
  const PackedBatch batch = pack_batch(mixed_sequences(), 40);
  model.train();
  const auto gradients = [&](bool only_first) {
    const RandomScope scope(1, 0);  // dropout must fall on the same places
    model.zero_grad();
    const BertOutput output = model.bert.forward(batch, {.only_first = only_first});
    CHECK(output.last.size(0) == (only_first ? batch.segments.count() : batch.segments.total()));
    sum(square(output.pooled)).backward();
    std::vector<std::vector<double>> values = {doubles(output.pooled.detach())};
    for (const NamedParameter& p : model.bert.parameters()) values.push_back(doubles(p.tensor.grad()));
    return values;
  };
  const auto all = gradients(false), first = gradients(true);
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(largest_difference(all[i], first[i]) < 1e-12);
  CHECK_THROWS_WITH(model.bert.forward(batch, {.all_hidden = true, .only_first = true}),
                    doctest::Contains("only_first"));
}

TEST_CASE("hidden states are kept on request, the pooler is optional") {
  const NoGradGuard no_grad;
  const PackedBatch batch = pack_batch({mixed_sequences()[4]}, 40);
  const BertOutput all = tiny().bert.forward(batch, {.all_hidden = true, .pooled = false});
  CHECK(all.hidden.size() == 3);
  CHECK(!all.pooled.defined());
  const BertOutput last = tiny().bert.forward(batch);
  CHECK(last.hidden.size() == 1);
  CHECK(largest_difference(doubles(last.last), doubles(all.hidden[2])) == 0);
  CHECK(last.pooled.shape() == Shape{1, 32});
  const Bert without(read_bert_config(tiny_bert_directory()), false);
  CHECK(!without.forward(batch).pooled.defined());
}

TEST_CASE("errors of a batch name what is wrong") {
  const NoGradGuard no_grad;
  PackedBatch batch = pack_batch({{{1, 2, 3}, {}, 0}}, 40);
  batch.type_ids = Tensor::from(std::vector<std::int64_t>{0, 0});
  CHECK(contains(error_of([&] { tiny().bert.forward(batch); }),
                 "segments cover 3 rows; ids are (3,), position ids (3,), type ids (2,)"));
  const auto error = [](const TokenSequence& sequence) {
    return error_of([&] { tiny().bert.forward(pack_batch({sequence}, 1000)); });
  };
  CHECK(contains(error({{1, 64}, {}, 0}), "64"));
  CHECK(contains(error({{1, -1}, {}, 0}), "-1"));
  CHECK(contains(error({{1, 2}, {0, 2}, 0}), "2"));
  CHECK(contains(error({std::vector<std::int64_t>(41, 1), {}, 0}), "40"));
}

TEST_CASE("frozen parts get no gradient") {
  GoldenClassifier& model = tiny();
  model.bert.set_requires_grad(false);
  model.zero_grad();
  const Tensor logits = model.logits(pack_batch(mixed_sequences(), 40));
  logits.reshape({-1}).slice(0, 0, 1).reshape(Shape{}).backward();
  for (const NamedParameter& parameter : model.parameters()) {
    CHECK(parameter.tensor.grad().defined() == parameter.name.starts_with("classifier."));
  }
  model.zero_grad();
  model.bert.set_requires_grad(true);
}
