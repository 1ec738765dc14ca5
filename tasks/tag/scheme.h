// Tagging schemes: how entities are written as one tag for each word, and which sequences of tags a scheme
// allows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/metrics/entities.h"

namespace sesame {

// None: the tags are no entities (parts of speech). Iob1: B- only between entities of one type that touch
// (Ramshaw & Marcus 1995). Bio (IOB2): every entity begins with B-. Bioes and Bilou mark the last word and
// entities of one word.
enum class Scheme { None, Iob1, Bio, Bioes, Bilou };

const char* scheme_name(Scheme scheme);  // "none", "IOB1", "BIO", "BIOES", "BILOU"
Scheme parse_scheme(const std::string& name, const std::string& where);

// The scheme of a training set: None unless every tag is O or a letter of a scheme with a type. Where the
// sequences break the rules of both BIO and IOB1, the one they break less often.
Scheme recognise_scheme(const TagLists& tags);

// What may follow what, for labels of a scheme: scores of 0 for legal and kIllegal for all other moves.
inline constexpr double kIllegal = -1e9;
struct Transitions {
  std::vector<double> start, end;  // [K]
  std::vector<double> move;        // [K * K], from * K + to
};
Transitions legal_transitions(const std::vector<std::string>& labels, Scheme scheme);

// The best sequence y under start[y_1] + sum emissions[t, y_t] + sum move[y_t, y_t+1] + end[y_n]: [n] label
// numbers (Viterbi 1967). emissions [n * K]. Of equal scores the lower number wins.
std::vector<std::int64_t> best_path(const std::vector<double>& emissions, const Transitions& transitions);
// Probabilities [n * K] of each label at each place under the same scores (forward and backward algorithm).
std::vector<double> marginals(const std::vector<double>& emissions, const Transitions& transitions);

}  // namespace sesame
