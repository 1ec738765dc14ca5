#include "nn/layers/attention.h"

#include "autograd/check.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/rows.h"

namespace sesame {
namespace {

// The low-rank updates of several layers on x [T, in], side by side; zeros for those without one.
Tensor low_rank_parts(const Tensor& x, const std::vector<const LowRankLinear*>& layers) {
  std::vector<Tensor> parts;
  for (const LowRankLinear* layer : layers) {
    parts.push_back(layer->has_low_rank() ? layer->low_rank_part(x)
                                          : Tensor::zeros({x.size(0), layer->weight.size(0)}, x.options()));
  }
  return concat(parts, 1);
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(const MultiHeadAttentionOptions& options)
    : query(options.width, options.width),
      key(options.width, options.width),
      value(options.width, options.width),
      dropout(options.dropout),
      heads_(options.heads) {
  SESAME_CHECK(heads_ > 0 && options.width % heads_ == 0, "MultiHeadAttention",
               "width {} is not divisible by {} heads", options.width, heads_);
  join_storage({&query.weight, &key.weight, &value.weight});
  join_storage({&query.bias, &key.bias, &value.bias});
  register_module("query", query);
  register_module("key", key);
  register_module("value", value);
  register_module("dropout", dropout);
}

AttentionOptions MultiHeadAttention::options(AttentionPattern pattern) const {
  return {.heads = heads_, .pattern = pattern, .scale = 0, .dropout = dropout.next()};
}

// All three projections of x [T, width], side by side: [T, 3 width].
Tensor MultiHeadAttention::queries_keys_values(const Tensor& x) const {
  const Tensor qkv =
      linear_joined(x, {query.weight, key.weight, value.weight}, {query.bias, key.bias, value.bias});
  if (!query.has_low_rank() && !key.has_low_rank() && !value.has_low_rank()) return qkv;
  return qkv + low_rank_parts(x, {&query, &key, &value});
}

Tensor MultiHeadAttention::forward(const Tensor& x, const Segments& segments,
                                   AttentionPattern pattern) const {
  return self_attention(queries_keys_values(x), segments, options(pattern));
}

Tensor MultiHeadAttention::forward(const Tensor& x, const CacheStep& step, Tensor& cache) const {
  const std::int64_t width = query.weight.size(0);
  const Tensor qkv = queries_keys_values(x);
  write_rows(cache, step.rows, qkv.slice(1, width, 3 * width));
  return attention(qkv.slice(1, 0, width), cache.slice(1, 0, width), cache.slice(1, width, 2 * width),
                   step.queries, step.keys, options(step.pattern));
}

Tensor MultiHeadAttention::keys_values(const Tensor& states) const {
  const Tensor kv = linear_joined(states, {key.weight, value.weight}, {key.bias, value.bias});
  if (!key.has_low_rank() && !value.has_low_rank()) return kv;
  return kv + low_rank_parts(states, {&key, &value});
}

Tensor MultiHeadAttention::forward(const Tensor& x, const Tensor& keys_values, const Segments& queries,
                                   const Segments& keys) const {
  const std::int64_t width = query.weight.size(0);
  const Tensor q = query.forward(x);  // [Tq, width]
  return attention(q, keys_values.slice(1, 0, width), keys_values.slice(1, width, 2 * width), queries, keys,
                   options(AttentionPattern::Bidirectional));
}

}  // namespace sesame
