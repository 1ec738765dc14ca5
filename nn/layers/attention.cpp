#include "nn/layers/attention.h"

#include "autograd/check.h"
#include "autograd/ops/matmul.h"

namespace sesame {

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

Tensor MultiHeadAttention::forward(const Tensor& x, const Segments& segments,
                                   AttentionPattern pattern) const {
  const Tensor qkv = linear_joined(x, {query.weight, key.weight, value.weight},
                                   {query.bias, key.bias, value.bias});  // [T, 3 width]
  return self_attention(qkv, segments, options(pattern));
}

Tensor MultiHeadAttention::forward(const Tensor& x, const Tensor& memory, const Segments& queries,
                                   const Segments& keys) const {
  const std::int64_t width = query.weight.size(0);
  const Tensor q = query.forward(x);  // [Tq, width]
  const Tensor kv =
      linear_joined(memory, {key.weight, value.weight}, {key.bias, value.bias});  // [Tk, 2 width]
  return attention(q, kv.slice(1, 0, width), kv.slice(1, width, 2 * width), queries, keys,
                   options(AttentionPattern::Bidirectional));
}

}  // namespace sesame
