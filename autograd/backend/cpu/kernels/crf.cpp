// Linear-chain CRF: the forward algorithm, and all gradients from its marginals. Everything stays in the log
// domain.
#include "autograd/backend/cpu/kernels/isa.h"
#include "autograd/backend/cpu/kernels/vmath.h"

SESAME_KERNELS_BEGIN
namespace {

template <class T>
T log_sum_exp(const T* x, int64_t n) {
  T largest = x[0], total = 0;
  for (int64_t j = 1; j < n; ++j) largest = x[j] > largest ? x[j] : largest;
#pragma omp simd reduction(+ : total)
  for (int64_t j = 0; j < n; ++j) total += vexp(x[j] - largest);
  return largest + vlog(total);
}

// next[j] = e[j] + log sum_i exp(a[i] + transitions[i, j]); `work` has 2 K places.
template <class T>
void forward_step(T* next, const T* a, const T* e, const T* transitions, int64_t k, T* work) {
  T *largest = work, *total = work + k;
  for (int64_t j = 0; j < k; ++j) {
    largest[j] = a[0] + transitions[j];
    total[j] = 0;
  }
  for (int64_t i = 1; i < k; ++i) {
    const T* row = transitions + i * k;
#pragma omp simd
    for (int64_t j = 0; j < k; ++j) largest[j] = a[i] + row[j] > largest[j] ? a[i] + row[j] : largest[j];
  }
  for (int64_t i = 0; i < k; ++i) {
    const T* row = transitions + i * k;
#pragma omp simd
    for (int64_t j = 0; j < k; ++j) total[j] += vexp(a[i] + row[j] - largest[j]);
  }
#pragma omp simd
  for (int64_t j = 0; j < k; ++j) next[j] = e[j] + largest[j] + vlog(total[j]);
}

template <class T>
T score_of(const CrfArgs& args, int64_t begin, int64_t length) {
  const int64_t k = args.classes, *tags = args.tags + begin;
  const T *e = static_cast<const T*>(args.emissions) + begin * k,
          *transitions = static_cast<const T*>(args.transitions);
  T score = static_cast<const T*>(args.start)[tags[0]] + static_cast<const T*>(args.end)[tags[length - 1]];
  for (int64_t t = 0; t < length; ++t) {
    score += e[t * k + tags[t]];
    if (t > 0) score += transitions[tags[t - 1] * k + tags[t]];
  }
  return score;
}

template <class T>
void forward_segment(const CrfArgs& args, int64_t s) {
  const int64_t k = args.classes, begin = args.segments.begin[s], length = args.segments.length[s];
  T *loss = static_cast<T*>(args.loss) + s, *log_z = static_cast<T*>(args.log_z) + s;
  *loss = *log_z = T(0);
  if (length == 0) return;
  const T *e = static_cast<const T*>(args.emissions) + begin * k, *start = static_cast<const T*>(args.start),
          *end = static_cast<const T*>(args.end);
  T *alpha = static_cast<T*>(args.alpha) + begin * k,
    *work = static_cast<T*>(scratch(0, sizeof(T) * static_cast<size_t>(2 * k)));
  for (int64_t j = 0; j < k; ++j) alpha[j] = start[j] + e[j];
  for (int64_t t = 1; t < length; ++t) {
    forward_step(alpha + t * k, alpha + (t - 1) * k, e + t * k, static_cast<const T*>(args.transitions), k,
                 work);
  }
  for (int64_t j = 0; j < k; ++j) work[j] = alpha[(length - 1) * k + j] + end[j];
  *log_z = log_sum_exp(work, k);
  *loss = *log_z - score_of<T>(args, begin, length);
}

// beta and d_emissions of one segment.
template <class T>
void backward_segment(const CrfBackwardArgs& args, int64_t s) {
  const CrfArgs& f = args.forward;
  const int64_t k = f.classes, begin = f.segments.begin[s], length = f.segments.length[s];
  const T *e = static_cast<const T*>(f.emissions) + begin * k,
          *alpha = static_cast<const T*>(f.alpha) + begin * k,
          *transitions = static_cast<const T*>(f.transitions), *end = static_cast<const T*>(f.end);
  T *beta = static_cast<T*>(args.beta) + begin * k, *de = static_cast<T*>(args.d_emissions) + begin * k,
    *work = static_cast<T*>(scratch(0, sizeof(T) * static_cast<size_t>(k)));
  const T log_z = static_cast<const T*>(f.log_z)[s];
  for (int64_t t = length - 1; t >= 0; --t) {
    T *now = beta + t * k, *d = de + t * k;
    if (t == length - 1) {
      for (int64_t j = 0; j < k; ++j) now[j] = end[j];
    } else {
      const T *next = beta + (t + 1) * k, *coming = e + (t + 1) * k;
      for (int64_t i = 0; i < k; ++i) {
        for (int64_t j = 0; j < k; ++j) work[j] = transitions[i * k + j] + coming[j] + next[j];
        now[i] = log_sum_exp(work, k);
      }
    }
    const T* a = alpha + t * k;
#pragma omp simd
    for (int64_t j = 0; j < k; ++j) d[j] = vexp(a[j] + now[j] - log_z);
    d[f.tags[begin + t]] -= T(1);
  }
}

// Row i of d_transitions: expected minus counted moves out of i. One thread per row, so the order of the sum
// is fixed.
template <class T>
void transitions_row(const CrfBackwardArgs& args, int64_t i) {
  const CrfArgs& f = args.forward;
  const int64_t k = f.classes;
  const T *e = static_cast<const T*>(f.emissions), *alpha = static_cast<const T*>(f.alpha),
          *beta = static_cast<const T*>(args.beta), *row = static_cast<const T*>(f.transitions) + i * k;
  T* out = static_cast<T*>(args.d_transitions) + i * k;
  for (int64_t s = 0; s < f.segments.count; ++s) {
    const int64_t begin = f.segments.begin[s], end = begin + f.segments.length[s];
    const T log_z = static_cast<const T*>(f.log_z)[s];
    for (int64_t t = begin; t + 1 < end; ++t) {
      const T from = alpha[t * k + i] - log_z;
      const T *coming = e + (t + 1) * k, *next = beta + (t + 1) * k;
#pragma omp simd
      for (int64_t j = 0; j < k; ++j) out[j] += vexp(from + row[j] + coming[j] + next[j]);
      if (f.tags[t] == i) out[f.tags[t + 1]] -= T(1);
    }
  }
}

template <class T>
void crf_typed(const CrfArgs& args) {
  const int64_t work = args.segments.total * args.classes * args.classes;
#pragma omp parallel for schedule(static) if (work > kParallelGrain)
  for (int64_t s = 0; s < args.segments.count; ++s) forward_segment<T>(args, s);
}

template <class T>
void crf_backward_typed(const CrfBackwardArgs& args) {
  const SegmentsView& segments = args.forward.segments;
  const int64_t k = args.forward.classes, work = segments.total * k * k;
#pragma omp parallel for schedule(static) if (work > kParallelGrain)
  for (int64_t s = 0; s < segments.count; ++s) backward_segment<T>(args, s);
  if (args.d_transitions != nullptr) {
#pragma omp parallel for schedule(static) if (work > kParallelGrain)
    for (int64_t i = 0; i < k; ++i) transitions_row<T>(args, i);
  }
  // d start and d end are sums of d emissions: the marginals of the first and the last row.
  const T* de = static_cast<const T*>(args.d_emissions);
  T *ds = static_cast<T*>(args.d_start), *df = static_cast<T*>(args.d_end);
  for (int64_t s = 0; s < segments.count; ++s) {
    if (segments.length[s] == 0) continue;
    const int64_t first = segments.begin[s], last = first + segments.length[s] - 1;
    for (int64_t j = 0; j < k; ++j) {
      ds[j] += de[first * k + j];
      df[j] += de[last * k + j];
    }
  }
}

void crf(const CrfArgs& args) { SESAME_FLOAT_TYPES("crf", args.dtype, crf_typed<T>(args)); }

void crf_backward(const CrfBackwardArgs& args) {
  SESAME_FLOAT_TYPES("crf_backward", args.forward.dtype, crf_backward_typed<T>(args));
}

}  // namespace

void fill_crf(KernelTable& table) {
  table.crf = crf;
  table.crf_backward = crf_backward;
}

SESAME_KERNELS_END
