// Checks of indices. The host is not waited for: what they find is noted where it looks later.
#include <climits>

#include "autograd/backend/cuda/kernels/common.cuh"
#include "autograd/backend/cuda/kernels/indices.cuh"

namespace sesame::cuda {
namespace {

struct Earlier {
  __device__ std::int64_t operator()(std::int64_t a, std::int64_t b) const { return a < b ? a : b; }
};

// Each block looks through a share of the ids, end to end, and notes its first offence; a report that the
// host has not seen yet stays. `offence` holds what does not depend on the row.
__global__ void check_range_kernel(IndexReport* reports, IndexReport offence, const std::int64_t* ids,
                                   std::int64_t n, bool ignores, std::int64_t ignored) {
  const std::int64_t share = (n + gridDim.x - 1) / gridDim.x, begin = blockIdx.x * share;
  const std::int64_t end = begin + share < n ? begin + share : n;
  std::int64_t first = LLONG_MAX;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kBlock) {
    const std::int64_t id = ids[i];
    if (!inside(id, offence.limit) && !(ignores && id == ignored) && i < first) first = i;
  }
  if (__syncthreads_or(first != LLONG_MAX ? 1 : 0) == 0) return;  // the whole block
  first = block_combine(first, Earlier{});
  IndexReport* report = reports + blockIdx.x;
  if (threadIdx.x != 0 || report->check != 0) return;
  offence.row = first;
  offence.value = ids[first];
  *report = offence;
}

void check_range(const View& ids, const RangeCheck& check) {
  if (ids.numel == 0) return;
  const IndexReports place = index_reports();
  IndexReport offence;
  offence.check = place.check;
  offence.op = check.op;
  offence.text = check.text;
  offence.limit = check.limit;
  const unsigned wanted = blocks_for(ids.numel, 2 * kBlock);
  launch("check_range", check_range_kernel, wanted < kIndexReports ? wanted : kIndexReports, kBlock,
         place.reports, offence, ptr<const std::int64_t>(ids), ids.numel, check.ignores, check.ignored);
}

}  // namespace

void fill_checks(KernelTable& table) { table.check_range = check_range; }

}  // namespace sesame::cuda
