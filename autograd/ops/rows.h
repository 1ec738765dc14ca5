// Rows picked by index, and rows put together.
#pragma once

#include <vector>

#include "autograd/tensor.h"

namespace sesame {

// y[i] = table[ids[i]]: table [V, C], ids [n] int64 -> [n, C]. Throws for ids outside of [0, V), naming the
// first (see index_check.h for when). The gradient of the table is dense; equal ids are added in ascending
// order of i.
Tensor gather_rows(const Tensor& table, const Tensor& ids);
// The same under the name of its main use.
inline Tensor embedding(const Tensor& weight, const Tensor& ids) { return gather_rows(weight, ids); }
// out [rows, C] zeros, then out[ids[i]] += x[i]: x [n, C], ids [n]. The gradient gathers.
Tensor scatter_rows(const Tensor& x, const Tensor& ids, std::int64_t rows);

// In place and outside of the graph: table[ids[i]] = x[i] for distinct ids. table [V, C] contiguous, x [n,
// C], ids [n] int64. Throws as gather_rows does; of equal ids any may win. For caches of keys and values.
void write_rows(Tensor& table, const Tensor& ids, const Tensor& x);

// Concatenation along an axis; the other sizes must agree. Slicing is Tensor::slice.
Tensor concat(const std::vector<Tensor>& parts, int axis);

}  // namespace sesame
