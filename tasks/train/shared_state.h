// What the ranks of a training run have in common: each its own copy, with the same bits.
#pragma once

#include <vector>

#include "autograd/comm/comm.h"
#include "nn/optim/optimizer.h"
#include "tasks/train/checkpoint.h"

namespace sesame {

// Values of rank 0 to all.
void share_values(Comm& comm, const std::vector<NamedParameter>& parameters);
// Position, weights and optimiser of rank 0 to all.
void share_state(Comm& comm, TrainState& state, const std::vector<NamedParameter>& parameters,
                 Optimizer& optimizer);

// The parameters cut into parts of about equal size, one for each rank: that of this one.
std::vector<NamedParameter> share_of(const std::vector<NamedParameter>& parameters, const Comm& comm);

}  // namespace sesame
