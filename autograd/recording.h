// Work on a device that is recorded once and started again as one launch: what makes small batches
// independent of how fast the host can start kernels.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "autograd/allocator.h"
#include "autograd/tensor.h"

namespace sesame {

// Whether work on the device can be recorded. The CPU records nothing: it runs what it is told at once.
bool can_record(Device device);

// While one lives on the thread, models may record their passes (models/bert/recorded.h).
// SESAME_RECORDING=off in the environment forbids it, to compare or to look for a fault.
class RecordingScope {
 public:
  RecordingScope();
  ~RecordingScope();
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;
  static bool active();

 private:
  bool previous_;
};

// Kernels that `work` starts, recorded and not run. They find their tensors at the same addresses at each
// replay. `work` must not wait for the device or copy from the host (throws Error; nothing stays recorded
// then). No other thread may use the device meanwhile: they share its stream.
class Recording {
 public:
  // step_key: uint64 on the device, where recorded random draws find the step they belong to.
  Recording(Device device, const std::uint64_t* step_key, const std::function<void()>& work);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  void replay() const;

 private:
  Device device_;
  LaunchGraph* graph_ = nullptr;
};

// What recorded functions share: memory for all that they compute. Their replays must not overlap: the values
// of one last until the next is replayed.
struct RecordingSpace {
  explicit RecordingSpace(Device device);
  Device device() const { return memory->device(); }

  std::shared_ptr<MemoryPool> memory;
  Tensor step_key;              // [1] int64 on the device
  std::weak_ptr<void> pending;  // history of the last replay that still waits for its backward pass
  std::vector<Tensor> given;    // parameters that got gradients in `memory`
};

// A function of static tensors and parameters, recorded forward and, where parameters require gradients,
// backward.
class RecordedFunction : public std::enable_shared_from_this<RecordedFunction> {
 public:
  // `function` must give the same kernels at each call; floating outputs. The parameters may change their
  // values, but not their memory nor whether they require gradients.
  RecordedFunction(std::shared_ptr<RecordingSpace> space,
                   const std::function<std::vector<Tensor>()>& function,
                   const std::vector<Tensor>& parameters);

  // Whether call() is allowed now: not between a call and its backward pass.
  bool free() const { return space_->pending.expired(); }
  // The outputs for the present contents of the static tensors, in memory of their own. They have history
  // where recording is on and a parameter requires a gradient. Draws belong to the step of the thread's
  // RandomScope.
  std::vector<Tensor> call();

 private:
  void record_backward(const std::vector<Tensor>& outputs);
  std::vector<Tensor> with_history(const std::vector<Tensor>& values);
  void backward();

  std::shared_ptr<RecordingSpace> space_;
  std::vector<Tensor> parameters_;  // that require gradients
  std::unique_ptr<Recording> forward_, backward_;
  std::vector<Tensor> outputs_, output_grads_;  // in the space's memory
  std::vector<Tensor> grads_;                   // of parameters_, undefined where none reaches them
  std::vector<bool> given_;                     // which output_grads_ this backward pass has filled
};

}  // namespace sesame
