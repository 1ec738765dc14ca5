// How many threads a rank should take beside the others of its machine.
#pragma once

#include "autograd/comm/comm.h"

namespace sesame {

// The CPUs that this process may use, each shared by all ranks of the machine that may use it, within the
// container's limit; at least one. Every rank must call it.
int fair_threads(Comm& comm);

}  // namespace sesame
