// --tune and what goes with it: what of a model is trained, and how a run of it is stored.
#pragma once

#include <string>

#include "models/tuning.h"
#include "tasks/train/setup.h"

namespace sesame {

// Adds the adapter or the low-rank updates that `options` ask for, sets what is trained and says how much it
// is. Called once the model has its first values. Throws Error for options that do not go together.
void set_up_tuning(TrunkModel& model, const RunOptions& options);

// options.trainer with what --layer-decay and --unfreeze-gradually ask of it.
TrainerOptions tuned_trainer(const RunOptions& options, const Module& model);

// Writes a finished run's model, without task.json, which is returned: a directory as Hugging Face has it
// (low-rank updates become part of the weights), or of an adapter AdapterHub's files, with the base named in
// task.json.
std::string write_tuned_model(const std::string& out, const RunOptions& options, RunSetup& setup);

}  // namespace sesame
