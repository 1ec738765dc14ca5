#include "autograd/check.h"

namespace sesame::detail {

namespace {

constexpr std::size_t kLongestMessage = 4000;

// Texts from files are quoted in errors: whatever they hold, an error stays one line that is safe to print.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\t') {
      line += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  if (line.size() <= kLongestMessage) return line;
  // The cut must not leave half a character.
  const auto boundary = [&](std::size_t at) {
    while (at < line.size() && (static_cast<unsigned char>(line[at]) & 0xC0) == 0x80) ++at;
    return at;
  };
  return line.substr(0, boundary(kLongestMessage / 2)) + " ... " +
         line.substr(boundary(line.size() - kLongestMessage / 2));
}

}  // namespace

void throw_error(const char* where, const std::string& message) {
  throw Error(fmt::format("[{}] {}", one_line(where), one_line(message)));
}

}  // namespace sesame::detail
