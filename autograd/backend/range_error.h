// The error of an index out of range, in the same words wherever it is found.
#pragma once

#include <fmt/args.h>

#include "autograd/backend/kernel_table.h"
#include "autograd/check.h"

namespace sesame {

[[noreturn]] inline void throw_range_error(const char* op, const char* text, std::int64_t row,
                                           std::int64_t value, std::int64_t limit) {
  fmt::dynamic_format_arg_store<fmt::format_context> store;
  store.push_back(fmt::arg("row", row));
  store.push_back(fmt::arg("value", value));
  store.push_back(fmt::arg("limit", limit));
  fail(op, "{}", fmt::vformat(text, store));
}

}  // namespace sesame
