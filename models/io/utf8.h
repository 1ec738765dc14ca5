// Strict UTF-8: what every text file is held to before a tokenizer sees it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sesame {

// Offset of the first byte that does not continue well-formed UTF-8 (overlong forms, surrogates and code
// points above U+10FFFF are malformed), or std::string_view::npos.
size_t find_invalid_utf8(std::string_view text);

// Code points in well-formed UTF-8.
size_t count_code_points(std::string_view text);

// Throws Error at `where` ("train.tsv:17") on malformed UTF-8 or a NUL byte, naming the byte column (from 1).
void check_text(std::string_view text, const std::string& where);

}  // namespace sesame
