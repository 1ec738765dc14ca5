#include "tasks/train/stop_signal.h"

#include <signal.h>

namespace sesame {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};

volatile sig_atomic_t noted = 0;
struct sigaction before[2];

void note(int number) { noted = number; }

}  // namespace

StopSignal::StopSignal() {
  noted = 0;
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART | SA_RESETHAND;
  for (int i = 0; i < 2; ++i) {
    ::sigaction(kSignals[i], nullptr, &before[i]);
    if (before[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

StopSignal::~StopSignal() {
  for (int i = 0; i < 2; ++i) ::sigaction(kSignals[i], &before[i], nullptr);
}

const char* StopSignal::received() const {
  return noted == SIGINT ? "SIGINT" : noted == SIGTERM ? "SIGTERM" : nullptr;
}

}  // namespace sesame
