#include "tasks/ranks/agreement.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/adapters/xxh64.h"
#include "models/io/strict_json.h"

namespace sesame {
namespace {

std::string hash_text_of(const Xxh64& hash) { return fmt::format("xxh64:{:016x}", hash.digest()); }

void add_file(const std::string& path, Xxh64& hash) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> block(std::size_t{1} << 20);
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    hash.add(block.data(), static_cast<std::size_t>(file.gcount()));
  }
}

// "--lr is 0.1 there, 0.2 on rank 0": what of `own` is not as in `first`; empty when nothing is.
std::string difference(const std::vector<Fact>& first, const std::vector<Fact>& own) {
  std::string text;
  for (std::size_t i = 0; i < std::max(first.size(), own.size()); ++i) {
    const Fact none{"the list of what is compared", "another"};
    const Fact &a = i < first.size() ? first[i] : none, &b = i < own.size() ? own[i] : none;
    if (a.name == b.name && a.value == b.value) continue;
    text += fmt::format("{}{} is {} there, {} on rank 0", text.empty() ? "" : "; ", b.name, b.value, a.value);
  }
  return text;
}

}  // namespace

void check_agreement(Comm& comm, const std::vector<Fact>& facts) {
  if (comm.size() == 1) return;
  Json own = Json::array();
  for (const Fact& fact : facts) own.push_back({fact.name, fact.value});
  const std::vector<std::string> all = comm.gather(own.dump(-1, ' ', false, Json::error_handler_t::replace));
  const auto read = [](const std::string& text) {
    std::vector<Fact> list;
    for (const Json& pair : json_or_discarded<Json>(text)) list.push_back({pair.at(0), pair.at(1)});
    return list;
  };
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    fail("ranks", "rank {} differs from rank 0: {}; start all ranks alike", rank,
         difference(read(all[0]), read(all[rank])));
  }
}

std::vector<Fact> facts_of_options(const std::string& json) {
  std::vector<Fact> facts;
  const OrderedJson options = json_or_discarded<OrderedJson>(json);
  for (const auto& [key, value] : options.items()) facts.push_back({"--" + key, json_text(value)});
  return facts;
}

std::string hash_of_file(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code none;
  Xxh64 hash;
  bool found = false;
  for (std::size_t begin = 0; begin <= path.size();) {
    std::size_t end = fs::exists(path, none) ? path.size() : std::min(path.find(':', begin), path.size());
    const std::string one = path.substr(begin, end - begin);
    if (fs::is_regular_file(one, none)) {
      add_file(one, hash);
      found = true;
    }
    begin = end + 1;
  }
  return found ? hash_text_of(hash) : "";
}

std::string hash_of_tokens(const Tokenizer& tokenizer) {
  Xxh64 hash;
  for (std::size_t id = 0; id < tokenizer.vocab_size(); ++id) {
    hash.add(tokenizer.token(static_cast<std::int32_t>(id)));
    hash.add("\n");
  }
  return hash_text_of(hash);
}

std::string hash_of_values(const std::vector<NamedParameter>& parameters) {
  const NoGradGuard no_grad;
  Xxh64 hash;
  for (const NamedParameter& p : parameters) {
    const Tensor values = p.tensor.detach().to(Device{}).contiguous();
    hash.add(fmt::format("{} {} {}\n", p.name, values.shape(), dtype_name(values.dtype())));
    const auto bytes = static_cast<std::size_t>(values.numel()) * dtype_size(values.dtype());
    hash.add(values.view().data, bytes);
  }
  return hash_text_of(hash);
}

}  // namespace sesame
