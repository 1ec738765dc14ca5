// The folder of a run: what stands in it, who may write it.
#pragma once

#include <string>

#include "tasks/report/report.h"

namespace sesame {

// Makes `out`. A folder that is not empty is refused unless the run resumes or overwrites; overwriting
// removes what a run writes and leaves everything else alone.
void prepare_run_folder(const std::string& out, bool resume, bool overwrite);

// Loss, learning rate and dev scores over steps from metrics.jsonl.
void add_curves(const std::string& metrics_jsonl, Report& report);

// Highest resident memory of this process so far.
std::int64_t peak_memory_bytes();

}  // namespace sesame
