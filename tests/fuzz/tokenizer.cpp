#include "models/tokenizer/tokenizer.h"

#include <stdexcept>

#include "tests/fuzz/target.h"

using namespace sesame;

namespace {

// Both ways of encoding, which must agree, on a text of its own or the one given.
void use(const std::string& folder, std::string_view text) {
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const std::string sample = "Ünaffable [MASK] 中文, 1.5 [CLS]x " + std::string(text);
  if (tokenizer.encode(sample).ids != tokenizer.encode_plainly(sample).ids) {
    throw std::logic_error("the fast path and the plain path give different ids");
  }
  (void)tokenizer.encode(sample, {.max_length = 4, .plain_special = true});
}

std::string_view behind_last(std::string_view bytes) {
  const std::size_t at = bytes.rfind("<<next>>\n");
  return at == std::string_view::npos ? "" : bytes.substr(at + 9);
}

}  // namespace

// tokenizer.json, and a text.
SESAME_FUZZ_TARGET(tokenizer_json) { use(fuzz::folder_with({"tokenizer.json"}, bytes), behind_last(bytes)); }

// vocab.txt, tokenizer_config.json, added_tokens.json, and a text.
SESAME_FUZZ_TARGET(vocab_txt) {
  use(fuzz::folder_with({"vocab.txt", "tokenizer_config.json", "added_tokens.json"}, bytes),
      behind_last(bytes));
}
