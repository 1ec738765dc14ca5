#include "tools/common/gemm_bench.h"

#include <algorithm>

#include "autograd/backend/dispatch.h"
#include "tools/common/timing.h"

namespace sesame {

GemmBench::GemmBench(const BertConfig& config, std::int64_t rows, bool train, TensorOptions options)
    : options_(options) {
  const std::int64_t h = config.hidden_size, f = config.intermediate_size;
  for (const auto& [out, in] : {std::pair{3 * h, h}, {h, h}, {f, h}, {h, f}}) {
    products_.push_back({rows, out, in, false, true});
    if (!train) continue;
    products_.push_back({rows, in, out, false, false});
    products_.push_back({out, in, rows, true, false});
  }
  std::int64_t a = 0, b = 0, c = 0;
  for (const Product& p : products_) {
    a = std::max(a, p.m * p.k);
    b = std::max(b, p.k * p.n);
    c = std::max(c, p.m * p.n);
  }
  a_ = Tensor::ones({a}, options);
  b_ = Tensor::ones({b}, options);
  c_ = Tensor::zeros({c}, options);
}

void GemmBench::run() {
  for (Product& p : products_) {
    GemmArgs args{.dtype = options_.dtype,
                  .c_dtype = options_.dtype,
                  .transpose_a = p.transpose_a,
                  .transpose_b = p.transpose_b,
                  .m = p.m,
                  .n = p.n,
                  .k = p.k};
    args.a = a_.view().data;
    args.lda = p.transpose_a ? p.m : p.k;
    args.b = b_.view().data;
    args.ldb = p.transpose_b ? p.k : p.n;
    args.c = c_.view().data;
    args.ldc = p.n;
    p.shortest = std::min(p.shortest, milliseconds([&] { kernels(options_.device).gemm(args); }));
  }
}

double GemmBench::gflops() const {
  double ms = 0, flop = 0;
  for (const Product& p : products_) {
    ms += p.shortest;
    flop += 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  }
  return flop / ms / 1e6;
}

}  // namespace sesame
