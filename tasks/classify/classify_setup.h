// From options to something that can be trained: data read, labels numbered, model loaded, head made.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/pretrained.h"
#include "tasks/classify/classify_task.h"
#include "tasks/classify/task_file.h"
#include "tasks/train/run.h"

namespace sesame {

struct ClassifySetup {
  BertConfig config;  // with the labels of this task
  Tokenizer tokenizer;
  ClassifyTaskFile file;
  std::unique_ptr<ClassifyModel> model;
  std::unique_ptr<ClassifyTask> task;
  LoadReport report;
};

// Reads everything that `options` name. Messages (rows left out, weights loaded, fresh heads) go to stderr.
// Throws Error for whatever does not fit.
ClassifySetup set_up_classify(const RunOptions& options);

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
TrainedClassifier load_trained_classifier(const std::string& directory, Device device, bool verbose = false);

}  // namespace sesame
