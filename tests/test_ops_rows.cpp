#include "autograd/ops/matmul.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/rows.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

using Ints = std::vector<std::int64_t>;

// [n, rows] with a one where ids[i] names the row: gather is its product with the table.
Tensor one_hot(const Tensor& ids, std::int64_t rows, DType dtype) {
  const Ints values = ids.to_vector<std::int64_t>();
  std::vector<double> hot(values.size() * static_cast<std::size_t>(rows), 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    hot[i * static_cast<std::size_t>(rows) + static_cast<std::size_t>(values[i])] = 1;
  }
  return Tensor::from(hot, {ids.size(0), rows}).to(dtype);
}

OpCase scatter_case(const char* what, std::int64_t n, std::int64_t cols, std::int64_t rows) {
  return {.op = "scatter_rows",
          .what = what,
          .inputs =
              [=](Draw& draw) {
                return Inputs{draw.normal({n, cols}), draw.integers({n}, 0, rows)};
              },
          .function = [=](const Inputs& x) { return scatter_rows(x[0], x[1], rows); },
          .large = true};
}

}  // namespace

TEST_CASE("gather, scatter, concat") {
  const OpCase cases[] = {
      {.op = "gather_rows",
       .what = "repeated ids",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({6, 5}), draw.integers({9}, 0, 6)};
           },
       .function = [](const Inputs& x) { return gather_rows(x[0], x[1]); },
       .twin = [](const Inputs& x) { return matmul(one_hot(x[1], 6, x[0].dtype()), x[0]); },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({6, 5}), draw.integers({0}, 0, 6)};
           }},
      {.op = "embedding",
       .what = "no columns when empty",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({4, 3}), draw.integers({4}, 0, 4)};
           },
       .function = [](const Inputs& x) { return embedding(x[0], x[1]); },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({4, 0}), draw.integers({4}, 0, 4)};
           }},
      {.op = "scatter_rows",
       .what = "repeated ids",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({9, 5}), draw.integers({9}, 0, 6)};
           },
       .function = [](const Inputs& x) { return scatter_rows(x[0], x[1], 6); },
       .twin = [](const Inputs& x) { return matmul(one_hot(x[1], 6, x[0].dtype()).transpose(0, 1), x[0]); },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({0, 5}), draw.integers({0}, 0, 6)};
           }},
      scatter_case("fewer than are sorted", 60, 5, 7),
      scatter_case("packs, short runs", 500, 16, 170),
      scatter_case("columns without packs", 300, 5, 11),
      scatter_case("runs over many chunks", 1500, 8, 2),
      scatter_case("one run over more chunks than a block has threads", 8500, 2, 1),
      scatter_case("more columns than a block's packs", 100, 136, 3),
      {.op = "gather_rows",
       .what = "packs",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({70, 24}), draw.integers({200}, 0, 70)};
           },
       .function = [](const Inputs& x) { return gather_rows(x[0], x[1]); },
       .large = true},
      {.op = "concat",
       .what = "rows",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({2, 5}), draw.normal({1, 5}), draw.normal({3, 5})};
           },
       .function =
           [](const Inputs& x) {
             return concat({x[0], x[1], x[2]}, 0);
           },
       .twin =
           [](const Inputs& x) {
             const Device device = x[0].device();
             return scatter_rows(x[0], Tensor::from(Ints{0, 1}, device), 6) +
                    scatter_rows(x[1], Tensor::from(Ints{2}, device), 6) +
                    scatter_rows(x[2], Tensor::from(Ints{3, 4, 5}, device), 6);
           },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({2, 5}), draw.normal({0, 5}), draw.normal({1, 5})};
           }},
      {.op = "concat",
       .what = "middle axis, one part twice",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({2, 3, 4}), draw.normal({2, 1, 4})};
           },
       .function =
           [](const Inputs& x) {
             return concat({x[0], x[1], x[0]}, -2);
           },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({0, 3, 4}), draw.normal({0, 1, 4})};
           }},
  };
  run_op_cases(cases);
}

TEST_CASE("concat of integers and of one part") {
  const Tensor a = Tensor::from(Ints{1, 2}), b = Tensor::from(Ints{3});
  CHECK(concat({a, b}, 0).to_vector<std::int64_t>() == Ints{1, 2, 3});
  Tensor alone = concat({a}, 0);
  alone.fill_(9);
  CHECK(a.to_vector<std::int64_t>() == Ints{1, 2});  // a copy, also of a single part
}

TEST_CASE("gather works on every element type") {
  const Tensor ids = Tensor::from(Ints{2, 0});
  for (DType dtype :
       {DType::Float32, DType::Float64, DType::Int32, DType::Int64, DType::UInt8, DType::BFloat16}) {
    const Tensor table = Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6}, Shape{3, 2}).to(dtype);
    CHECK(gather_rows(table, ids).to(DType::Float64).to_vector<double>() == std::vector<double>{5, 6, 1, 2});
  }
}

TEST_CASE("large scatters add in ascending order, wide and narrow") {
  for (std::int64_t cols : {1, 3, 384}) {
    Draw draw(8);
    const std::int64_t n = 40000 / cols, rows = 37;
    const Tensor x = draw.normal({n, cols}, 100).to(DType::Float32), ids = draw.integers({n}, 0, rows);
    const std::vector<float> values = x.to_vector<float>();
    const Ints id = ids.to_vector<std::int64_t>();
    std::vector<float> wanted(static_cast<std::size_t>(rows * cols), 0);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto c = static_cast<std::size_t>(cols);
      wanted[static_cast<std::size_t>(id[i / c]) * c + i % c] += values[i];
    }
    CHECK(scatter_rows(x, ids, rows).to_vector<float>() == wanted);  // bit for bit
  }
}

TEST_CASE("rows written in place") {
  for (DType dtype : {DType::Float32, DType::Float64, DType::Int64, DType::BFloat16}) {
    Tensor table = Tensor::zeros({4, 2}, {dtype, {}});
    const Tensor wide = Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6}, Shape{2, 3}).to(dtype);
    write_rows(table, Tensor::from(Ints{3, 1}),
               wide.slice(1, 1, 3));  // rows further apart than they are wide
    CHECK(table.to(DType::Float64).to_vector<double>() == std::vector<double>{0, 0, 5, 6, 0, 0, 2, 3});
    write_rows(table, Tensor::from(Ints{0, 2}), wide.slice(0, 0, 2).slice(1, 0, 2).transpose(0, 1));
    CHECK(table.to(DType::Float64).to_vector<double>() == std::vector<double>{1, 4, 5, 6, 2, 5, 2, 3});
    const std::uint32_t version = table.version();
    write_rows(table, Tensor::from(Ints{}), wide.slice(0, 0, 0).slice(1, 0, 2));
    CHECK(table.version() == version + 1);
  }
}

TEST_CASE("errors") {
  Tensor cache = Tensor::ones({4, 2});
  const Tensor table = Tensor::ones({4, 2}), x = Tensor::ones({3, 2});
  const ErrorCase cases[] = {
      {"gather_rows",
       [&] {
         gather_rows(table, Tensor::from(Ints{0, 3, 4, -1}));
       },
       "[gather_rows] ids[2] is 4, outside of a table with 4 rows"},
      {"gather_rows", [&] { gather_rows(table, Tensor::from(Ints{-1})); }, "ids[0] is -1"},
      {"gather_rows",
       [&] {
         gather_rows(Tensor::ones({0, 2}), Tensor::from(Ints{0}));
       },
       "a table with 0 rows"},
      {"gather_rows", [&] { gather_rows(table, x); },
       "[gather_rows] ids must be [n] int64, got (3, 2) float32"},
      {"gather_rows", [&] { gather_rows(table, Tensor()); }, "ids must be [n] int64, got () undefined"},
      {"gather_rows", [&] { gather_rows(Tensor::ones({4}), Tensor::from(Ints{0})); },
       "[gather_rows] the table must be [rows, C], got (4,)"},
      {"scatter_rows",
       [&] {
         scatter_rows(x, Tensor::from(Ints{0, 1}), 4);
       },
       "[scatter_rows] 2 ids for 3 rows"},
      {"scatter_rows",
       [&] {
         scatter_rows(x, Tensor::from(Ints{0, 1, 4}), 4);
       },
       "[scatter_rows] ids[2] is 4"},
      {"scatter_rows",
       [&] {
         scatter_rows(x, Tensor::from(Ints{0, 1, 4}), -1);
       },
       "rows >= 0"},
      {"write_rows",
       [&] {
         write_rows(cache, Tensor::from(Ints{0, 1, 4}), x);
       },
       "[write_rows] ids[2] is 4, outside of a table with 4 rows"},
      {"write_rows", [&] { write_rows(cache, Tensor::from(Ints{0}), x); }, "[write_rows] 1 ids for 3 rows"},
      {"write_rows",
       [&] {
         write_rows(cache, Tensor::from(Ints{0}), Tensor::ones({1, 3}));
       },
       "[write_rows] x must be [n, 2], got (1, 3)"},
      {"write_rows",
       [&] {
         cache.set_requires_grad(true);
         write_rows(cache, Tensor::from(Ints{0}), Tensor::ones({1, 2}));
       },
       "must not be written in place"},
      {"concat", [&] { concat({}, 0); }, "[concat] needs at least one defined part"},
      {"concat",
       [&] {
         concat({x, Tensor::ones({3, 4})}, 0);
       },
       "[concat] part 1 is (3, 4), part 0 is (3, 2): sizes may differ along axis 0 only"},
      {"concat",
       [&] {
         concat({x, Tensor::ones({3})}, 0);
       },
       "[concat] part 1 is (3,)"},
      {"concat",
       [&] {
         concat({x, Tensor()}, 0);
       },
       "[concat] part 1 is undefined"},
      {"concat",
       [&] {
         concat({x, Tensor::ones({3, 2}, {DType::Float64})}, 0);
       },
       "[concat] operands differ"},
      {"concat",
       [&] {
         concat({x, x}, 2);
       },
       "axis 2 is out of range for (3, 2)"},
  };
  run_error_cases(cases);
}
