// chrF2 (Popovic 2015) of a corpus as sacreBLEU computes it by default: F2 of character n-grams up to 6,
// white space left out, case kept (signature case:mixed|eff:yes|nc:6|nw:0|space:no).
#pragma once

#include <string>
#include <vector>

namespace sesame {

// 0 to 100. references[i] are the references of hypotheses[i], at least one; of several the best counts.
double corpus_chrf(const std::vector<std::string>& hypotheses,
                   const std::vector<std::vector<std::string>>& references);

}  // namespace sesame
