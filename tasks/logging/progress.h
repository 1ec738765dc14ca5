// Progress on stderr: a bar with rate and time left on a terminal, a plain line now and then otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace sesame {

class Progress {
 public:
  // total 0: unknown, no bar and no time left. `unit` as in "12.3 batches/s".
  Progress(std::string label, int64_t total, std::string unit = "steps", std::FILE* out = stderr);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Steps done before this process began (resume): they count for the bar, not for the rate.
  void start_at(int64_t done);
  // note: "loss 0.412  lr 4.1e-05". Cheap enough for every step: draws at most a few times a second.
  void update(int64_t done, const std::string& note = "");
  // Prints a line of its own without breaking the bar.
  void message(const std::string& line);
  // Draws the last state and ends the line. The destructor does it too.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(Clock::time_point now);

  std::string label_, unit_, note_;
  int64_t total_, done_ = 0, first_ = 0, drawn_done_ = -1;
  std::FILE* out_;
  bool terminal_, finished_ = false, drawn_ = false;
  Clock::time_point begin_, last_;
};

// "1:02:03", "4:05".
std::string format_duration(double seconds);

}  // namespace sesame
