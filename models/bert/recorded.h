// The encoder's passes over small batches, recorded (autograd/recording.h): a batch is laid into a frame, a
// batch of fixed sizes with filler rows behind its tokens, and what was recorded for the frame is replayed.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "autograd/recording.h"
#include "models/bert/bert.h"

namespace sesame {

class RecordedBert {
 public:
  explicit RecordedBert(Device device) : space_(std::make_shared<RecordingSpace>(device)) {}

  // Whether recording the batch's pass gains anything: inside of a RecordingScope, on a device that records,
  // with few enough rows that starting the kernels would take longer than running them.
  static bool worth_it(const Bert& bert, const PackedBatch& batch);
  Device device() const { return space_->device(); }
  // Whether states() may be called: not while an earlier pass waits to go backwards.
  bool free() const { return space_->pending.expired(); }

  // Bert::states(): every layer's output or the last one alone, [T, H] each. The first time that a frame is
  // needed it computes as ever, then it is recorded; the numbers are the same.
  std::vector<Tensor> states(const Bert& bert, const PackedBatch& batch, const BertForward& options);

 private:
  // Sizes and modes that decide which kernels run, and a digest of the parameters' places.
  using Key = std::array<std::uint64_t, 6>;
  struct Frame {
    PackedBatch batch;
    std::shared_ptr<RecordedFunction> function;  // null: not recorded yet
    int uses = 0;
    bool refused = false;  // recording it failed
  };
  void record(const Bert& bert, const BertForward& options, const std::vector<NamedParameter>& parameters,
              Frame& frame);

  std::shared_ptr<RecordingSpace> space_;
  std::map<Key, Frame> frames_;
};

}  // namespace sesame
