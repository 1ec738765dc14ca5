// BLEU (Papineni et al. 2002) of a corpus as sacreBLEU computes it by default: tokenizer 13a, case-sensitive,
// n-grams up to 4, exponential smoothing (signature case:mixed|eff:no|tok:13a|smooth:exp).
#pragma once

#include <string>
#include <vector>

namespace sesame {

// The words that mteval-v13a would count.
std::vector<std::string> tokenize_13a(std::string text);

// 0 to 100. references[i] are the references of hypotheses[i], at least one; of several the one closest in
// length (of two the shorter) counts for the brevity penalty, and all of them for the n-grams.
double corpus_bleu(const std::vector<std::string>& hypotheses,
                   const std::vector<std::vector<std::string>>& references);

}  // namespace sesame
