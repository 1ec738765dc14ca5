// What the tests of the tokenizer share.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "autograd/check.h"
#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/utf8.h"

namespace sesame::testing {

using Json = nlohmann::json;

inline std::string read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE_MESSAGE(in, "cannot read " << path);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

// A directory that goes away with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() / fmt::format("sesame-tokenizer-{}-{}", getpid(), count++);
    std::filesystem::create_directories(path_);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  std::string path() const { return path_.string(); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
  }

 private:
  std::filesystem::path path_;
};

inline std::string tokens_of(const Tokenizer& tokenizer, const Encoding& encoding) {
  std::string all;
  for (const int32_t id : encoding.ids) all += (all.empty() ? "" : " ") + tokenizer.token(id);
  return all;
}

// All fields of an encoding against those of Hugging Face.
inline void check_equal(const Encoding& got, const Json& wanted, const std::string& text) {
  CAPTURE(text);
  using Ints = std::vector<int32_t>;
  CHECK(got.ids == wanted["ids"].get<Ints>());
  CHECK(got.type_ids == wanted["type_ids"].get<Ints>());
  CHECK(got.sequences == wanted["sequences"].get<Ints>());
  CHECK(got.words == wanted["words"].get<Ints>());
  CHECK(Ints(got.special_mask.begin(), got.special_mask.end()) == wanted["special_mask"].get<Ints>());
  std::vector<std::vector<int32_t>> offsets;
  for (const TokenSpan& span : got.offsets) offsets.push_back({span.begin, span.end});
  CHECK(offsets == wanted["offsets"].get<std::vector<Ints>>());
}

class Crc32 {
 public:
  Crc32() {
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
      table_[i] = c;
    }
  }
  void add(std::string_view bytes) {
    for (const char b : bytes) state_ = table_[(state_ ^ static_cast<uint8_t>(b)) & 0xFF] ^ state_ >> 8;
  }
  void add(int32_t number) {  // little-endian
    const auto n = static_cast<uint32_t>(number);
    for (const int shift : {0, 8, 16, 24}) {
      state_ = table_[(state_ ^ n >> shift) & 0xFF] ^ state_ >> 8;
    }
  }
  std::string hex() const { return fmt::format("{:08x}", ~state_); }
  void reset() { state_ = ~0u; }

 private:
  std::array<uint32_t, 256> table_;
  uint32_t state_ = ~0u;
};

// visit(block, {"a?b", ...}) for each block of 4096 scalar values, NUL and surrogates left out; under
// AddressSanitizer, which is twenty times slower here, for every eighth block.
template <class Visit>
void for_each_block(Visit visit) {
#ifdef __SANITIZE_ADDRESS__
  constexpr size_t kStep = 8;
#else
  constexpr size_t kStep = 1;
#endif
  for (size_t block = 0; block < 0x110000 / 4096; block += kStep) {
    const auto begin = static_cast<char32_t>(block * 4096);
    std::vector<std::string> texts;
    for (char32_t c = std::max<char32_t>(begin, 1); c < begin + 4096; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      texts.emplace_back("a");
      append_utf8(c, texts.back());
      texts.back() += 'b';
    }
    visit(block, texts);
  }
}

// sums[i] is the CRC of what `add` puts in for the texts of block i.
template <class Add>
void check_blocks(const Json& sums, Add add) {
  Crc32 crc;
  for_each_block([&](size_t block, const std::vector<std::string>& texts) {
    crc.reset();
    for (const std::string& text : texts) add(text, crc);
    CAPTURE(block * 4096);
    CHECK(crc.hex() == sums.at(block).template get<std::string>());
  });
}

}  // namespace sesame::testing
