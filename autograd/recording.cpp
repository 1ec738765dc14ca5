#include "autograd/recording.h"

#include <cstdlib>
#include <string_view>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/engine.h"
#include "autograd/node.h"
#include "autograd/random.h"

namespace sesame {
namespace {

thread_local bool may_record = false;

// Where recorded draws find their step.
const std::uint64_t* step_key_of(const RecordingSpace& space) {
  return static_cast<const std::uint64_t*>(space.step_key.view().data);
}

}  // namespace

bool can_record(Device device) { return kernels(device).begin_recording != nullptr; }

RecordingScope::RecordingScope() : previous_(may_record) {
  const char* wish = std::getenv("SESAME_RECORDING");
  may_record = wish == nullptr || std::string_view(wish) != "off";
}
RecordingScope::~RecordingScope() { may_record = previous_; }
bool RecordingScope::active() { return may_record; }

Recording::Recording(Device device, const std::uint64_t* step_key, const std::function<void()>& work)
    : device_(device) {
  const KernelTable& table = kernels(device);
  SESAME_CHECK(table.begin_recording != nullptr, "recording", "{} records nothing", device.name());
  table.begin_recording(step_key);
  try {
    work();
  } catch (...) {
    table.end_recording(false);
    throw;
  }
  graph_ = table.end_recording(true);
}

Recording::~Recording() { kernels(device_).free_graph(graph_); }

void Recording::replay() const { kernels(device_).replay(graph_); }

RecordingSpace::RecordingSpace(Device device)
    : memory(std::make_shared<MemoryPool>(device)), step_key(Tensor::zeros({1}, {DType::Int64, device})) {}

RecordedFunction::RecordedFunction(std::shared_ptr<RecordingSpace> space,
                                   const std::function<std::vector<Tensor>()>& function,
                                   const std::vector<Tensor>& parameters)
    : space_(std::move(space)) {
  for (const Tensor& parameter : parameters) {
    if (parameter.requires_grad()) parameters_.push_back(parameter);
  }
  const MemoryPool::Scope pool(*space_->memory);
  std::vector<Tensor> outputs;
  forward_ =
      std::make_unique<Recording>(space_->device(), step_key_of(*space_), [&] { outputs = function(); });
  bool differentiable = false;
  for (const Tensor& output : outputs) differentiable = differentiable || output.requires_grad();
  if (differentiable) record_backward(outputs);
  // Later recordings may use the memory again: nothing here owns it, it only has to be valid.
  for (Tensor& output : outputs) outputs_.push_back(output.unowned(space_->memory));
}

// The pass is recorded as the engine runs it, from a root whose gradients are the outputs' own. Gradients
// that the parameters have by now stay theirs.
void RecordedFunction::record_backward(const std::vector<Tensor>& outputs) {
  std::vector<Tensor> output_grads, kept;
  for (const Tensor& output : outputs)
    output_grads.push_back(Tensor::empty(output.shape(), output.options()));
  for (Tensor& parameter : parameters_) {
    kept.push_back(parameter.grad());
    parameter.zero_grad();
  }
  const auto restore = [&] {
    for (std::size_t i = 0; i < kept.size(); ++i) parameters_[i].set_grad(kept[i]);
  };
  const Tensor root = record("recorded", Tensor::empty({}, outputs[0].options()), outputs, output_grads,
                             [count = outputs.size()](Backward& b) {
                               for (std::size_t i = 0; i < count; ++i) {
                                 if (b.wanted(i)) b.give(i, b.saved(i));
                               }
                             });
  const Tensor seed = Tensor::empty({}, root.options());
  try {
    backward_ = std::make_unique<Recording>(space_->device(), step_key_of(*space_),
                                            [&] { sesame::backward(root, {.grad = seed}); });
  } catch (...) {
    restore();
    throw;
  }
  for (const Tensor& parameter : parameters_) {
    grads_.push_back(parameter.grad().defined() ? parameter.grad().unowned(space_->memory) : Tensor());
  }
  for (const Tensor& grad : output_grads) output_grads_.push_back(grad.unowned(space_->memory));
  restore();
}

std::vector<Tensor> RecordedFunction::call() {
  SESAME_CHECK(free(), "replay", "the values of the last call still wait for their backward pass");
  // Gradients of an earlier call lie where this one computes: who still has them gets copies.
  for (Tensor& parameter : space_->given) {
    const Tensor& grad = parameter.grad();
    if (grad.defined() && grad.storage()->owner == space_->memory) parameter.set_grad(grad.clone());
  }
  space_->given.clear();
  const RandomScope* scope = RandomScope::current();
  const std::uint64_t key = scope != nullptr ? scope->key() : 0;
  kernels(space_->device()).copy_from_host(space_->step_key.view().data, &key, sizeof key);
  forward_->replay();
  std::vector<Tensor> values;
  for (const Tensor& output : outputs_) values.push_back(output.clone());
  return backward_ != nullptr && will_record(parameters_) ? with_history(values) : values;
}

// Each output is a node that takes its gradient; all of them lead to one, which has the parameters as inputs
// and replays the backward pass once every output's gradient is there.
std::vector<Tensor> RecordedFunction::with_history(const std::vector<Tensor>& values) {
  const auto pending = std::make_shared<char>();  // dies with the history
  space_->pending = pending;
  given_.assign(values.size(), false);
  const Tensor token = Tensor::zeros({}, {DType::Float32, space_->device()});
  const Tensor all = record("recorded", token, parameters_, {},
                            [self = shared_from_this(), pending](Backward&) { self->backward(); });
  std::vector<Tensor> outputs;
  for (std::size_t i = 0; i < values.size(); ++i) {
    outputs.push_back(
        record("recorded_output", values[i], {all}, {}, [self = shared_from_this(), i](Backward& b) {
          self->output_grads_[i].copy_(b.grad());
          self->given_[i] = true;
          b.give(0, Tensor::zeros({}, {DType::Float32, b.grad().device()}));
        }));
  }
  return outputs;
}

// Sets the parameters' gradients itself: through the engine, which must not take over memory of others, each
// would be copied.
void RecordedFunction::backward() {
  for (std::size_t i = 0; i < output_grads_.size(); ++i) {
    if (!given_[i]) output_grads_[i].fill_(0);
  }
  backward_->replay();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!grads_[i].defined()) continue;
    Tensor& parameter = parameters_[i];
    if (parameter.grad().defined()) {
      Tensor sum = parameter.grad();
      sum.add_(grads_[i]);
    } else {
      parameter.set_grad(grads_[i]);
      space_->given.push_back(parameter);
    }
  }
}

}  // namespace sesame
