// The linear layer: one product with bias and activation in its epilogue where cuBLASLt has one, else the
// product and a kernel behind it.
#include "autograd/backend/cuda/kernels/linear.h"

#include "autograd/backend/cuda/gemm.h"
#include "autograd/backend/cuda/runtime.h"

namespace sesame::cuda {
namespace {

View rows_of(DType dtype, void* data, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  View view;
  view.data = data;
  view.dtype = dtype;
  view.dim = 2;
  view.size[0] = rows;
  view.size[1] = cols;
  view.stride[0] = stride;
  view.stride[1] = 1;
  view.numel = rows * cols;
  return view;
}

View row_of(DType dtype, const void* data, std::int64_t cols) {
  return rows_of(dtype, const_cast<void*>(data), 1, cols, cols);
}

// The epilogue that is the whole layer, or the default one where there is none: BERT's GELU is not the tanh
// form, ReLU would leave a mask of bits instead of `pre`, and the others are not there at all.
cublasLtEpilogue_t whole_epilogue(const LinearArgs& args) {
  const bool bias = args.bias != nullptr, keeps = args.pre != nullptr;
  if (args.activation == Activation::None && !keeps) {
    return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  }
  if (args.activation == Activation::GeluTanh && keeps) {
    if (args.product.n % 8 != 0) return CUBLASLT_EPILOGUE_DEFAULT;  // of the row stride of `pre`
    return bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
  }
  if (args.activation == Activation::GeluTanh) {
    return bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
  }
  if (args.activation == Activation::Relu && !keeps) {
    return bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
  }
  return CUBLASLT_EPILOGUE_DEFAULT;
}

// With an activation of our own the product and its bias go to `pre`, which the kernel then reads: 3 passes
// over the rows, 4 where the bias is left to the kernel.
void linear(const LinearArgs& args) {
  GemmArgs product = args.product;
  void* bias = const_cast<void*>(args.bias);
  const bool plain = args.activation == Activation::None && bias == nullptr && args.pre == nullptr;
  const Epilogue whole{whole_epilogue(args), bias, args.pre, product.n};
  if ((plain || whole.kind != CUBLASLT_EPILOGUE_DEFAULT) && multiply(product, whole)) return;

  if (args.pre != nullptr) {
    product.c = args.pre;
    product.ldc = product.n;
  }
  const bool with_bias = bias != nullptr && whole.kind != CUBLASLT_EPILOGUE_BIAS &&
                         multiply(product, {CUBLASLT_EPILOGUE_BIAS, bias});
  if (!with_bias) multiply(product, {});
  const DType dtype = product.c_dtype;
  const View x = rows_of(dtype, product.c, product.m, product.n, product.ldc);
  const View y = rows_of(dtype, args.product.c, product.m, product.n, args.product.ldc);
  const View none, shift = row_of(dtype, with_bias ? nullptr : bias, product.n);
  bias_activation(args.activation, y, x, shift, args.pre != nullptr && shift.data != nullptr ? x : none);
}

// The bias gradient rides along. cuBLAS is asked for dW^T = x^T dpre (gemm.cpp): its A is x^T [in, T], its B
// is dpre [T, out] and its k are the rows T. BGRADA would sum A over k, to [in]; BGRADB sums B over k, to
// [out]: the column sums of dpre. Written in the type of dW.
void weight_gradient(const GemmArgs& product, const View& dbias, const View& dpre) {
  if (dbias.data == nullptr) {
    multiply(product, {});
    return;
  }
  const bool some = product.m > 0 && product.n > 0 && product.k > 0 && dbias.dtype == product.c_dtype;
  if (some && multiply(product, {CUBLASLT_EPILOGUE_BGRADB, dbias.data})) return;
  multiply(product, {});
  bias_activation_backward(Activation::None, dpre, dbias, dpre, View{});
}

}  // namespace

void fill_linear(KernelTable& table) {
  table.linear = linear;
  table.bias_activation_backward = bias_activation_backward;
  table.weight_gradient = weight_gradient;
}

}  // namespace sesame::cuda
