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

// Two standard errors of the difference of two such scores on so many examples, taken as shares of right
// answers (in percent where above 1): single runs that lie closer tell nothing.
double sampling_margin(double score, double examples);
// Whether `score` is at least `share` of `reference`; Mixed where it is below by less than the margin.
Verdict close_to(double score, double reference, double share, double margin);

// A claim that on every set one thing scores below another.
struct Comparison {
  std::vector<Verdict> verdicts;
  std::string numbers;

  // Nothing where one of them was not measured. `margin` as in below().
  void add(const std::string& set, const std::string& what, const Spread& low, const Spread& high,
           double margin = 0);
  // Adds the finding, unless nothing was compared.
  void conclude(std::vector<Finding>& findings, const std::string& claim, const char* source) const;
};

// "0.0213", "1.54", "312": about three digits.
std::string short_number(double value);

// Escaped HTML.
std::string findings_table(const std::vector<Finding>& findings);
// The first row names the columns; the first column names the rows. Cells are escaped.
std::string numbers_table(const std::vector<std::vector<std::string>>& rows);

inline constexpr const char* kHao =
    "Hao et al. 2019, Visualizing and Understanding the Effectiveness of BERT";
inline constexpr const char* kHoulsby = "Houlsby et al. 2019, Parameter-Efficient Transfer Learning for NLP";
inline constexpr const char* kPfeiffer =
    "Pfeiffer et al. 2021, AdapterFusion: Non-Destructive Task Composition for Transfer Learning";
inline constexpr const char* kPeters = "Peters et al. 2018, Deep Contextualized Word Representations";
inline constexpr const char* kTuneOrNot = "Peters, Ruder and Smith 2019, To Tune or Not to Tune?";
inline constexpr const char* kTenney =
    "Tenney, Das and Pavlick 2019, BERT Rediscovers the Classical NLP Pipeline";
inline constexpr const char* kDevlin =
    "Devlin et al. 2019, BERT: Pre-training of Deep Bidirectional Transformers";

}  // namespace sesame
