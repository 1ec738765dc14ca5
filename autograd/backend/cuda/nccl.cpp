// Sums over ranks between devices by NCCL, opened at run time. MPI carries its identifier to the other ranks.
#if __has_include(<nccl.h>)
#include <nccl.h>

#include "autograd/backend/cuda/runtime.h"
#include "autograd/backend/dispatch.h"
#include "autograd/backend/shared_library.h"
#include "autograd/comm/device_sum.h"

namespace sesame::cuda {
namespace {

struct Nccl {
  std::string missing;  // why the library is not there, or nothing
  decltype(&ncclGetVersion) version;
  decltype(&ncclGetUniqueId) unique_id;
  decltype(&ncclCommInitRank) init;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclAllReduce) all_reduce;
  decltype(&ncclGetErrorString) error;
};

const Nccl& nccl() {
  static const Nccl loaded = [] {
    Nccl n{};
    void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      n.missing = fmt::format("cannot open NCCL ({}): install libnccl2", dlerror());
      return n;
    }
    const auto find = [&](const char* name, auto& function) {
      find_function(library, "ranks", "NCCL", name, function);
    };
    find("ncclGetVersion", n.version);
    find("ncclGetUniqueId", n.unique_id);
    find("ncclCommInitRank", n.init);
    find("ncclCommAbort", n.abort);
    find("ncclCommDestroy", n.destroy);
    find("ncclAllReduce", n.all_reduce);
    find("ncclGetErrorString", n.error);
    return n;
  }();
  return loaded;
}

void check_nccl(ncclResult_t status, const char* what) {
  SESAME_CHECK(status == ncclSuccess, "ranks", "NCCL cannot {}: {}; NCCL_DEBUG=WARN tells more", what,
               nccl().error(status));
}

// Sums run on a stream of their own, so that the backward pass goes on beside them; two events order them
// behind the gradients they add, and before what reads the sums. A rank that does not come leaves the others
// waiting in the kernel: the Comm's signs of life end them.
class NcclSum : public DeviceSum {
 public:
  NcclSum(Comm& comm, int index) : index_(index) {
    table(index_);  // makes the device the current one
    ncclUniqueId id{};
    if (comm.leads()) check_nccl(nccl().unique_id(&id), "begin");
    comm.broadcast(std::as_writable_bytes(std::span(&id, 1)));
    check_nccl(nccl().init(&ranks_, comm.size(), id, comm.rank()), "bring the ranks together");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "ranks");
    check(cudaEventCreateWithFlags(&gradients_ready_, cudaEventDisableTiming), "ranks");
    check(cudaEventCreateWithFlags(&sums_ready_, cudaEventDisableTiming), "ranks");
  }

  ~NcclSum() override {
    table(index_);
    if (pending_) {  // left by an error: the others may never come
      nccl().abort(ranks_);
    } else {
      cudaStreamSynchronize(stream_);
      nccl().destroy(ranks_);
    }
    cudaEventDestroy(gradients_ready_);
    cudaEventDestroy(sums_ready_);
    cudaStreamDestroy(stream_);
  }
  NcclSum(const NcclSum&) = delete;
  NcclSum& operator=(const NcclSum&) = delete;

  void start(const Tensor& values) override {
    table(index_);
    check(cudaEventRecord(gradients_ready_, cuda::stream()), "ranks");
    check(cudaStreamWaitEvent(stream_, gradients_ready_), "ranks");
    void* data = values.view().data;
    const ncclDataType_t type = values.dtype() == DType::Float64 ? ncclFloat64 : ncclFloat32;
    pending_ = true;
    check_nccl(nccl().all_reduce(data, data, static_cast<std::size_t>(values.numel()), type, ncclSum, ranks_,
                                 stream_),
               "start a sum");
  }

  void wait() override {
    if (!pending_) return;
    table(index_);
    check(cudaEventRecord(sums_ready_, stream_), "ranks");
    check(cudaStreamWaitEvent(cuda::stream(), sums_ready_), "ranks");
    pending_ = false;
  }

  std::string description() const override {
    int version = 0;
    nccl().version(&version);
    return fmt::format("NCCL {}.{}", version / 10000, version % 10000 / 100);
  }

 private:
  int index_;
  ncclComm_t ranks_ = nullptr;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t gradients_ready_ = nullptr, sums_ready_ = nullptr;
  bool pending_ = false;
};

}  // namespace

std::string sum_obstacle() { return nccl().missing; }

std::unique_ptr<DeviceSum> make_sum(Comm& comm, int index) { return std::make_unique<NcclSum>(comm, index); }

}  // namespace sesame::cuda

#else  // a toolkit without NCCL's header

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/comm/device_sum.h"

namespace sesame::cuda {

std::string sum_obstacle() { return "this build has no NCCL: install libnccl-dev and build again"; }

std::unique_ptr<DeviceSum> make_sum(Comm&, int) { fail("ranks", "{}", sum_obstacle()); }

}  // namespace sesame::cuda

#endif
