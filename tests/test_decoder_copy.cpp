// Both versions learn to copy and to reverse random token strings: training, caches and decoding fit
// together.
#include <doctest/doctest.h>

#include "autograd/engine.h"
#include "autograd/ops/loss.h"
#include "models/generation/decode.h"
#include "nn/optim/adamw.h"
#include "nn/optim/clip.h"
#include "tests/generation_models.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

constexpr std::int64_t kVocab = 16, kLongest = 6;

// [CLS] letters [SEP] -> the letters, or the letters from behind.
SequencePair draw(RandomStream& random, bool reverse, std::int64_t example) {
  const std::int64_t length = 1 + static_cast<std::int64_t>(random.below(kLongest));
  SequencePair pair{random_source(random, length, example, kVocab), {}};
  pair.target = pair.source.ids;
  if (reverse) std::reverse(pair.target.begin(), pair.target.end());
  pair.source.ids.insert(pair.source.ids.begin(), kBegin);
  pair.source.ids.push_back(kEnd);
  pair.source.type_ids.clear();
  return pair;
}

double exact_match(SequenceModel& model, bool reverse) {
  RandomStream random(99);
  std::vector<std::vector<std::int64_t>> targets;
  std::vector<TokenSequence> sources;
  for (std::int64_t i = 0; i < 400; ++i) {
    const SequencePair pair = draw(random, reverse, i);
    targets.push_back(pair.target);
    sources.push_back(pair.source);
  }
  model.eval();
  const auto outputs = decode({&model}, {sources}, {.max_new_tokens = kLongest + 3});
  model.train();
  int right = 0;
  for (std::size_t i = 0; i < 400; ++i) right += outputs[i][0].ended && outputs[i][0].tokens == targets[i];
  return right / 400.0;
}

// Steps until 99 % of 400 unseen strings come out right; 0: not within 800.
std::int64_t steps_to_learn(SequenceModel& model, bool reverse) {
  const std::vector<NamedParameter> parameters = model.parameters();
  AdamW optimizer(parameters, {.weight_decay = 0.01});
  RandomStream random(5);
  for (std::int64_t step = 1; step <= 800; ++step) {
    std::vector<SequencePair> batch;
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < 32; ++i) {
      batch.push_back(draw(random, reverse, i));
      labels.insert(labels.end(), batch.back().target.begin(), batch.back().target.end());
      labels.push_back(kEnd);
    }
    model.zero_grad();
    cross_entropy(model.teacher_forced(batch), Tensor::from(labels)).backward();
    const double rate =
        4e-3 * std::min(1.0, static_cast<double>(step) / 50) * (1 - static_cast<double>(step) / 1000);
    optimizer.step(rate, clip_factor(global_grad_norm(parameters), 1.0));
    if (step % 50 == 0 && exact_match(model, reverse) >= 0.99) return step;
  }
  return 0;
}

}  // namespace

TEST_CASE("copying and reversing are learned") {
  BertConfig config = tiny_config(kVocab);
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
  for (const int version : {1, 2}) {
    for (const bool reverse : {false, true}) {
      const auto model = random_model(version, 0.02, 1, config);
      // 0.02 is meant for wide layers; at a width of 32 nothing would come through.
      for (const NamedParameter& p : model->parameters()) {
        const bool table = p.name.find("_embeddings.") != std::string::npos;
        if (p.tensor.dim() == 2 && !table) init_xavier_uniform(p.tensor, init_key(3, p.name));
      }
      const std::int64_t steps = steps_to_learn(*model, reverse);
      MESSAGE("version ", version, std::string(reverse ? ", reversing: " : ", copying: "), steps, " steps");
      CHECK(steps > 0);
    }
  }
}
