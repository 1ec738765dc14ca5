#include "tasks/ranks/batch_share.h"

#include <cstring>
#include <string>
#include <utility>

#include "autograd/check.h"

namespace sesame {
namespace {

void append_bytes(std::string& to, const void* from, std::size_t bytes) {
  to.append(static_cast<const char*>(from), bytes);
}

}  // namespace

std::vector<std::vector<double>> BatchShare::all() {
  const auto ranks = static_cast<std::size_t>(comm_.size());
  if (ranks == 1) return std::exchange(own_, {});
  std::string bytes;  // of each batch its length and its numbers
  for (const std::vector<double>& numbers : own_) {
    const std::uint64_t count = numbers.size();
    append_bytes(bytes, &count, sizeof count);
    append_bytes(bytes, numbers.data(), numbers.size() * sizeof(double));
  }
  own_.clear();
  const std::vector<std::string> given = comm_.gather(bytes);
  std::vector<std::vector<double>> batches(next_);
  std::vector<std::size_t> at(ranks);
  for (std::size_t i = 0; i < next_; ++i) {
    const std::size_t rank = i % ranks;
    std::uint64_t count = 0;
    SESAME_CHECK(at[rank] + sizeof count <= given[rank].size(), "ranks",
                 "rank {} gave fewer batches than there are: it read other data", rank);
    std::memcpy(&count, given[rank].data() + at[rank], sizeof count);
    at[rank] += sizeof count;
    if (count == 0) continue;  // memcpy wants two addresses even of nothing
    batches[i].resize(count);
    std::memcpy(batches[i].data(), given[rank].data() + at[rank], count * sizeof(double));
    at[rank] += count * sizeof(double);
  }
  next_ = 0;
  return batches;
}

std::vector<double> BatchShare::all_joined() {
  std::vector<double> joined;
  for (const std::vector<double>& batch : all()) joined.insert(joined.end(), batch.begin(), batch.end());
  return joined;
}

}  // namespace sesame
