// Matrix products by cuBLASLt, opened at run time: programs built with CUDA start on machines without it.
#include <cublasLt.h>
#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "autograd/backend/cuda/runtime.h"
#include "autograd/backend/shared_library.h"
#include "autograd/check.h"

namespace sesame::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;

struct CublasLt {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulDescInit_internal) desc_init;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&cublasLtMatrixLayoutInit_internal) layout_init;
  decltype(&cublasLtMatrixLayoutSetAttribute) layout_set;
  decltype(&cublasLtMatmulPreferenceInit_internal) preference_init;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
};

const CublasLt& cublas() {
  static const CublasLt loaded = [] {
    void* library = dlopen("libcublasLt.so." SESAME_CUDA_MAJOR, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) library = dlopen(SESAME_CUBLASLT, RTLD_NOW | RTLD_LOCAL);
    SESAME_CHECK(library != nullptr, "gemm",
                 "cannot open cuBLASLt ({}): install the CUDA {} runtime libraries", dlerror(),
                 SESAME_CUDA_MAJOR);
    const auto find = [&](const char* name, auto& function) {
      find_function(library, "gemm", "cuBLASLt", name, function);
    };
    CublasLt lt{};
    find("cublasLtCreate", lt.create);
    find("cublasLtMatmul", lt.matmul);
    find("cublasLtMatmulAlgoGetHeuristic", lt.heuristic);
    find("cublasLtMatmulDescInit_internal", lt.desc_init);
    find("cublasLtMatmulDescSetAttribute", lt.desc_set);
    find("cublasLtMatrixLayoutInit_internal", lt.layout_init);
    find("cublasLtMatrixLayoutSetAttribute", lt.layout_set);
    find("cublasLtMatmulPreferenceInit_internal", lt.preference_init);
    find("cublasLtMatmulPreferenceSetAttribute", lt.preference_set);
    return lt;
  }();
  return loaded;
}

void check_blas(cublasStatus_t status, const GemmArgs& args) {
  SESAME_CHECK(status == CUBLAS_STATUS_SUCCESS, "gemm", "cuBLASLt refuses {} x {} x {} in {} with status {}",
               args.m, args.k, args.n, dtype_name(args.dtype), static_cast<int>(status));
}

// Bytes that a pointer and the rows behind it are aligned to, as cuBLASLt wants to know it: at most 256.
std::uint32_t alignment(const void* data, std::int64_t step, std::size_t element) {
  const std::uintptr_t bits =
      reinterpret_cast<std::uintptr_t>(data) | (static_cast<std::uintptr_t>(step) * element) | 256;
  return static_cast<std::uint32_t>(bits & (~bits + 1));
}

// Everything that the choice of an algorithm depends on.
using Key = std::array<std::int64_t, 16>;

Key key_of(const GemmArgs& a) {
  const std::size_t element = dtype_size(a.dtype);
  return {current_device(),
          static_cast<std::int64_t>(a.dtype),
          2 * a.transpose_a + a.transpose_b,
          a.m,
          a.n,
          a.k,
          a.batch,
          a.lda,
          a.ldb,
          a.ldc,
          a.step_a,
          a.step_b,
          a.step_c,
          alignment(a.a, a.step_a, element),
          alignment(a.b, a.step_b, element),
          alignment(a.c, a.step_c, element)};
}

struct Device {
  cublasLtHandle_t handle = nullptr;
  void* workspace = nullptr;
};

Device& device(const GemmArgs& args) {
  static std::array<Device, kMaxDevices> devices;
  Device& own = devices[static_cast<std::size_t>(current_device())];
  if (own.handle == nullptr) {
    check_blas(cublas().create(&own.handle), args);
    check(cudaMalloc(&own.workspace, kWorkspace), "gemm");
  }
  return own;
}

cudaDataType_t type_of(const GemmArgs& args) {
  if (args.dtype == DType::Float32) return CUDA_R_32F;
  if (args.dtype == DType::BFloat16) return CUDA_R_16BF;
  unsupported("gemm", args.dtype);
}

// A row-major matrix is the transpose of the same bytes read column by column, which is how cuBLAS reads. So
// it is asked for C^T = op(B)^T op(A)^T: B first, and every matrix with rows and columns exchanged.
struct Problem {
  cublasLtMatmulDescOpaque_t operation;
  cublasLtMatrixLayoutOpaque_t first, second, result;
};

void set_layout(cublasLtMatrixLayoutOpaque_t& layout, const GemmArgs& args, bool transposed,
                std::int64_t rows, std::int64_t cols, std::int64_t ld, std::int64_t step) {
  if (transposed) std::swap(rows, cols);
  check_blas(cublas().layout_init(&layout, sizeof layout, type_of(args), static_cast<std::uint64_t>(rows),
                                  static_cast<std::uint64_t>(cols), ld),
             args);
  const auto batch = static_cast<std::int32_t>(args.batch);
  check_blas(cublas().layout_set(&layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch), args);
  check_blas(cublas().layout_set(&layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step),
             args);
}

Problem describe(const GemmArgs& args) {
  Problem p{};
  // Sums in float32 for either type, and no TF32: float32 means float32.
  check_blas(cublas().desc_init(&p.operation, sizeof p.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), args);
  const cublasOperation_t op_b = args.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t op_a = args.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  check_blas(cublas().desc_set(&p.operation, CUBLASLT_MATMUL_DESC_TRANSA, &op_b, sizeof op_b), args);
  check_blas(cublas().desc_set(&p.operation, CUBLASLT_MATMUL_DESC_TRANSB, &op_a, sizeof op_a), args);
  set_layout(p.first, args, args.transpose_b, args.n, args.k, args.ldb, args.step_b);
  set_layout(p.second, args, args.transpose_a, args.k, args.m, args.lda, args.step_a);
  set_layout(p.result, args, false, args.n, args.m, args.ldc, args.step_c);
  return p;
}

cublasLtMatmulAlgo_t choose(const GemmArgs& args, Problem& p, cublasLtHandle_t handle) {
  static std::map<Key, cublasLtMatmulAlgo_t> chosen;
  const Key key = key_of(args);
  if (const auto it = chosen.find(key); it != chosen.end()) return it->second;
  cublasLtMatmulPreferenceOpaque_t preference{};
  check_blas(cublas().preference_init(&preference, sizeof preference), args);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check_blas(cublas().preference_set(&preference, attribute, &value, sizeof value), args);
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<std::uint32_t>(key[14]));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<std::uint32_t>(key[13]));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<std::uint32_t>(key[15]));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<std::uint32_t>(key[15]));
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  check_blas(cublas().heuristic(handle, &p.operation, &p.first, &p.second, &p.result, &p.result, &preference,
                                1, &best, &found),
             args);
  SESAME_CHECK(found > 0, "gemm", "cuBLASLt has no algorithm for {} x {} x {} in {}", args.m, args.k, args.n,
               dtype_name(args.dtype));
  return chosen.emplace(key, best.algo).first->second;
}

void gemm(const GemmArgs& args) {
  if (args.m == 0 || args.n == 0 || args.batch == 0) return;
  GemmArgs a = args;
  const float beta = static_cast<float>(a.beta);
  float alpha = static_cast<float>(a.alpha);
  if (a.k == 0) {  // cuBLAS wants something to multiply: one column of anything finite, times 0
    if (a.beta == 1) return;
    SESAME_CHECK(a.beta == 0, "gemm", "an empty product with beta {} has no kernel on cuda", a.beta);
    for (std::int64_t b = 0; b < a.batch; ++b) {
      const std::size_t size = dtype_size(a.dtype);
      check(cudaMemset2DAsync(static_cast<char*>(a.c) + static_cast<std::size_t>(b * a.step_c) * size,
                              static_cast<std::size_t>(a.ldc) * size, 0, static_cast<std::size_t>(a.n) * size,
                              static_cast<std::size_t>(a.m), stream()),
            "gemm");
    }
    return;
  }
  Device& own = device(a);
  Problem p = describe(a);
  const cublasLtMatmulAlgo_t algorithm = choose(a, p, own.handle);
  check_blas(cublas().matmul(own.handle, &p.operation, &alpha, a.b, &p.first, a.a, &p.second, &beta, a.c,
                             &p.result, a.c, &p.result, &algorithm, own.workspace, kWorkspace, stream()),
             a);
}

}  // namespace

void fill_gemm(KernelTable& table) { table.gemm = gemm; }

}  // namespace sesame::cuda
