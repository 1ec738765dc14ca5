// The data sets of a study.
#pragma once

#include <string>
#include <vector>

#include "tasks/study/study.h"
#include "tasks/train/run.h"

namespace sesame {

// Development examples scored by the studies that score often, unless --dev-limit says otherwise.
inline constexpr std::int64_t kDevExamples = 300;

struct StudySet {
  std::string name;
  RunOptions run;                         // task, data and model; the rest as RunOptions has it
  std::string fingerprint;                // of everything that makes results on this set what they are
  std::vector<std::string> studies = {};  // the subcommands that it is for; empty: all
};

// The example data of the project (where they lie under the working folder), then --preset, then --data.
// "NAME=DIR[,key=value...]": DIR holds train.* and dev.*, or `train` and `dev` name them; further keys are
// the options of tools/train: preset, task, text, text2, text3, label, target, question, format, labels,
// max-length, batch-size, lr, limit; `studies=curves+table` names the subcommands that the set is for. A name
// given again replaces the earlier set. Throws Error for keys and files that there are not.
std::vector<StudySet> study_sets(const StudyOptions& options);
// Those of them that are for `study`, with the first `dev_limit` development examples (0: all) where the
// options leave that open; says so where there are none.
std::vector<StudySet> study_sets(StudyOptions options, const std::string& study, std::int64_t dev_limit);

}  // namespace sesame
