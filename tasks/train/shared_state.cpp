#include "tasks/train/shared_state.h"

#include "autograd/check.h"

namespace sesame {

void share_values(Comm& comm, const std::vector<NamedParameter>& parameters) {
  if (comm.size() == 1) return;
  const NoGradGuard no_grad;
  for (NamedParameter p : parameters) {
    SESAME_CHECK(p.tensor.is_contiguous(), "ranks", "'{}' {} cannot be sent from here", p.name,
                 p.tensor.shape());
    p.tensor.begin_write("share_values");
    const auto bytes = static_cast<std::size_t>(p.tensor.numel()) * dtype_size(p.tensor.dtype());
    const bool on_host = p.tensor.device() == Device{};
    Tensor values = on_host ? p.tensor : p.tensor.detach().to(Device{});
    comm.broadcast(std::span(static_cast<std::byte*>(values.view().data), bytes));
    if (!on_host) p.tensor.copy_(values);
  }
}

void share_state(Comm& comm, TrainState& state, const std::vector<NamedParameter>& parameters,
                 Optimizer& optimizer) {
  if (comm.size() == 1) return;
  std::string text = comm.leads() ? state_text(state) : "";
  comm.broadcast(text);
  state = state_of_text(text, "the state of rank 0");
  share_values(comm, parameters);
  share_values(comm, optimizer.state());  // its tensors share memory with the optimiser
  if (!comm.leads()) optimizer.load_state(optimizer.state(), state.step - state.skipped_steps);
}

std::vector<NamedParameter> share_of(const std::vector<NamedParameter>& parameters, const Comm& comm) {
  std::int64_t total = 0, before = 0;
  for (const NamedParameter& p : parameters) total += p.tensor.numel();
  std::vector<NamedParameter> own;
  for (const NamedParameter& p : parameters) {
    // By the middle of each: a large one goes to one rank whole.
    if ((before + p.tensor.numel() / 2) * comm.size() / std::max<std::int64_t>(total, 1) == comm.rank()) {
      own.push_back(p);
    }
    before += p.tensor.numel();
  }
  return own;
}

}  // namespace sesame
