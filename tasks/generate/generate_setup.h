// From options to a sequence model that can be trained, and from a finished run's folder to one that writes.
#pragma once

#include <memory>
#include <string>

#include "tasks/generate/generate_task.h"
#include "tasks/train/setup.h"
#include "tasks/use/trained_folder.h"

namespace sesame {

// Reads everything that `options` name. Messages (rows left out, targets cut, weights loaded) go to stderr.
// Throws Error for whatever does not fit.
RunSetup set_up_generate(const RunOptions& options);
// Fills what was left at 0.
void generate_defaults(RunOptions& options);

// A trained model from the folder of a finished run.
struct TrainedWriter {
  std::unique_ptr<SequenceModel> model;
  Writer writer;  // of *model
};
TrainedWriter load_trained_writer(TrainedFolders& folders, const std::string& directory);

}  // namespace sesame
