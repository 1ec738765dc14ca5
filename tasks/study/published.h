// Published scores of larger models, each with its source.
#pragma once

#include <span>

namespace sesame {

struct PublishedScore {
  const char* preset;
  const char* model;
  const char* score;  // as published, in percent
  const char* split;  // "dev" or "test": the two must not be compared
  const char* source;
};
std::span<const PublishedScore> published_scores();

}  // namespace sesame
