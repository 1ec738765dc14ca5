#include "models/adapters/base_hash.h"

#include <algorithm>

#include "autograd/check.h"
#include "models/adapters/adapters.h"
#include "models/adapters/xxh64.h"

namespace sesame {

std::string base_hash(const Bert& bert, const std::vector<std::string>& without) {
  const NoGradGuard no_grad;
  Xxh64 hash;
  const BertConfig& config = bert.config();
  hash.add(fmt::format("{} {} {}\n", config.num_attention_heads, config.hidden_act, config.layer_norm_eps));
  NamedTensors tensors = base_tensors(bert);
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [name, tensor] : tensors) {
    const auto left_out = [&, &full = name](const std::string& prefix) { return full.starts_with(prefix); };
    if (std::any_of(without.begin(), without.end(), left_out)) continue;
    const Tensor values = tensor.detach().to(Device{}).to(DType::Float32).contiguous();
    hash.add(fmt::format("{} {}\n", name, values.shape()));
    hash.add(values.data<float>(), static_cast<std::size_t>(values.numel()) * sizeof(float));
  }
  return fmt::format("xxh64:{:016x}", hash.digest());
}

void check_base(const Bert& bert, const std::string& stored, const std::string& where,
                const std::vector<std::string>& without) {
  const std::string own = base_hash(bert, without);
  SESAME_CHECK(
      own == stored, where,
      "the adapter was trained on the base with hash {}, this one has {}: name its base with --base DIR",
      stored, own);
}

}  // namespace sesame
