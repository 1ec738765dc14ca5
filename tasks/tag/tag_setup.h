// From options to a tagger that can be trained, and from the folder of a run to one that predicts.
#pragma once

#include <memory>
#include <string>

#include "tasks/tag/tag_task.h"
#include "tasks/train/setup.h"
#include "tasks/use/trained_folder.h"

namespace sesame {

// Reads everything that `options` name. Messages (rows left out, the tagging scheme, weights loaded, fresh
// heads) go to stderr. Throws Error for whatever does not fit.
RunSetup set_up_tag(const RunOptions& options);
// Fills options that were left at 0.
void tag_defaults(RunOptions& options);

// A trained model from the folder of a finished run.
struct TrainedTagger {
  Tokenizer tokenizer;
  TagTaskFile file;
  std::unique_ptr<TagModel> model;
};
TrainedTagger load_trained_tagger(TrainedFolders& folders, const std::string& directory);

}  // namespace sesame
