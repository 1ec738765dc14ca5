// on_device <program> [arguments]: runs the program where there is a CUDA device, else says that it was
// skipped and exits with 77, which ctest shows as "Skipped".
#include <unistd.h>

#include <cstdio>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: on_device <program> [arguments]\n");
    return 2;
  }
  try {
    sesame::cuda::table(0);
  } catch (const sesame::Error& error) {
    std::printf("SKIPPED: %s\n", error.what());
    return 77;
  }
  execvp(argv[1], argv + 1);
  std::perror(argv[1]);
  return 2;
}
