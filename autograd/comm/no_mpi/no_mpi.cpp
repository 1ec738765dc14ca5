// Stands in for comm/mpi/ in a build without MPI.
#include "autograd/check.h"
#include "autograd/comm/comm.h"

namespace sesame {

std::unique_ptr<Comm> make_mpi_comm() {
  fail("mpirun",
       "{} processes were started together, but this build has no MPI: apt-get install libopenmpi-dev "
       "openmpi-bin and build again",
       launched().size);
}

}  // namespace sesame
