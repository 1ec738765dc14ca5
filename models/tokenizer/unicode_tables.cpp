#include "models/tokenizer/unicode_tables.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sesame {
namespace {

struct CombiningRun {
  uint32_t first, count, rank;
};
struct LowerRun {
  uint32_t first, count, step;
  int32_t delta;
};

#include "models/tokenizer/unicode_data.inc"

constexpr size_t kScalars = 0x110000;
constexpr size_t kBlock = 128;

// Records of the few thousand values that have more than flags.
std::unordered_map<uint32_t, CharInfo> special_records(std::vector<char32_t>& parts) {
  std::unordered_map<uint32_t, CharInfo> records;
  for (const auto& run : kCombiningRuns) {
    for (uint32_t i = 0; i < run.count; ++i)
      records[run.first + i].combining = static_cast<uint8_t>(run.rank);
  }
  for (const auto& run : kLowerRuns) {
    for (uint32_t i = 0; i < run.count; ++i) records[run.first + i * run.step].lower_delta = run.delta;
  }
  for (const uint32_t* p = kDecompositions; p != std::end(kDecompositions); p += 2 + p[1]) {
    CharInfo& info = records[p[0]];
    info.decomposition_begin = static_cast<uint16_t>(parts.size());
    info.decomposition_length = static_cast<uint8_t>(p[1]);
    parts.insert(parts.end(), p + 2, p + 2 + p[1]);
  }
  return records;
}

// Flags of every value, [kScalars].
std::vector<uint8_t> expand_flags() {
  std::vector<uint8_t> flags(kScalars);
  for (const uint32_t* p = kFlagRanges; p != std::end(kFlagRanges); ++p) {
    const size_t last = p + 1 == std::end(kFlagRanges) ? kScalars : p[1] >> 8;
    std::fill(flags.begin() + (p[0] >> 8), flags.begin() + static_cast<ptrdiff_t>(last), p[0] & 0xFF);
  }
  return flags;
}

}  // namespace

const UnicodeTables& UnicodeTables::get() {
  static const UnicodeTables tables;
  return tables;
}

UnicodeTables::UnicodeTables() {
  const std::vector<uint8_t> flags = expand_flags();
  // Plain values: the record's index is the flags.
  for (int f = 0; f < 256; ++f) records_.push_back({.flags = static_cast<uint8_t>(f)});
  auto special = special_records(parts_);
  const auto kept_mark = [&](char32_t c) {
    const auto found = special.find(c);
    return found != special.end() && found->second.combining != 0 && (flags[c] & kCharMark) == 0;
  };
  std::u16string cells(flags.begin(), flags.end());
  for (const auto& [c, info] : special) {
    CharInfo full = info;
    full.flags = flags[c];
    const auto parts = decomposition(info);
    if (kept_mark(c) || std::any_of(parts.begin(), parts.end(), kept_mark)) full.flags |= kCharReordered;
    cells[c] = static_cast<char16_t>(records_.size());
    records_.push_back(full);
  }
  std::unordered_map<std::u16string_view, uint32_t> seen;
  for (size_t begin = 0; begin < kScalars; begin += kBlock) {
    const auto block = std::u16string_view(cells).substr(begin, kBlock);
    const auto [entry, fresh] = seen.try_emplace(block, static_cast<uint32_t>(cells_.size()));
    if (fresh) cells_ += block;
    blocks_.push_back(entry->second);
  }
}

}  // namespace sesame
