#include "autograd/comm/device_sum.h"

#include <unistd.h>

#include <map>
#include <vector>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"

namespace sesame {
namespace {

class HostSum : public DeviceSum {
 public:
  HostSum(Comm& comm, const std::string& why) : comm_(comm), why_(why) {}

  void start(const Tensor& values) override {
    const KernelTable& device = kernels(values.device());
    Pending& pending =
        pending_.emplace_back(values, Tensor::empty(values.shape(), {.dtype = values.dtype()}));
    const auto count = static_cast<std::size_t>(values.numel());
    if (values.dtype() == DType::Float64) {
      double* numbers = pending.on_host.mutable_data<double>();
      device.copy_to_host(numbers, values.view().data, count * sizeof(double));
      pending.sum = comm_.start_sum(std::span(numbers, count));
    } else {
      float* numbers = pending.on_host.mutable_data<float>();
      device.copy_to_host(numbers, values.view().data, count * sizeof(float));
      pending.sum = comm_.start_sum(std::span(numbers, count));
    }
  }

  void wait() override {
    for (Pending& pending : pending_) {
      comm_.wait(pending.sum);
      const std::size_t bytes =
          static_cast<std::size_t>(pending.values.numel()) * dtype_size(pending.values.dtype());
      kernels(pending.values.device())
          .copy_from_host(pending.values.view().data, pending.on_host.view().data, bytes);
    }
    pending_.clear();
  }

  std::string description() const override {
    return "through the host's memory" + (why_.empty() ? "" : ": " + why_);
  }

 private:
  struct Pending {
    Pending(Tensor on_device, Tensor host) : values(std::move(on_device)), on_host(std::move(host)) {}
    Tensor values, on_host;
    Comm::Started sum;
  };
  Comm& comm_;
  std::string why_;
  std::vector<Pending> pending_;
};

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace

std::unique_ptr<DeviceSum> make_host_sum(Comm& comm, const std::string& why) {
  return std::make_unique<HostSum>(comm, why);
}

std::unique_ptr<DeviceSum> make_device_sum(Comm& comm, Device device) {
  const std::vector<std::string> obstacles = comm.gather(sum_obstacle(device));
  const std::vector<std::string> places = comm.gather(device.name() + " of " + host_name());
  std::map<std::string, std::size_t> rank_at;
  for (std::size_t rank = 0; rank < places.size(); ++rank) {
    if (!obstacles[rank].empty())
      return make_host_sum(comm, fmt::format("rank {}: {}", rank, obstacles[rank]));
    const auto [other, alone] = rank_at.emplace(places[rank], rank);
    if (!alone) {
      return make_host_sum(comm, fmt::format("ranks {} and {} share {}", other->second, rank, places[rank]));
    }
  }
  return make_sum(comm, device);
}

}  // namespace sesame
