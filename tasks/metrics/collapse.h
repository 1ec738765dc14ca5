// Training that ends in saying the same to everything.
#pragma once

#include <string>
#include <vector>

namespace sesame {

// What to say of predictions (classes, tags, answers, texts) that are all the same where the data's are not;
// "" otherwise, and for fewer than 20.
std::string collapse_text(const std::vector<std::string>& predicted, const std::vector<std::string>& gold);

}  // namespace sesame
