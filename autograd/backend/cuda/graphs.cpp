// Work that is recorded once and started again as one: CUDA graphs by stream capture.
#include "autograd/backend/cuda/runtime.h"

namespace sesame {

struct LaunchGraph {
  cudaGraphExec_t executable = nullptr;
};

namespace cuda {
namespace {

thread_local bool is_recording = false;
thread_local const std::uint64_t* step_key_at = nullptr;

// Relaxed: the allocator may ask for memory meanwhile.
void begin_recording(const std::uint64_t* step_key) {
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "recording");
  is_recording = true;
  step_key_at = step_key;
}

LaunchGraph* end_recording(bool keep) {
  is_recording = false;
  step_key_at = nullptr;
  cudaGraph_t graph = nullptr;
  const cudaError_t status = cudaStreamEndCapture(stream(), &graph);
  if (!keep) {
    cudaGetLastError();
    if (graph != nullptr) cudaGraphDestroy(graph);
    return nullptr;
  }
  check(status, "recording");
  auto* recorded = new LaunchGraph;
  const cudaError_t made = cudaGraphInstantiate(&recorded->executable, graph, 0);
  cudaGraphDestroy(graph);
  if (made != cudaSuccess) delete recorded;
  check(made, "recording");
  return recorded;
}

void replay(const LaunchGraph* graph) { check(cudaGraphLaunch(graph->executable, stream()), "replay"); }

void free_graph(LaunchGraph* graph) {
  cudaGraphExecDestroy(graph->executable);
  delete graph;
}

}  // namespace

bool recording() { return is_recording; }
const std::uint64_t* recorded_step_key() { return step_key_at; }

void fill_graphs(KernelTable& table) {
  table.begin_recording = begin_recording;
  table.end_recording = end_recording;
  table.replay = replay;
  table.free_graph = free_graph;
}

}  // namespace cuda
}  // namespace sesame
