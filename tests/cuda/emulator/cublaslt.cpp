// cuBLASLt on the host, from its documentation: matrices are read column by column. A library of its own,
// which gemm.cpp opens at run time as it does the real one.
#include <cublasLt.h>
#include <cuda_bf16.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/cuda/emulator/stream.h"

namespace {

struct Operation {
  int transpose_a, transpose_b;
  std::uint32_t epilogue;
  const void* bias;
  void* aux;
  std::int64_t aux_ld;
  std::int32_t bias_type, aux_type;  // -1: that of D
};
struct Layout {
  std::int32_t type;
  std::int32_t batch;
  std::uint64_t rows, cols;
  std::int64_t ld, step;
};
struct Preference {
  std::size_t workspace;
  std::uint32_t alignment[4];  // of A, B, C, D
};
// What an algorithm was chosen for.
struct Chosen {
  std::uint32_t mark, epilogue;
  std::uint32_t alignment[4];
  std::uint16_t m, n, k, types;
};
constexpr std::uint32_t kMark = 0x5e5a3e;
static_assert(sizeof(Operation) <= sizeof(cublasLtMatmulDescOpaque_t));
static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t));
static_assert(sizeof(Preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t));
static_assert(sizeof(Chosen) <= sizeof(cublasLtMatmulAlgo_t));

template <class T, class Opaque>
const T& read(const Opaque* opaque) {
  return *reinterpret_cast<const T*>(opaque);
}

// A matrix whose element (row, column) lies at row + column * ld.
struct Matrix {
  char* data;
  Layout layout;
  float get(std::uint64_t row, std::uint64_t column) const {
    return load(data, layout.type,
                static_cast<std::int64_t>(row) + static_cast<std::int64_t>(column) * layout.ld);
  }
  static float load(const void* data, int type, std::int64_t i) {
    return type == CUDA_R_32F ? static_cast<const float*>(data)[i]
                              : __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]);
  }
  static void store(void* data, int type, std::int64_t i, float value) {
    if (type == CUDA_R_32F) {
      static_cast<float*>(data)[i] = value;
    } else {
      static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16_rn(value);
    }
  }
  Matrix item(std::int64_t i) const {
    const std::int64_t size = layout.type == CUDA_R_32F ? 4 : 2;
    return {data + i * layout.step * size, layout};
  }
};

// op(X) as rows that lie one behind the other.
std::vector<float> rows_of(const Matrix& x, bool transposed) {
  const std::uint64_t rows = transposed ? x.layout.cols : x.layout.rows;
  const std::uint64_t cols = transposed ? x.layout.rows : x.layout.cols;
  std::vector<float> values(rows * cols);
  for (std::uint64_t i = 0; i < rows; ++i) {
    for (std::uint64_t j = 0; j < cols; ++j) values[i * cols + j] = transposed ? x.get(j, i) : x.get(i, j);
  }
  return values;
}

float gelu_tanh(float x) { return 0.5f * x * (1.0f + std::tanh(0.79788456f * (x + 0.044715f * x * x * x))); }

bool has(std::uint32_t epilogue, std::uint32_t part) { return (epilogue & part) == part; }

struct Problem {
  Operation operation;
  Matrix a, b, c, d;
  float alpha, beta;
};

void multiply(const Problem& p, std::int64_t item) {
  const Matrix d = p.d.item(item), c = p.c.item(item);
  const std::vector<float> a = rows_of(p.a.item(item), p.operation.transpose_a != 0);
  const std::vector<float> b = rows_of(p.b.item(item), p.operation.transpose_b != 0);
  const std::uint64_t m = d.layout.rows, n = d.layout.cols, k = m == 0 ? 0 : a.size() / m;
  const std::uint32_t epilogue = p.operation.epilogue;
  const int bias_type = p.operation.bias_type < 0 ? d.layout.type : p.operation.bias_type;
  std::vector<float> row(n);
  for (std::uint64_t i = 0; i < m; ++i) {
    row.assign(n, 0.0f);
    for (std::uint64_t l = 0; l < k; ++l) {
      const float x = a[i * k + l];
      for (std::uint64_t j = 0; j < n; ++j) row[j] += x * b[l * n + j];
    }
    for (std::uint64_t j = 0; j < n; ++j) {
      float value = p.alpha * row[j] + (p.beta == 0 ? 0.0f : p.beta * c.get(i, j));
      if (has(epilogue, CUBLASLT_EPILOGUE_BIAS))
        value += Matrix::load(p.operation.bias, bias_type, static_cast<std::int64_t>(i));
      const std::int64_t at = static_cast<std::int64_t>(i) + static_cast<std::int64_t>(j) * d.layout.ld;
      if (has(epilogue, CUBLASLT_EPILOGUE_GELU)) {
        if (has(epilogue, CUBLASLT_EPILOGUE_GELU_AUX)) {
          const int type = p.operation.aux_type < 0 ? d.layout.type : p.operation.aux_type;
          Matrix::store(p.operation.aux, type,
                        static_cast<std::int64_t>(i) + static_cast<std::int64_t>(j) * p.operation.aux_ld,
                        value);
        }
        value = gelu_tanh(value);
      } else if (has(epilogue, CUBLASLT_EPILOGUE_RELU)) {
        value = std::max(value, 0.0f);
      }
      Matrix::store(d.data, d.layout.type, at, value);
    }
  }
  auto* gradient = const_cast<void*>(p.operation.bias);
  if (epilogue == CUBLASLT_EPILOGUE_BGRADA) {
    for (std::uint64_t i = 0; i < m; ++i) {
      float sum = 0;
      for (std::uint64_t l = 0; l < k; ++l) sum += a[i * k + l];
      Matrix::store(gradient, bias_type, static_cast<std::int64_t>(i), sum);
    }
  }
  if (epilogue == CUBLASLT_EPILOGUE_BGRADB) {
    for (std::uint64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (std::uint64_t l = 0; l < k; ++l) sum += b[l * n + j];
      Matrix::store(gradient, bias_type, static_cast<std::int64_t>(j), sum);
    }
  }
}

bool known(std::uint32_t epilogue) {
  switch (epilogue) {
    case CUBLASLT_EPILOGUE_DEFAULT:
    case CUBLASLT_EPILOGUE_RELU:
    case CUBLASLT_EPILOGUE_BIAS:
    case CUBLASLT_EPILOGUE_RELU_BIAS:
    case CUBLASLT_EPILOGUE_GELU:
    case CUBLASLT_EPILOGUE_GELU_BIAS:
    case CUBLASLT_EPILOGUE_GELU_AUX:
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
    case CUBLASLT_EPILOGUE_BGRADA:
    case CUBLASLT_EPILOGUE_BGRADB:
      return true;
    default:
      return false;
  }
}

bool fits(const Operation& o, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
  const std::uint64_t m = o.transpose_a != 0 ? a.cols : a.rows, k = o.transpose_a != 0 ? a.rows : a.cols;
  const std::uint64_t kb = o.transpose_b != 0 ? b.cols : b.rows, n = o.transpose_b != 0 ? b.rows : b.cols;
  for (const Layout* x : {&a, &b, &c, &d}) {
    if (x->ld < static_cast<std::int64_t>(x->rows) || x->batch < 1) return false;
    if (x->type != CUDA_R_32F && x->type != CUDA_R_16BF) return false;
  }
  return d.rows == m && d.cols == n && k == kb && c.rows == m && c.cols == n && a.type == b.type &&
         c.type == d.type && (a.type == CUDA_R_16BF || d.type == CUDA_R_32F) && m > 0 && n > 0 && k > 0;
}

Chosen chosen_for(const Operation& o, const Layout& a, const Layout& b, const Layout& d) {
  const std::uint64_t k = o.transpose_a != 0 ? a.rows : a.cols;
  Chosen chosen{};
  chosen.mark = kMark;
  chosen.epilogue = o.epilogue;
  chosen.m = static_cast<std::uint16_t>(d.rows);
  chosen.n = static_cast<std::uint16_t>(d.cols);
  chosen.k = static_cast<std::uint16_t>(k);
  chosen.types =
      static_cast<std::uint16_t>(a.type * 64 + b.type * 8 + d.type * 16 + o.transpose_a * 2 + o.transpose_b);
  return chosen;
}

// Bias gradients are sums of A as it lies in memory, or of B transposed.
bool sums_fit(const Operation& o) {
  return !(o.epilogue == CUBLASLT_EPILOGUE_BGRADA && o.transpose_a != 0) &&
         !(o.epilogue == CUBLASLT_EPILOGUE_BGRADB && o.transpose_b == 0);
}

bool aligned(const void* data, std::uint32_t to) { return reinterpret_cast<std::uintptr_t>(data) % to == 0; }

// GELU's second output must be 16 bytes aligned, its rows a multiple of 8 elements apart.
bool aux_fits(const Operation& o, const Layout& d) {
  return !has(o.epilogue, CUBLASLT_EPILOGUE_GELU_AUX) ||
         (o.aux != nullptr && aligned(o.aux, 16) && o.aux_ld % 8 == 0 &&
          o.aux_ld >= static_cast<std::int64_t>(d.rows));
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  static int one;
  *handle = reinterpret_cast<cublasLtHandle_t>(&one);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t description, size_t,
                                               cublasComputeType_t compute, cudaDataType_t scale) {
  if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  std::memset(description, 0, sizeof *description);
  auto& o = *reinterpret_cast<Operation*>(description);
  o.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  o.bias_type = o.aux_type = -1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              size_t size) {
  auto& o = *reinterpret_cast<Operation*>(description);
  const auto set = [&](auto& field) {
    if (size != sizeof field) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&field, value, size);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return set(o.transpose_a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return set(o.transpose_b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return set(o.epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return set(o.bias);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return set(o.bias_type);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return set(o.aux);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return set(o.aux_ld);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE:
      return set(o.aux_type);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, size_t, cudaDataType type,
                                                 uint64_t rows, uint64_t cols, int64_t ld) {
  std::memset(layout, 0, sizeof *layout);
  *reinterpret_cast<Layout*>(layout) = {type, 1, rows, cols, ld, 0};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                size_t size) {
  auto& own = *reinterpret_cast<Layout*>(layout);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT && size == sizeof own.batch) {
    std::memcpy(&own.batch, value, size);
    return CUBLAS_STATUS_SUCCESS;
  }
  if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET && size == sizeof own.step) {
    std::memcpy(&own.step, value, size);
    return CUBLAS_STATUS_SUCCESS;
  }
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t preference, size_t) {
  std::memset(preference, 0, sizeof *preference);
  *reinterpret_cast<Preference*>(preference) = {0, {256, 256, 256, 256}};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t) {
  auto& own = *reinterpret_cast<Preference*>(preference);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      std::memcpy(&own.workspace, value, sizeof own.workspace);
      return CUBLAS_STATUS_SUCCESS;
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      std::memcpy(&own.alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value,
                  sizeof(std::uint32_t));
      return CUBLAS_STATUS_SUCCESS;
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int asked,
                                              cublasLtMatmulHeuristicResult_t* results, int* found) {
  const auto& o = read<Operation>(operation);
  *found = 0;
  if (asked < 1 || !known(o.epilogue) ||
      !fits(o, read<Layout>(a), read<Layout>(b), read<Layout>(c), read<Layout>(d))) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const char* refuses = std::getenv("SESAME_EMULATED_NO_EPILOGUE");
  if ((refuses != nullptr && o.epilogue != CUBLASLT_EPILOGUE_DEFAULT) || !aux_fits(o, read<Layout>(d)) ||
      !sums_fit(o)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  Chosen chosen = chosen_for(o, read<Layout>(a), read<Layout>(b), read<Layout>(d));
  std::memcpy(chosen.alignment, read<Preference>(preference).alignment, sizeof chosen.alignment);
  std::memset(static_cast<void*>(results), 0, sizeof *results);
  std::memcpy(static_cast<void*>(&results->algo), &chosen, sizeof chosen);
  results->state = CUBLAS_STATUS_SUCCESS;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void*, size_t, cudaStream_t stream) {
  const auto matrix = [](const void* data, cublasLtMatrixLayout_t layout) {
    return Matrix{static_cast<char*>(const_cast<void*>(data)), read<Layout>(layout)};
  };
  const Problem p = {read<Operation>(operation),
                     matrix(a, a_layout),
                     matrix(b, b_layout),
                     matrix(c, c_layout),
                     matrix(d, d_layout),
                     *static_cast<const float*>(alpha),
                     *static_cast<const float*>(beta)};
  if (!fits(p.operation, p.a.layout, p.b.layout, p.c.layout, p.d.layout) || algorithm == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  Chosen wanted = chosen_for(p.operation, p.a.layout, p.b.layout, p.d.layout), given;
  std::memcpy(&given, algorithm, sizeof given);
  std::memcpy(wanted.alignment, given.alignment, sizeof wanted.alignment);
  if (std::memcmp(&wanted, &given, sizeof wanted) != 0 || !aligned(a, given.alignment[0]) ||
      !aligned(b, given.alignment[1]) || !aligned(c, given.alignment[2]) || !aligned(d, given.alignment[3]) ||
      !aux_fits(p.operation, p.d.layout)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  // A device would fault: the choice does not ask for it.
  if (p.operation.bias != nullptr && !aligned(p.operation.bias, 16)) return CUBLAS_STATUS_EXECUTION_FAILED;
  reinterpret_cast<emulated::Stream*>(stream)->enqueue([p] {
    for (std::int64_t item = 0; item < p.d.layout.batch; ++item) multiply(p, item);
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
