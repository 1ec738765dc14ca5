// Texts written by trained models, one or an ensemble, and their scores.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tasks/generate/generate_setup.h"
#include "tasks/use/predictor.h"

namespace sesame {

// Several models are an ensemble: the probabilities of each next token are averaged. Throws Error when the
// models' target vocabularies or numbers of texts differ.
std::unique_ptr<Predictor> load_generate(const UseOptions& options);

// Scores anyone's texts (lines {"text": ...} or plain lines) against the targets of the data.
Metrics score_generate(const ScoreOptions& options);

}  // namespace sesame
