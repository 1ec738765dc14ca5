#include "autograd/ops/rows.h"

#include "autograd/ops/index_check.h"
#include "autograd/ops/op_support.h"

namespace sesame {
namespace {

// ids [n] int64 on the device of x, each in [0, rows) (see index_check.h); returned contiguous.
Tensor checked_ids(const char* op, const Tensor& ids, const Tensor& x, std::int64_t rows) {
  SESAME_CHECK(ids.defined() && ids.dtype() == DType::Int64 && ids.dim() == 1, op,
               "ids must be [n] int64, got {} {}", ids.defined() ? ids.shape() : Shape{},
               ids.defined() ? dtype_name(ids.dtype()) : "undefined");
  SESAME_CHECK(ids.device() == x.device(), op, "ids lie on {}, the rows on {}: move them with to()",
               ids.device().name(), x.device().name());
  const Tensor flat = ids.detach().contiguous();
  check_indices(op, "ids[{row}] is {value}, outside of a table with {limit} rows", flat, rows);
  return flat;
}

// out [rows, C] = 0, then out[ids[i]] += x[i].
Tensor scatter_values(const char* op, const Tensor& x, const Tensor& ids, std::int64_t rows) {
  const Tensor out = Tensor::zeros({rows, x.size(1)}, x.options());
  kernel(op, x, &KernelTable::scatter_add_rows)(out.view(), x.view(), ids.view());
  return out;
}

Tensor gather_values(const char* op, const Tensor& table, const Tensor& ids) {
  const Tensor out = Tensor::empty({ids.size(0), table.size(1)}, table.options());
  kernel(op, table, &KernelTable::gather_rows)(out.view(), table.view(), ids.view());
  return out;
}

void check_parts(const std::vector<Tensor>& parts, int axis) {
  for (std::size_t i = 1; i < parts.size(); ++i) {
    SESAME_CHECK(parts[i].defined(), "concat", "part {} is undefined", i);
    check_same_kind("concat", parts[0], parts[i]);
    bool fits = parts[i].dim() == parts[0].dim();
    for (int k = 0; fits && k < parts[0].dim(); ++k) fits = k == axis || parts[i].size(k) == parts[0].size(k);
    SESAME_CHECK(fits, "concat", "part {} is {}, part 0 is {}: sizes may differ along axis {} only", i,
                 parts[i].shape(), parts[0].shape(), axis);
  }
}

}  // namespace

// y[i] = table[ids[i]]; dtable = zeros, then dtable[ids[i]] += dy[i].
Tensor gather_rows(const Tensor& table, const Tensor& ids) {
  SESAME_CHECK(table.defined() && table.dim() == 2, "gather_rows", "the table must be [rows, C], got {}",
               table.defined() ? table.shape() : Shape{});
  const Tensor checked = checked_ids("gather_rows", ids, table, table.size(0));
  const Tensor y = gather_values("gather_rows", table.detach().contiguous(), checked);
  return record("gather_rows", y, {table}, {checked}, [rows = table.size(0)](Backward& b) {
    if (b.wanted(0)) b.give(0, scatter_values("gather_rows", b.grad(), b.saved(0), rows));
  });
}

// y = zeros [rows, C], then y[ids[i]] += x[i]; dx[i] = dy[ids[i]].
Tensor scatter_rows(const Tensor& x, const Tensor& ids, std::int64_t rows) {
  check_floating("scatter_rows", "x", x);
  SESAME_CHECK(x.dim() == 2 && rows >= 0, "scatter_rows",
               "x must be [n, C] and rows >= 0, got {} and {} rows", x.shape(), rows);
  const Tensor checked = checked_ids("scatter_rows", ids, x, rows);
  SESAME_CHECK(checked.size(0) == x.size(0), "scatter_rows", "{} ids for {} rows of x {}", checked.size(0),
               x.size(0), x.shape());
  const Tensor y = scatter_values("scatter_rows", x.detach().contiguous(), checked, rows);
  return record("scatter_rows", y, {x}, {checked}, [](Backward& b) {
    if (b.wanted(0)) b.give(0, gather_values("scatter_rows", b.grad(), b.saved(0)));
  });
}

void write_rows(Tensor& table, const Tensor& ids, const Tensor& x) {
  SESAME_CHECK(table.defined() && table.dim() == 2 && table.is_contiguous(), "write_rows",
               "the table must be [rows, C] and contiguous, got {}",
               table.defined() ? table.shape() : Shape{});
  SESAME_CHECK(x.defined() && x.dim() == 2 && x.size(1) == table.size(1), "write_rows",
               "x must be [n, {}], got {}", table.size(1), x.defined() ? x.shape() : Shape{});
  check_same_kind("write_rows", table, x);
  const Tensor checked = checked_ids("write_rows", ids, table, table.size(0));
  SESAME_CHECK(checked.size(0) == x.size(0), "write_rows", "{} ids for {} rows of x {}", checked.size(0),
               x.size(0), x.shape());
  table.begin_write("write_rows");
  const Tensor rows = x.size(1) <= 1 || x.strides()[1] == 1 ? x.detach() : x.detach().contiguous();
  kernel("write_rows", table, &KernelTable::write_rows)(table.view(), rows.view(), checked.view());
}

// y = the parts one behind the other along the axis; each gets its slice of dy.
Tensor concat(const std::vector<Tensor>& parts, int axis) {
  SESAME_CHECK(!parts.empty() && parts[0].defined(), "concat", "needs at least one defined part");
  const int a = parts[0].shape().axis(axis);
  check_parts(parts, a);
  Shape shape = parts[0].shape();
  shape[a] = 0;
  for (const Tensor& part : parts) shape[a] += part.size(a);
  const Tensor y = Tensor::empty(shape, parts[0].options());
  auto* copy = kernel("concat", y, &KernelTable::copy);
  std::vector<std::int64_t> begins = {0};
  for (const Tensor& part : parts) {
    begins.push_back(begins.back() + part.size(a));
    copy(y.slice(a, begins[begins.size() - 2], begins.back()).view(), part.view());
  }
  return record("concat", y, parts, {}, [a, begins](Backward& b) {
    for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
      if (b.wanted(i)) b.give(i, b.grad().slice(a, begins[i], begins[i + 1]));
    }
  });
}

}  // namespace sesame
