#include "models/tokenizer/template.h"

#include <algorithm>
#include <numeric>

namespace sesame {
namespace {

void append_added(int32_t id, int32_t type_id, Encoding& out) {
  out.ids.push_back(id);
  out.type_ids.push_back(type_id);
  out.offsets.push_back({});
  out.sequences.push_back(-1);
  out.words.push_back(-1);
  out.special_mask.push_back(1);
}

template <class T>
void append_range(const std::vector<T>& from, TokenRange range, std::vector<T>& to) {
  to.insert(to.end(), from.begin() + static_cast<ptrdiff_t>(range.begin),
            from.begin() + static_cast<ptrdiff_t>(range.end));
}

}  // namespace

std::vector<size_t> longest_first(std::span<const size_t> lengths, size_t budget) {
  std::vector<size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return lengths[a] < lengths[b]; });
  std::vector<size_t> kept(lengths.size());
  size_t texts_left = lengths.size();
  for (const size_t i : order) {
    kept[i] = std::min(lengths[i], budget / texts_left--);
    budget -= kept[i];
  }
  return kept;
}

std::vector<TokenRange> stride_windows(size_t length, size_t size, size_t stride) {
  std::vector<TokenRange> windows;
  for (size_t begin = 0;; begin += size - stride) {
    const size_t end = std::min(begin + size, length);
    windows.push_back({begin, end});
    if (end == length) return windows;
  }
}

Encoding join(const InputTemplate& form, std::span<const Encoding> texts,
              std::span<const TokenRange> ranges) {
  Encoding out;
  append_added(form.cls_id, 0, out);
  for (size_t i = 0; i < texts.size(); ++i) {
    const int32_t type_id = i == 0 ? 0 : 1;
    const size_t count = ranges[i].end - ranges[i].begin;
    append_range(texts[i].ids, ranges[i], out.ids);
    append_range(texts[i].offsets, ranges[i], out.offsets);
    append_range(texts[i].words, ranges[i], out.words);
    out.type_ids.insert(out.type_ids.end(), count, type_id);
    out.sequences.insert(out.sequences.end(), count, static_cast<int32_t>(i));
    out.special_mask.insert(out.special_mask.end(), count, 0);
    append_added(form.sep_id, type_id, out);
  }
  return out;
}

}  // namespace sesame
