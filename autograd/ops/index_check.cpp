#include "autograd/ops/index_check.h"

#include "autograd/ops/op_support.h"

namespace sesame {

void check_indices(const char* op, const char* text, const Tensor& ids, std::int64_t limit,
                   std::optional<std::int64_t> ignored) {
  if (ids.numel() == 0) return;
  kernel(op, ids, &KernelTable::check_range)(ids.view(), {.op = op,
                                                          .text = text,
                                                          .limit = limit,
                                                          .ignores = ignored.has_value(),
                                                          .ignored = ignored.value_or(0)});
}

}  // namespace sesame
