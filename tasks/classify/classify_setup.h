// From options to a classifier that can be trained, and from the folder of a run to one that predicts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tasks/classify/classify_task.h"
#include "tasks/train/setup.h"
#include "tasks/use/trained_folder.h"

namespace sesame {

// Reads everything that `options` name. Messages (rows left out, weights loaded, fresh heads) go to stderr.
// Throws Error for whatever does not fit.
RunSetup set_up_classify(const RunOptions& options);
// Fills options that were left at 0.
void classify_defaults(RunOptions& options);

// A trained model from the folder of a finished run.
struct TrainedClassifier {
  Tokenizer tokenizer;
  ClassifyTaskFile file;
  LabelMap labels;
  std::unique_ptr<ClassifyModel> model;
  ClassifyTaskOptions options;

  // How to read a file for this model: the run's preset and columns.
  ReadOptions read_options(bool need_label) const;
};
TrainedClassifier load_trained_classifier(TrainedFolders& folders, const std::string& directory);

}  // namespace sesame
