// OpenBLAS, opened at run time instead of linked. Its kernels are chosen when it is loaded, from a list of
// processors that ends with its release: on a newer one Debian's 0.3.21 falls back to SSE3 kernels (measured
// on a Xeon of 2023: 60 GFLOP/s, against 292 with the AVX-512 kernels). Opening it ourselves lets us name the
// kernels by instruction set before its start-up code runs, in programs and in other people's projects alike.
// The full path also picks the OpenMP build where several builds share a soname.
#include <cblas.h>
#include <dlfcn.h>
#include <omp.h>

#include <cstdlib>
#include <limits>
#include <string>

#include "autograd/backend/cpu/host.h"
#include "autograd/backend/dispatch.h"
#include "autograd/backend/shared_library.h"
#include "autograd/check.h"

namespace sesame::cpu {
namespace {

struct Blas {
  decltype(&cblas_sgemm) sgemm;
  decltype(&cblas_dgemm) dgemm;
  void (*set_num_threads)(int);
  int (*get_parallel)();
  char* (*get_config)();
  char* (*get_corename)();
};

void* open_library() {
  // What the user set wins.
  const bool chosen = std::getenv("OPENBLAS_CORETYPE") != nullptr;
  const std::string isa = best_isa();
  if (!chosen && isa == "avx512") setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
  if (!chosen && isa == "avx2") setenv("OPENBLAS_CORETYPE", "Haswell", 0);
  void* library = dlopen(SESAME_OPENBLAS, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!chosen) unsetenv("OPENBLAS_CORETYPE");
  SESAME_CHECK(library != nullptr, "cpu", "cannot open OpenBLAS ({}): apt-get install libopenblas-openmp-dev",
               dlerror());
  return library;
}

const Blas& blas() {
  static const Blas loaded = [] {
    Blas b{};
    void* library = open_library();
    const auto find = [&](const char* name, auto& function) {
      find_function(library, "cpu", "OpenBLAS", name, function);
    };
    find("cblas_sgemm", b.sgemm);
    find("cblas_dgemm", b.dgemm);
    find("openblas_set_num_threads", b.set_num_threads);
    find("openblas_get_parallel", b.get_parallel);
    find("openblas_get_config", b.get_config);
    find("openblas_get_corename", b.get_corename);
    return b;
  }();
  return loaded;
}

template <class T>
void naive_scale(const GemmArgs& args) {
  // BLAS refuses k == 0: the product is zero, C is only scaled.
  T* c = static_cast<T*>(args.c);
  for (std::int64_t b = 0; b < args.batch; ++b) {
    for (std::int64_t i = 0; i < args.m; ++i) {
      for (std::int64_t j = 0; j < args.n; ++j) {
        T& value = c[b * args.step_c + i * args.ldc + j];
        value = args.beta == 0 ? T(0) : static_cast<T>(args.beta) * value;
      }
    }
  }
}

// The library counts in 32 bits.
void check_sizes(const GemmArgs& args) {
  constexpr std::int64_t limit = std::numeric_limits<blasint>::max();
  for (std::int64_t size : {args.m, args.n, args.k, args.lda, args.ldb, args.ldc}) {
    SESAME_CHECK(size <= limit, "gemm",
                 "a product of {} x {} x {} is too large for BLAS: sizes must stay below {}", args.m, args.k,
                 args.n, limit);
  }
}

// Product number i of the batch.
void single_gemm(const GemmArgs& args, std::int64_t i) {
  const auto ta = args.transpose_a ? CblasTrans : CblasNoTrans;
  const auto tb = args.transpose_b ? CblasTrans : CblasNoTrans;
  const auto m = static_cast<blasint>(args.m), n = static_cast<blasint>(args.n),
             k = static_cast<blasint>(args.k);
  const auto lda = static_cast<blasint>(args.lda), ldb = static_cast<blasint>(args.ldb);
  const auto ldc = static_cast<blasint>(args.ldc);
  if (args.dtype == DType::Float32) {
    blas().sgemm(CblasRowMajor, ta, tb, m, n, k, static_cast<float>(args.alpha),
                 static_cast<const float*>(args.a) + i * args.step_a, lda,
                 static_cast<const float*>(args.b) + i * args.step_b, ldb, static_cast<float>(args.beta),
                 static_cast<float*>(args.c) + i * args.step_c, ldc);
  } else {
    blas().dgemm(CblasRowMajor, ta, tb, m, n, k, args.alpha,
                 static_cast<const double*>(args.a) + i * args.step_a, lda,
                 static_cast<const double*>(args.b) + i * args.step_b, ldb, args.beta,
                 static_cast<double*>(args.c) + i * args.step_c, ldc);
  }
}

}  // namespace

void blas_gemm(const GemmArgs& args) {
  SESAME_CHECK((args.dtype == DType::Float32 || args.dtype == DType::Float64) && args.c_dtype == args.dtype,
               "gemm", "no {} kernel on the CPU", dtype_name(args.dtype));
  if (args.m == 0 || args.n == 0 || args.batch == 0) return;
  check_sizes(args);
  const bool single = args.dtype == DType::Float32;
  if (args.k == 0) return single ? naive_scale<float>(args) : naive_scale<double>(args);
  // Many small products: one thread each. Inside of a parallel region OpenBLAS uses no threads of its own.
  // The region must not be entered otherwise, not even with one thread: OpenBLAS's own would then be nested
  // in it, and libgomp makes new threads for each nested region.
  const bool small = args.m * args.n * args.k < (std::int64_t{1} << 20);
  if (small && args.batch > 1 && args.batch >= omp_get_max_threads()) {
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < args.batch; ++i) single_gemm(args, i);
  } else {
    for (std::int64_t i = 0; i < args.batch; ++i) single_gemm(args, i);
  }
}

void set_blas_threads(int count) { blas().set_num_threads(count); }

std::string blas_description() {
  // The configuration starts with the library's name and version: "OpenBLAS 0.3.21 NO_LAPACKE ...".
  const std::string config = blas().get_config();
  const std::string name = config.substr(0, config.find(' ', config.find(' ') + 1));
  const char* threading[] = {
      "without threads", "pthreads (not OpenMP: install libopenblas-openmp-dev for full speed)", "OpenMP"};
  return fmt::format("{} {}, {}, {} threads", name, blas().get_corename(), threading[blas().get_parallel()],
                     threads());
}

}  // namespace sesame::cpu
