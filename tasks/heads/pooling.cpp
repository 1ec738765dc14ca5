#include "tasks/heads/pooling.h"

#include "autograd/check.h"
#include "autograd/ops/segment_ops.h"

namespace sesame {

Pooling parse_pooling(const std::string& name) {
  if (name == "cls") return Pooling::Cls;
  if (name == "mean") return Pooling::Mean;
  if (name == "max") return Pooling::Max;
  if (name == "attention") return Pooling::Attention;
  fail("--pool", "unknown pooling '{}': expected cls, mean, max or attention", name);
}

const char* pooling_name(Pooling pooling) {
  switch (pooling) {
    case Pooling::Cls:
      return "cls";
    case Pooling::Mean:
      return "mean";
    case Pooling::Max:
      return "max";
    case Pooling::Attention:
      return "attention";
  }
  return "?";
}

AttentionPool::AttentionPool(std::int64_t width) : score(width, 1) { register_module("score", score); }

Tensor AttentionPool::forward(const Tensor& states, const Segments& segments) const {
  return segment_attention_pool(states, score.forward(states), segments);
}

}  // namespace sesame
