// The names of all ops, by header. tests/test_op_rows.cpp compares this list with the headers and with the
// rows of the op tests: a new op appears here and gets a row, or the tests fail.
#pragma once

namespace sesame {

struct OpName {
  const char* header;  // in autograd/
  const char* name;
};

inline constexpr OpName kOps[] = {
    {"tensor.h", "reshape"},
    {"tensor.h", "transpose"},
    {"tensor.h", "permute"},
    {"tensor.h", "slice"},
    {"tensor.h", "expand"},
    {"tensor.h", "contiguous"},
    {"tensor.h", "to"},

    {"ops/pointwise.h", "add"},
    {"ops/pointwise.h", "sub"},
    {"ops/pointwise.h", "mul"},
    {"ops/pointwise.h", "div"},
    {"ops/pointwise.h", "maximum"},
    {"ops/pointwise.h", "minimum"},
    {"ops/pointwise.h", "affine"},
    {"ops/pointwise.h", "power"},
    {"ops/pointwise.h", "neg"},
    {"ops/pointwise.h", "exp"},
    {"ops/pointwise.h", "log"},
    {"ops/pointwise.h", "sqrt"},
    {"ops/pointwise.h", "abs"},
    {"ops/pointwise.h", "square"},
    {"ops/pointwise.h", "relu"},
    {"ops/pointwise.h", "sigmoid"},
    {"ops/pointwise.h", "tanh"},
    {"ops/pointwise.h", "swish"},
    {"ops/pointwise.h", "gelu"},
    {"ops/pointwise.h", "gelu_tanh"},

    {"ops/matmul.h", "matmul"},
    {"ops/matmul.h", "linear"},
    {"ops/matmul.h", "linear_joined"},

    {"ops/reduce.h", "sum"},
    {"ops/reduce.h", "mean"},
    {"ops/reduce.h", "max"},
    {"ops/reduce.h", "argmax"},

    {"ops/softmax.h", "softmax"},
    {"ops/softmax.h", "log_softmax"},

    {"ops/norm.h", "layer_norm"},
    {"ops/norm.h", "dropout_add_layer_norm"},
    {"ops/norm.h", "dropout"},

    {"ops/rows.h", "gather_rows"},
    {"ops/rows.h", "embedding"},
    {"ops/rows.h", "scatter_rows"},
    {"ops/rows.h", "concat"},

    {"ops/segment_ops.h", "segment_sum"},
    {"ops/segment_ops.h", "segment_mean"},
    {"ops/segment_ops.h", "segment_max"},
    {"ops/segment_ops.h", "segment_softmax"},
    {"ops/segment_ops.h", "segment_attention_pool"},

    {"ops/attention.h", "attention"},
    {"ops/attention.h", "self_attention"},

    {"ops/loss.h", "cross_entropy"},
    {"ops/loss.h", "mse_loss"},
    {"ops/loss.h", "bce_with_logits"},

    {"ops/crf.h", "crf_nll"},
};

}  // namespace sesame
