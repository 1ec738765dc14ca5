// Python's view of text where a published scorer is a Python program: its score depends on str.lower,
// str.split and \b of re, which differ from other libraries in rare characters. All texts are well-formed
// UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sesame {

// A text as scalar values, and back.
std::u32string to_code_points(std::string_view text);
std::string to_utf8(std::u32string_view text);

// str.lower(), with the case tables of the tokenizer (55 letters newer than Unicode 14 differ from
// Python 3.11's): a capital sigma at the end of a word becomes a final one, U+0130 two characters.
std::u32string python_lower(std::u32string_view text);
// str.isspace() of one character: what str.split() splits at.
bool python_is_space(char32_t c);
// \w of re: letters, numbers of all kinds and the underscore.
bool python_is_word(char32_t c);
// str.split(): the parts between runs of white space, none of them empty.
std::vector<std::u32string> python_split(std::u32string_view text);

}  // namespace sesame
