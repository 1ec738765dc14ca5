// Scores of written texts against what should have been written.
#pragma once

#include <string>
#include <vector>

#include "tasks/data/example.h"
#include "tasks/metrics/metrics.h"

namespace sesame {

// bleu and chrf (0 to 100), rouge1, rouge2, rougeL and exact_match (fractions; equal but for white space; of
// several targets any). texts[i] is the output for data.examples[i].
Metrics score_texts(const Dataset& data, const std::vector<std::string>& texts);

// The texts of a file of predictions: lines {"text": ...} as predict writes them, or plain lines.
std::vector<std::string> read_predicted_texts(const std::string& path);

}  // namespace sesame
