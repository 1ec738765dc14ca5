// Ctrl-C and SIGTERM during training: the run ends with a checkpoint instead of in the middle of an update.
#pragma once

namespace sesame {

// While one lives, the first SIGINT or SIGTERM is noted here and does nothing else; a second one ends the
// process as it would have done. Signals that were ignored before (nohup, background jobs) stay ignored.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // "SIGINT" or "SIGTERM" once it came, else null.
  const char* received() const;
};

}  // namespace sesame
