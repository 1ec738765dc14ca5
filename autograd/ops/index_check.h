// Checks of indices that an op gets as a tensor.
#pragma once

#include <cstdint>
#include <optional>

#include "autograd/tensor.h"

namespace sesame {

// Throws Error("[op] text") for the first of ids [n] int64, contiguous, that is neither in [0, limit) nor
// `ignored`; text may name {row}, {value} and {limit}. At once on the CPU. A device is not waited for: there
// the same error comes where the host next waits for it (to_vector, item, Later, synchronize), and the
// kernels that take the ids leave out the rows of those out of range. `op` and `text` are literals.
void check_indices(const char* op, const char* text, const Tensor& ids, std::int64_t limit,
                   std::optional<std::int64_t> ignored = {});

}  // namespace sesame
