// Texts as a model reads them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/bert/packed_batch.h"
#include "models/tokenizer/tokenizer.h"

namespace sesame {

// One input of one text or several: [CLS] a [SEP] b [SEP]; `example` numbers it in its update.
TokenSequence tokenize_input(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                             const EncodeOptions& options, std::int64_t example);

// The tokens of ids, to be shown.
std::vector<std::string> tokens_of(const Tokenizer& tokenizer, const std::vector<std::int64_t>& ids);

}  // namespace sesame
