// The data sets of a study.
#pragma once

#include <string>
#include <vector>

#include "tasks/study/study.h"
#include "tasks/train/run.h"

namespace sesame {

struct StudySet {
  std::string name;
  RunOptions run;           // task, data and model; the rest as RunOptions has it
  std::string fingerprint;  // of everything that makes results on this set what they are
};

// The example data of the project (where they lie under the working folder), then --preset, then --data.
// "NAME=DIR[,key=value...]": DIR holds train.* and dev.*, or `train` and `dev` name them; further keys are
// the options of tools/train: preset, task, text, text2, text3, label, target, question, format, labels,
// max-length, batch-size, lr, limit. A name given again replaces the earlier set. Throws Error for keys and
// files that there are not.
std::vector<StudySet> study_sets(const StudyOptions& options);

}  // namespace sesame
