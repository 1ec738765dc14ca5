// Linear-chain CRF in the log domain, float32: a block for each segment walks over its rows, a thread for
// each class.
#include "autograd/backend/cuda/kernels/common.cuh"
#include "autograd/backend/cuda/kernels/indices.cuh"

namespace sesame::cuda {
namespace {

struct Crf {
  std::int64_t classes;
  SegmentsView segments;
  const float *emissions, *transitions, *start, *end;
  const std::int64_t* tags;
  float *alpha, *log_z;
};

// log sum_i exp(term(i)), i < n, by one thread.
template <class Term>
__device__ float log_sum_exp(std::int64_t n, Term term) {
  float top = -INFINITY, sum = 0;
  for (std::int64_t i = 0; i < n; ++i) top = fmaxf(top, term(i));
  for (std::int64_t i = 0; i < n; ++i) sum += expf(term(i) - top);
  return top + logf(sum);
}

__global__ void crf_kernel(Crf p, float* loss) {
  const std::int64_t s = blockIdx.x, k = p.classes, begin = p.segments.begin[s],
                     length = p.segments.length[s];
  if (length == 0) {  // the whole block
    if (threadIdx.x == 0) loss[s] = p.log_z[s] = 0;
    return;
  }
  for (std::int64_t row = begin; row < begin + length; ++row) {
    for (std::int64_t j = threadIdx.x; j < k; j += kBlock) {
      const float* a = p.alpha + (row - 1) * k;
      const float before =
          row == begin ? p.start[j]
                       : log_sum_exp(k, [&](std::int64_t i) { return a[i] + p.transitions[i * k + j]; });
      p.alpha[row * k + j] = before + p.emissions[row * k + j];
    }
    __syncthreads();
  }
  float score = 0;
  for (std::int64_t t = threadIdx.x; t < length; t += kBlock) {
    const std::int64_t row = begin + t, tag = p.tags[row], before = t > 0 ? p.tags[row - 1] : 0;
    if (!inside(tag, k) || !inside(before, k)) continue;  // checks.cu reports it
    score += p.emissions[row * k + tag];
    score += t > 0 ? p.transitions[before * k + tag] : p.start[tag];
    if (t == length - 1) score += p.end[tag];
  }
  score = block_sum(score);
  if (threadIdx.x != 0) return;
  const float* a = p.alpha + (begin + length - 1) * k;
  const float log_z = log_sum_exp(k, [&](std::int64_t j) { return a[j] + p.end[j]; });
  p.log_z[s] = log_z;
  loss[s] = log_z - score;
}

// beta and d_emissions.
__global__ void crf_emissions_kernel(Crf p, float* beta, float* d_emissions) {
  const std::int64_t s = blockIdx.x, k = p.classes, begin = p.segments.begin[s],
                     length = p.segments.length[s];
  for (std::int64_t row = begin + length - 1; row >= begin; --row) {
    for (std::int64_t i = threadIdx.x; i < k; i += kBlock) {
      const float *next = beta + (row + 1) * k, *coming = p.emissions + (row + 1) * k;
      const float after = row == begin + length - 1 ? p.end[i] : log_sum_exp(k, [&](std::int64_t j) {
        return p.transitions[i * k + j] + coming[j] + next[j];
      });
      beta[row * k + i] = after;
      const float marginal = expf(p.alpha[row * k + i] + after - p.log_z[s]);
      d_emissions[row * k + i] = marginal - (p.tags[row] == i ? 1.0f : 0.0f);
    }
    __syncthreads();
  }
}

// Element (i, j) of d_transitions: expected minus counted moves from i to j. A block for each i.
__global__ void crf_transitions_kernel(Crf p, const float* beta, float* d_transitions) {
  const std::int64_t i = blockIdx.x, k = p.classes;
  for (std::int64_t j = threadIdx.x; j < k; j += kBlock) {
    const float move = p.transitions[i * k + j];
    float sum = 0;
    for (std::int64_t s = 0; s < p.segments.count; ++s) {
      const std::int64_t begin = p.segments.begin[s], end = begin + p.segments.length[s];
      for (std::int64_t t = begin; t + 1 < end; ++t) {
        const std::int64_t next = (t + 1) * k + j;
        sum += expf(p.alpha[t * k + i] - p.log_z[s] + move + p.emissions[next] + beta[next]);
        if (p.tags[t] == i && p.tags[t + 1] == j) sum -= 1.0f;
      }
    }
    d_transitions[i * k + j] += sum;
  }
}

// d start and d end are sums of d emissions: the marginals of the first and the last rows.
__global__ void crf_ends_kernel(Crf p, const float* d_emissions, float* d_start, float* d_end) {
  const std::int64_t k = p.classes;
  for (std::int64_t j = threadIdx.x; j < k; j += kBlock) {
    for (std::int64_t s = 0; s < p.segments.count; ++s) {
      const std::int64_t begin = p.segments.begin[s], length = p.segments.length[s];
      if (length == 0) continue;
      d_start[j] += d_emissions[begin * k + j];
      d_end[j] += d_emissions[(begin + length - 1) * k + j];
    }
  }
}

Crf pointers(const CrfArgs& a) {
  // Path sums lose too much in bfloat16; the op hands over float32.
  if (a.dtype != DType::Float32) unsupported("crf_nll", a.dtype);
  return {a.classes,
          a.segments,
          static_cast<const float*>(a.emissions),
          static_cast<const float*>(a.transitions),
          static_cast<const float*>(a.start),
          static_cast<const float*>(a.end),
          a.tags,
          static_cast<float*>(a.alpha),
          static_cast<float*>(a.log_z)};
}

void crf(const CrfArgs& args) {
  launch("crf_nll", crf_kernel, static_cast<unsigned>(args.segments.count), kBlock, pointers(args),
         static_cast<float*>(args.loss));
}

void crf_backward(const CrfBackwardArgs& args) {
  const Crf p = pointers(args.forward);
  auto *beta = static_cast<float*>(args.beta), *d_emissions = static_cast<float*>(args.d_emissions);
  launch("crf_nll", crf_emissions_kernel, static_cast<unsigned>(p.segments.count), kBlock, p, beta,
         d_emissions);
  if (args.d_transitions != nullptr) {
    launch("crf_nll", crf_transitions_kernel, static_cast<unsigned>(p.classes), kBlock, p, beta,
           static_cast<float*>(args.d_transitions));
  }
  launch("crf_nll", crf_ends_kernel, 1, kBlock, p, d_emissions, static_cast<float*>(args.d_start),
         static_cast<float*>(args.d_end));
}

}  // namespace

void fill_crf(KernelTable& table) {
  table.crf = crf;
  table.crf_backward = crf_backward;
}

}  // namespace sesame::cuda
