// From options to something that can be trained, and back from the folder of a finished run.
#pragma once

#include <memory>
#include <string>

#include "tasks/extract/extract_task.h"
#include "tasks/train/setup.h"
#include "tasks/use/trained_folder.h"

namespace sesame {

// max_length 384; stride a third of max_length, as 128 is of 384.
void extract_defaults(RunOptions& options);

// Reads everything that `options` name. Messages (answers moved, weights loaded, fresh heads) go to stderr.
// Throws Error for whatever does not fit.
RunSetup set_up_extract(const RunOptions& options);

// A trained model from the folder of a finished run.
struct TrainedExtractor {
  Tokenizer tokenizer;
  ExtractTaskFile file;
  std::unique_ptr<ExtractModel> model;
};
TrainedExtractor load_trained_extractor(TrainedFolders& folders, const std::string& directory);

}  // namespace sesame
