#include "tasks/data/model_input.h"

namespace sesame {

TokenSequence tokenize_input(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                             const EncodeOptions& options, std::int64_t example) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<std::int32_t> ids, type_ids;
  tokenizer.encode_ids(views, options, ids, type_ids);
  return {{ids.begin(), ids.end()}, {type_ids.begin(), type_ids.end()}, example};
}

std::vector<std::string> tokens_of(const Tokenizer& tokenizer, const std::vector<std::int64_t>& ids) {
  std::vector<std::string> tokens;
  for (std::int64_t id : ids) tokens.push_back(tokenizer.token(static_cast<std::int32_t>(id)));
  return tokens;
}

}  // namespace sesame
