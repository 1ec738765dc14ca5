#include "tasks/metrics/ngrams.h"

#include "models/tokenizer/utf8.h"

namespace sesame {
namespace {

// str.isspace() of Python.
bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace

std::vector<std::string> split_white_space(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  const char *p = text.data(), *end = p + text.size();
  while (p < end) {
    char32_t c = 0;
    const int length = std::max(decode_utf8(p, end, c), 1);
    if (is_white_space(c)) {
      inside = false;
    } else {
      if (!inside) words.emplace_back();
      inside = true;
      words.back().append(p, static_cast<std::size_t>(length));
    }
    p += length;
  }
  return words;
}

}  // namespace sesame
