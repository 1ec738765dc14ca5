// Errors for people: one line that names the op or file, what came and what was wanted.
//
//   SESAME_CHECK(x.dim() == 2, "linear", "input must be [T, in], got {}", x.shape());
//
// throws sesame::Error("[linear] input must be [T, in], got (3, 4, 5)").
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace sesame {

// The one exception type of the project: bad arguments, bad input files, unsupported requests.
// Programs print its text and exit with code 2.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {
[[noreturn]] void throw_error(const char* where, const std::string& message);
}  // namespace detail

// Throws Error("[where] message"). `where` is an op ("linear"), or a file with its line ("train.tsv:17").
template <class... Args>
[[noreturn]] void fail(const std::string& where, fmt::format_string<Args...> format, Args&&... args) {
  detail::throw_error(where.c_str(), fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace sesame

// Checks a rule that callers or input must keep; the message is built only on failure.
#define SESAME_CHECK(condition, where, ...) \
  do {                                      \
    if (!(condition)) [[unlikely]] {        \
      ::sesame::fail(where, __VA_ARGS__);   \
    }                                       \
  } while (false)
