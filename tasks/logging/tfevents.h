// Scalars that TensorBoard reads: records of length, masked CRC-32C and a protobuf Event, written by hand.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace sesame {

class TensorBoardLog {
 public:
  // A new events.out.tfevents.<seconds>.<host> in `folder`. first_step > 0 (resume): TensorBoard is told to
  // forget what an interrupted run wrote from that step on.
  explicit TensorBoardLog(const std::string& folder, int64_t first_step = 0);
  ~TensorBoardLog();
  TensorBoardLog(const TensorBoardLog&) = delete;
  TensorBoardLog& operator=(const TensorBoardLog&) = delete;

  void scalar(const std::string& tag, double value, int64_t step);  // tag: "train/loss"
  void flush();
  const std::string& path() const { return path_; }

 private:
  void put(const std::string& event);

  std::string path_;
  std::FILE* file_ = nullptr;
};

// The pieces, public for the tests.
uint32_t crc32c(std::string_view data);
std::string tfrecord(std::string_view payload);
std::string scalar_event(double wall_time, int64_t step, const std::string& tag, float value);

}  // namespace sesame
