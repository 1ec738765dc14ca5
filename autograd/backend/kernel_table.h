// The contract between ops and a backend: one table of functions on raw views. A backend knows no graph, no
// shape rules and no allocation policy; everything it gets has been checked by the op. Outputs are allocated
// by the caller. Only plain structs here: the CPU kernels are compiled once per instruction set and must not
// instantiate library templates.
#pragma once

#include <cstddef>
#include <cstdint>

#include "autograd/dtype.h"

namespace sesame {

// A tensor as a kernel sees it; strides in elements.
struct View {
  void* data = nullptr;
  DType dtype = DType::Float32;
  int dim = 0;
  std::int64_t size[6] = {};
  std::int64_t stride[6] = {};
  std::int64_t numel = 0;
};

enum class UnaryOp { Neg, Exp, Log, Sqrt, Abs, Square, Relu, Sigmoid, Tanh, Swish, Gelu, GeluTanh };
enum class BinaryOp { Add, Sub, Mul, Div, Maximum, Minimum };
enum class ReduceOp { Sum, Max };
enum class SegmentOp { Sum, Mean, Max };
// Activation fused behind a linear layer.
enum class Activation { None, Gelu, GeluTanh, Relu, Tanh, Swish };
// Which keys a query sees. Queries are the last `q_length` positions of their keys.
enum class AttentionPattern { Bidirectional, Causal, Prefix };

// Dropout drawn from Philox4x32-10 (Salmon et al. 2011): element (row, column) is kept when its 32-bit draw
// is at least `threshold`; kept elements are multiplied by `scale`. key = 64 bits of seed, step, module path,
// call. Row dropout: counter = (example, position, column / 4, 0), the draw is word column % 4; example and
// position are the high and low 32 bits of the row's key. Attention: counter = (example, query position, key
// position / 4, head + 1), the draw is word (key position) % 4; the example is the query segment's, and
// positions count from the first key (of queries in the bidirectional pattern: from the first query).
// threshold == 0 means no dropout.
struct DropoutSpec {
  std::uint64_t key = 0;
  std::uint32_t threshold = 0;
  float scale = 1.0f;
  bool active() const { return threshold != 0; }
};

// Sequences of a packed batch as arrays on the device, `count` of each.
struct SegmentsView {
  std::int64_t count = 0;
  std::int64_t total = 0;       // rows that belong to segments
  std::int64_t max_length = 0;  // longest segment
  const std::int32_t* begin = nullptr;
  const std::int32_t* length = nullptr;
  const std::int32_t* prefix = nullptr;   // source length of each segment (AttentionPattern::Prefix)
  const std::int32_t* example = nullptr;  // index of the example in the whole step (dropout counters)
};

// C[b] = alpha * op(A[b]) op(B[b]) + beta * C[b], row-major; op transposes when the flag is set.
// op(A) is [m, k], op(B) is [k, n]; ld* are row strides and step_* the distance between matrices, in
// elements. C has the type of A and B, or is float32 where they are bfloat16.
struct GemmArgs {
  DType dtype = DType::Float32;    // of A and B
  DType c_dtype = DType::Float32;  // of C
  bool transpose_a = false, transpose_b = false;
  std::int64_t m = 0, n = 0, k = 0, batch = 1;
  const void* a = nullptr;
  std::int64_t lda = 0, step_a = 0;
  const void* b = nullptr;
  std::int64_t ldb = 0, step_b = 0;
  void* c = nullptr;
  std::int64_t ldc = 0, step_c = 0;
  double alpha = 1, beta = 0;
};

// A linear layer, y = activation(product + bias): the product as GemmArgs writes it (batch 1, beta 0), its C
// is y.
struct LinearArgs {
  GemmArgs product;
  Activation activation = Activation::None;
  const void* bias = nullptr;  // [n]; null: none
  void* pre = nullptr;         // [m, n], contiguous: product + bias for the backward pass; null: not kept
};

// sum = residual + dropout(x); out = (sum - mean) * rstd * gamma + beta over rows of `cols`.
// residual, sum, mean, rstd may be null (sum: not kept). Contiguous rows. mean, rstd [rows] have the dtype of
// x, float32 where that is bfloat16.
struct LayerNormArgs {
  DType dtype = DType::Float32;
  std::int64_t rows = 0, cols = 0;
  const void* x = nullptr;
  const void* residual = nullptr;
  DropoutSpec dropout;
  const std::int64_t* row_keys = nullptr;
  const void* gamma = nullptr;
  const void* beta = nullptr;
  double eps = 1e-12;
  void* out = nullptr;
  void* sum = nullptr;
  void* mean = nullptr;
  void* rstd = nullptr;
};

// Gradients of the above; each output may be null when it is not wanted. `sum` is what was normalised.
// d_residual = d_sum, dx = dropout(d_sum). Everything is overwritten, not added to.
struct LayerNormBackwardArgs {
  DType dtype = DType::Float32;
  std::int64_t rows = 0, cols = 0;
  const void* dy = nullptr;
  const void* sum = nullptr;
  const void* mean = nullptr;
  const void* rstd = nullptr;
  const void* gamma = nullptr;
  DropoutSpec dropout;
  const std::int64_t* row_keys = nullptr;
  void* dx = nullptr;
  void* d_residual = nullptr;
  void* d_gamma = nullptr;
  void* d_beta = nullptr;
};

// Packed attention: out[i] = sum_j softmax_j(scale * q_i . k_j) v_j inside each (query segment, key segment)
// pair and head. Rows of q, k, v, out are [heads * head_dim] with the given row strides. lse [rows of q,
// heads] keeps the log-sum-exp of the scaled scores for the backward pass (null: not wanted), in float32
// where dtype is bfloat16. Rows outside of segments are not touched.
struct AttentionArgs {
  DType dtype = DType::Float32;
  AttentionPattern pattern = AttentionPattern::Bidirectional;
  std::int64_t heads = 0, head_dim = 0;
  double scale = 1;
  DropoutSpec dropout;
  SegmentsView queries, keys;
  const void* q = nullptr;
  const void* k = nullptr;
  const void* v = nullptr;
  std::int64_t q_stride = 0, k_stride = 0, v_stride = 0, out_stride = 0;
  void* out = nullptr;
  void* lse = nullptr;
};

// Gradients: dq, dk, dv (null: not wanted) have the row strides given here; rows inside segments are
// overwritten. Several query segments may share one key segment (beams), so dk and dv are added up: the
// caller zeroes them first when `shared_keys` is set, else they are overwritten.
struct AttentionBackwardArgs {
  AttentionArgs forward;  // with out and lse as computed
  const void* d_out = nullptr;
  std::int64_t d_out_stride = 0;
  void* dq = nullptr;
  void* dk = nullptr;
  void* dv = nullptr;
  std::int64_t dq_stride = 0, dk_stride = 0, dv_stride = 0;
  bool shared_keys = false;
};

// Softmax cross-entropy by row: loss[i] = logsumexp(logits_i) - (1 - s) logits_i[t_i] - s mean_j logits_i[j],
// and 0 for rows whose target is ignore_index. lse [rows] is kept for the backward pass, in float32 where
// dtype is bfloat16. The op has checked that every other target is inside [0, cols).
struct CrossEntropyArgs {
  DType dtype = DType::Float32;
  std::int64_t rows = 0, cols = 0;
  const void* logits = nullptr;
  const std::int64_t* targets = nullptr;
  std::int64_t ignore_index = -100;
  double smoothing = 0;
  void* loss = nullptr;
  void* lse = nullptr;
};

// dlogits_i = dloss[i] * (softmax(logits_i) - target distribution), 0 for ignored rows.
struct CrossEntropyBackwardArgs {
  CrossEntropyArgs forward;
  const void* dloss = nullptr;
  void* dlogits = nullptr;
};

// Linear-chain CRF over packed rows: emissions [W, K], tags [W], transitions [K, K] (from, to), start and end
// [K]. loss [count] = log_z - score of the tags; 0 for empty segments. alpha [W, K] (forward algorithm) and
// log_z [count] are kept for the backward pass. Segments do not overlap; the op has checked the tags.
struct CrfArgs {
  DType dtype = DType::Float32;
  std::int64_t classes = 0;
  SegmentsView segments;
  const void* emissions = nullptr;
  const std::int64_t* tags = nullptr;
  const void* transitions = nullptr;
  const void* start = nullptr;
  const void* end = nullptr;
  void* alpha = nullptr;
  void* log_z = nullptr;
  void* loss = nullptr;
};

// Gradients of the summed loss, zeroed by the caller; beta [W, K] is room for the backward algorithm.
// d_transitions may be null (not wanted).
struct CrfBackwardArgs {
  CrfArgs forward;
  void* beta = nullptr;
  void* d_emissions = nullptr;
  void* d_transitions = nullptr;
  void* d_start = nullptr;
  void* d_end = nullptr;
};

// One tensor of a decoupled-weight-decay Adam step (Loshchilov & Hutter 2019, algorithm 2), float32 or
// float64:
//   g = grad * grad_scale; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2
//   w = w (1 - lr * decay) - lr / bias1 * m / (sqrt(v / bias2) + eps)
struct AdamWArgs {
  DType dtype = DType::Float32;
  std::int64_t numel = 0;
  void* weight = nullptr;
  const void* grad = nullptr;
  void* m = nullptr;
  void* v = nullptr;
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, decay = 0, bias1 = 1, bias2 = 1, grad_scale = 1;
};

struct SgdArgs {
  DType dtype = DType::Float32;
  std::int64_t numel = 0;
  void* weight = nullptr;
  const void* grad = nullptr;
  void* momentum_buffer = nullptr;  // null: plain SGD
  double lr = 0, momentum = 0, decay = 0, grad_scale = 1;
};

// Every function a backend supplies. A null entry makes the op throw "no kernel" with device and dtype.
struct KernelTable {
  const char* name = "";  // "cpu/avx2"

  // --- memory
  // ---------------------------------------------------------------------------------------------------
  void* (*allocate)(std::size_t bytes) = nullptr;  // from the system; null when out of memory
  void (*release)(void* data, std::size_t bytes) = nullptr;
  std::size_t (*free_bytes)() = nullptr;  // what the device could still give; null: not known
  void (*copy_to_host)(void* host, const void* device, std::size_t bytes) = nullptr;
  void (*copy_from_host)(void* device, const void* host, std::size_t bytes) = nullptr;

  // --- copies (any strides; dtypes may differ in copy)
  // --------------------------------------------------------------
  void (*fill)(const View& out, double value) = nullptr;
  void (*copy)(const View& out, const View& x) = nullptr;
  // out += alpha * x, contiguous, same dtype.
  void (*accumulate)(const View& out, const View& x, double alpha) = nullptr;

  // --- pointwise
  // ----------------------------------------------------------------------------------------------------
  void (*unary)(UnaryOp op, const View& out, const View& x) = nullptr;  // contiguous
  // dx = dy * op'(x); x is the input and y the output of the forward pass. Contiguous.
  void (*unary_backward)(UnaryOp op, const View& dx, const View& dy, const View& x, const View& y) = nullptr;
  // a and b have the dims and sizes of out, stride 0 where they are broadcast; any strides.
  void (*binary)(BinaryOp op, const View& out, const View& a, const View& b) = nullptr;
  // out = scale * x + shift. Contiguous.
  void (*affine)(const View& out, const View& x, double scale, double shift) = nullptr;
  // out = x^exponent, and dx = dy * exponent * x^(exponent - 1). Contiguous.
  void (*power)(const View& out, const View& x, double exponent) = nullptr;
  void (*power_backward)(const View& dx, const View& dy, const View& x, double exponent) = nullptr;

  // --- products
  // -----------------------------------------------------------------------------------------------------
  void (*gemm)(const GemmArgs& args) = nullptr;
  void (*linear)(const LinearArgs& args) = nullptr;
  // dpre = dy * activation'(pre); dbias = column sums of dpre (no data: not wanted). dpre may be dy. dbias
  // may be float32 where the others are bfloat16.
  void (*bias_activation_backward)(Activation activation, const View& dpre, const View& dbias, const View& dy,
                                   const View& pre) = nullptr;
  // dW = dpre^T x [n, k] as `product` says, and dbias [n] = column sums of dpre [rows, n] in the type of dW.
  void (*weight_gradient)(const GemmArgs& product, const View& dbias, const View& dpre) = nullptr;

  // --- reductions, x contiguous as [outer, n, inner], out [outer, inner]
  // ----------------------------------------------- index [outer, inner] int64 receives the position of the
  // maximum (no data: not wanted).
  void (*reduce)(ReduceOp op, const View& out, const View& index, const View& x, std::int64_t outer,
                 std::int64_t n, std::int64_t inner) = nullptr;
  // The k largest of each row of x [rows, n], contiguous, k <= n: values and index (int64) [rows, k], largest
  // first, of equal ones the first.
  void (*top_k)(const View& values, const View& index, const View& x, std::int64_t k) = nullptr;
  // Sum of squares of a contiguous tensor, accumulated in double, in an order that does not depend on
  // threads.
  double (*sum_squares)(const View& x) = nullptr;

  // --- softmax over the last axis, contiguous [rows, cols]
  // ---------------------------------------------------------------
  void (*softmax)(bool log, const View& out, const View& x) = nullptr;
  void (*softmax_backward)(bool log, const View& dx, const View& dy, const View& y) = nullptr;

  // --- normalisation and dropout
  // -----------------------------------------------------------------------------------------
  void (*layer_norm)(const LayerNormArgs& args) = nullptr;
  void (*layer_norm_backward)(const LayerNormBackwardArgs& args) = nullptr;
  // out = dropout(x) on rows [rows, cols]; row_keys int64 [rows] or no data (then row i has key i).
  void (*dropout)(const View& out, const View& x, const View& row_keys, const DropoutSpec& spec) = nullptr;

  // --- rows
  // ------------------------------------------------------------------------------------------------------------
  // out[i] = table[ids[i]], rows of `cols`; ids int64, already checked to be in range. Contiguous.
  void (*gather_rows)(const View& out, const View& table, const View& ids) = nullptr;
  // table[ids[i]] += rows[i]; equal ids are added in ascending order of i, so the result is the same every
  // time.
  void (*scatter_add_rows)(const View& table, const View& rows, const View& ids) = nullptr;
  // table[ids[i]] = rows[i] for distinct ids; rows may be further apart than they are wide.
  void (*write_rows)(const View& table, const View& rows, const View& ids) = nullptr;
  // Smallest and largest of int64 values.
  void (*int_range)(const View& ids, std::int64_t* smallest, std::int64_t* largest) = nullptr;

  // --- segments: x [T, C] -> out [count, C]
  // ---------------------------------------------------------------------------------- index [count, C] int64
  // receives the row of the maximum (SegmentOp::Max). Empty segments give 0 (index -1).
  void (*segment_reduce)(SegmentOp op, const View& out, const View& index, const View& x,
                         const SegmentsView& segments) = nullptr;
  // dx [T, C] (zeroed by the caller) from dy [count, C].
  void (*segment_reduce_backward)(SegmentOp op, const View& dx, const View& dy, const View& index,
                                  const SegmentsView& segments) = nullptr;
  // Softmax over the rows of each segment, separately for each column. Rows outside of segments are not
  // touched.
  void (*segment_softmax)(const View& out, const View& x, const SegmentsView& segments) = nullptr;
  void (*segment_softmax_backward)(const View& dx, const View& dy, const View& y,
                                   const SegmentsView& segments) = nullptr;

  // --- attention
  // -----------------------------------------------------------------------------------------------------------
  void (*attention)(const AttentionArgs& args) = nullptr;
  void (*attention_backward)(const AttentionBackwardArgs& args) = nullptr;

  // --- losses
  // -----------------------------------------------------------------------------------------------------------------
  void (*cross_entropy)(const CrossEntropyArgs& args) = nullptr;
  void (*cross_entropy_backward)(const CrossEntropyBackwardArgs& args) = nullptr;
  // Element by element: out = max(x, 0) - x t + log(1 + exp(-|x|)); dx = dy (sigmoid(x) - t). Contiguous.
  void (*bce_with_logits)(const View& out, const View& x, const View& target) = nullptr;
  void (*bce_with_logits_backward)(const View& dx, const View& dy, const View& x,
                                   const View& target) = nullptr;

  void (*crf)(const CrfArgs& args) = nullptr;
  void (*crf_backward)(const CrfBackwardArgs& args) = nullptr;

  // --- optimisers
  // -------------------------------------------------------------------------------------------------------------
  void (*adamw)(const AdamWArgs& args) = nullptr;
  void (*sgd)(const SgdArgs& args) = nullptr;
};

}  // namespace sesame
