// Matrix products by cuBLASLt, opened at run time: programs built with CUDA start on machines without it.
#include "autograd/backend/cuda/gemm.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "autograd/backend/cuda/runtime.h"
#include "autograd/backend/shared_library.h"
#include "autograd/check.h"

namespace sesame::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;
constexpr std::size_t kMostPlans = 8192;  // a thread keeps; less than 1 KiB each
constexpr int kAlgorithmsAsked = 8;

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

// Everything that the choice of an algorithm depends on, in few words: small numbers share the first.
struct Key {
  std::array<std::uint64_t, 12> words;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    std::uint64_t hash = 0;
    for (const std::uint64_t word : key.words) {
      hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 32;
    }
    return hash;
  }
};

struct Alignments {
  std::uint32_t a, b, c;
};

Key key_of(const GemmArgs& a, const Epilogue& e, const Alignments& aligned) {
  std::uint64_t small = static_cast<std::uint64_t>(current_device());
  const auto add = [&small](std::uint64_t value, int bits) { small = small << bits | value; };
  add(static_cast<std::uint64_t>(a.dtype), 4);
  add(static_cast<std::uint64_t>(a.c_dtype), 4);
  add(a.transpose_a, 1);
  add(a.transpose_b, 1);
  add(static_cast<std::uint64_t>(e.kind), 12);
  for (const std::uint32_t bytes :
       {aligned.a, aligned.b, aligned.c, alignment(e.bias, 0, 1), alignment(e.aux, 0, 1)}) {
    add(static_cast<std::uint64_t>(std::countr_zero(bytes)), 4);
  }
  const auto word = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  return {small,       word(a.m),   word(a.n),      word(a.k),      word(a.batch),  word(a.lda),
          word(a.ldb), word(a.ldc), word(a.step_a), word(a.step_b), word(a.step_c), word(e.aux_ld)};
}

struct Device {
  std::once_flag once;
  cublasLtHandle_t handle = nullptr;
  void* workspace = nullptr;
};

// The workspace is used in the order of the stream, as all memory is.
Device& device(const GemmArgs& args) {
  static std::array<Device, kMaxDevices> devices;
  Device& own = devices[static_cast<std::size_t>(current_device())];
  std::call_once(own.once, [&] {
    check_blas(cublas().create(&own.handle), args);
    check(cudaMalloc(&own.workspace, kWorkspace), "gemm");
  });
  return own;
}

cudaDataType_t type_of(DType dtype) {
  if (dtype == DType::Float32) return CUDA_R_32F;
  if (dtype == DType::BFloat16) return CUDA_R_16BF;
  unsupported("gemm", dtype);
}

// A row-major matrix is the transpose of the same bytes read column by column, which is how cuBLAS reads. So
// it is asked for C^T = op(B)^T op(A)^T: B first, and every matrix with rows and columns exchanged. Its rows
// are our columns: a bias for each of its rows is one for each column of C.
struct Plan {
  cublasLtMatmulDescOpaque_t operation;
  cublasLtMatrixLayoutOpaque_t first, second, result;
  cublasLtMatmulAlgo_t algorithm;
  bool found;
};

template <class Value>
void describe(Plan& plan, cublasLtMatmulDescAttributes_t attribute, const Value& value,
              const GemmArgs& args) {
  check_blas(cublas().desc_set(&plan.operation, attribute, &value, sizeof value), args);
}

void set_layout(cublasLtMatrixLayoutOpaque_t& layout, const GemmArgs& args, DType dtype, bool transposed,
                std::int64_t rows, std::int64_t cols, std::int64_t ld, std::int64_t step) {
  if (transposed) std::swap(rows, cols);
  check_blas(cublas().layout_init(&layout, sizeof layout, type_of(dtype), static_cast<std::uint64_t>(rows),
                                  static_cast<std::uint64_t>(cols), ld),
             args);
  const auto batch = static_cast<std::int32_t>(args.batch);
  check_blas(cublas().layout_set(&layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch), args);
  check_blas(cublas().layout_set(&layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step),
             args);
}

// What differs between calls of one plan.
void set_pointers(Plan& plan, const GemmArgs& args, const Epilogue& epilogue) {
  if (epilogue.bias != nullptr) describe(plan, CUBLASLT_MATMUL_DESC_BIAS_POINTER, epilogue.bias, args);
  if (epilogue.aux != nullptr) describe(plan, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, epilogue.aux, args);
}

Plan description(const GemmArgs& args, const Epilogue& epilogue) {
  Plan p{};
  // Sums in float32 for either type, and no TF32: float32 means float32.
  check_blas(cublas().desc_init(&p.operation, sizeof p.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), args);
  describe(p, CUBLASLT_MATMUL_DESC_TRANSA, args.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, args);
  describe(p, CUBLASLT_MATMUL_DESC_TRANSB, args.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, args);
  set_layout(p.first, args, args.dtype, args.transpose_b, args.n, args.k, args.ldb, args.step_b);
  set_layout(p.second, args, args.dtype, args.transpose_a, args.k, args.m, args.lda, args.step_a);
  set_layout(p.result, args, args.c_dtype, false, args.n, args.m, args.ldc, args.step_c);
  if (epilogue.kind != CUBLASLT_EPILOGUE_DEFAULT) {
    describe(p, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue.kind, args);
    if (epilogue.aux != nullptr) describe(p, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, epilogue.aux_ld, args);
    set_pointers(p, args, epilogue);  // the choice looks at their alignment
  }
  return p;
}

// Lets cuBLASLt choose; it lists algorithms in the order of the time it expects. None with this epilogue is
// an answer too, none at all is not.
void choose(Plan& plan, const GemmArgs& args, const Epilogue& epilogue, const Alignments& aligned,
            cublasLtHandle_t handle) {
  cublasLtMatmulPreferenceOpaque_t preference{};
  check_blas(cublas().preference_init(&preference, sizeof preference), args);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check_blas(cublas().preference_set(&preference, attribute, &value, sizeof value), args);
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, aligned.b);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, aligned.a);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, aligned.c);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
      std::min({aligned.c, alignment(epilogue.bias, 0, 1), alignment(epilogue.aux, 0, 1)}));
  std::array<cublasLtMatmulHeuristicResult_t, kAlgorithmsAsked> results{};
  int count = 0;
  const cublasStatus_t status =
      cublas().heuristic(handle, &plan.operation, &plan.first, &plan.second, &plan.result, &plan.result,
                         &preference, kAlgorithmsAsked, results.data(), &count);
  const auto* end = results.data() + (status == CUBLAS_STATUS_SUCCESS ? count : 0);
  const auto* best = std::find_if(static_cast<const cublasLtMatmulHeuristicResult_t*>(results.data()), end,
                                  [](const auto& result) { return result.state == CUBLAS_STATUS_SUCCESS; });
  plan.found = best != end;
  if (plan.found) plan.algorithm = best->algo;
  if (plan.found || epilogue.kind != CUBLASLT_EPILOGUE_DEFAULT) return;
  check_blas(status, args);
  fail("gemm", "cuBLASLt has no algorithm for {} x {} x {} in {}", args.m, args.k, args.n,
       dtype_name(args.dtype));
}

// Descriptions and algorithms are kept: the next product of these sizes is one look-up and one call.
Plan& plan_for(const GemmArgs& args, const Epilogue& epilogue, cublasLtHandle_t handle) {
  thread_local std::unordered_map<Key, Plan, KeyHash> plans;
  const std::size_t element = dtype_size(args.dtype);
  const bool batch = args.batch > 1;
  const Alignments aligned = {alignment(args.a, batch ? args.step_a : 0, element),
                              alignment(args.b, batch ? args.step_b : 0, element),
                              alignment(args.c, batch ? args.step_c : 0, dtype_size(args.c_dtype))};
  const Key key = key_of(args, epilogue, aligned);
  if (const auto it = plans.find(key); it != plans.end()) {
    set_pointers(it->second, args, epilogue);
    return it->second;
  }
  if (plans.size() >= kMostPlans) plans.clear();
  Plan plan = description(args, epilogue);
  choose(plan, args, epilogue, aligned, handle);
  return plans.emplace(key, plan).first->second;
}

// k == 0: C is zero. cuBLAS wants something to multiply.
void empty_product(const GemmArgs& a) {
  if (a.beta == 1) return;
  SESAME_CHECK(a.beta == 0, "gemm", "an empty product with beta {} has no kernel on cuda", a.beta);
  for (std::int64_t b = 0; b < a.batch; ++b) {
    const std::size_t size = dtype_size(a.c_dtype);
    check(cudaMemset2DAsync(static_cast<char*>(a.c) + static_cast<std::size_t>(b * a.step_c) * size,
                            static_cast<std::size_t>(a.ldc) * size, 0, static_cast<std::size_t>(a.n) * size,
                            static_cast<std::size_t>(a.m), stream()),
          "gemm");
  }
}

void gemm(const GemmArgs& args) { multiply(args, {}); }

}  // namespace

bool multiply(const GemmArgs& a, const Epilogue& epilogue) {
  if (a.m == 0 || a.n == 0 || a.batch == 0) return true;
  const bool plain = epilogue.kind == CUBLASLT_EPILOGUE_DEFAULT;
  if (a.k == 0) {
    if (plain) empty_product(a);
    return plain;
  }
  // Algorithms read vectors and second outputs 16 bytes at a time without asking whether they may
  // (pytorch/pytorch#194497).
  if (alignment(epilogue.bias, 0, 1) < 16 || alignment(epilogue.aux, 0, 1) < 16) return false;
  Device& own = device(a);
  Plan& plan = plan_for(a, epilogue, own.handle);
  if (!plan.found) return false;
  const float alpha = static_cast<float>(a.alpha), beta = static_cast<float>(a.beta);
  const cublasStatus_t status =
      cublas().matmul(own.handle, &plan.operation, &alpha, a.b, &plan.first, a.a, &plan.second, &beta, a.c,
                      &plan.result, a.c, &plan.result, &plan.algorithm, own.workspace, kWorkspace, stream());
  // Refused before anything was started: an epilogue may be done without.
  if (!plain && (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE)) {
    plan.found = false;
    return false;
  }
  check_blas(status, a);
  return true;
}

void fill_gemm(KernelTable& table) { table.gemm = gemm; }

}  // namespace sesame::cuda
