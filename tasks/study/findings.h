// What has been published, and whether the results at hand agree.
#pragma once

#include <string>
#include <vector>

namespace sesame {

enum class Verdict { Agrees, Differs, Mixed };

struct Finding {
  std::string claim, source;
  Verdict verdict = Verdict::Mixed;
  std::string numbers;  // on which the verdict rests
};

// Of the runs from one start.
struct Spread {
  double mean = 0, deviation = 0, low = 0, high = 0;
  std::size_t count = 0;
};
Spread spread_of(const std::vector<double>& values);
// "0.912 ± 0.004", without a deviation for one value.
std::string spread_text(const Spread& spread);

// Whether `first` lies below `second` as claimed: Agrees where all runs of one do, Differs where all lie the
// other way round, Mixed where the runs overlap or
// come closer than `margin`.
Verdict below(const Spread& first, const Spread& second, double margin = 0);
// Agrees or Differs where all agree or differ; Mixed for everything else, and for none.
Verdict together(const std::vector<Verdict>& verdicts);

// "0.0213", "1.54", "312": about three digits.
std::string short_number(double value);

// Escaped HTML.
std::string findings_table(const std::vector<Finding>& findings);
// The first row names the columns; the first column names the rows. Cells are escaped.
std::string numbers_table(const std::vector<std::vector<std::string>>& rows);

inline constexpr const char* kHao =
    "Hao et al. 2019, Visualizing and Understanding the Effectiveness of BERT";
inline constexpr const char* kDevlin =
    "Devlin et al. 2019, BERT: Pre-training of Deep Bidirectional Transformers";

}  // namespace sesame
