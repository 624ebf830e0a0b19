/* Graphs: what a thread launches between the begin and the end of a capture is kept, with the arguments of that moment, and
 * run at each launch of the graph. */
#include <atomic>
#include <vector>

#include "cuda_runtime.h"
#include "shim.h"
#include "shim_impl.h"

struct shim_graph {
  std::vector<std::function<void()>> nodes;
};

static thread_local shim_graph *capture; /* nullptr: none */
static std::atomic<long> graphs{0};

long shim_graphs(void)
{
  return graphs;
}

bool shim_is_capturing(void)
{
  return capture != nullptr;
}

void shim_run(const std::function<void()> &work)
{
  if (capture)
    capture->nodes.push_back(work);
  else
    work();
}

static cudaError_t answer(const char *call, bool right)
{
  const int error = shim_asked_to_fail(call);
  shim_called(call);
  shim_set_last(error ? error : right ? 0 : cudaErrorInvalidValue);
  return error ? (cudaError_t)error : right ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode)
{
  const cudaError_t rc = answer("cudaStreamBeginCapture", !capture);
  if (rc == cudaSuccess) {
    capture = new shim_graph;
    graphs++;
  }
  return rc;
}

cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *graph)
{
  const cudaError_t rc = answer("cudaStreamEndCapture", capture != nullptr);
  *graph = capture;
  capture = nullptr;
  return rc;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
  const cudaError_t rc = answer("cudaGraphInstantiate", graph != nullptr);
  if (rc == cudaSuccess) {
    *exec = (cudaGraphExec_t) new shim_graph(*graph);
    graphs++;
  }
  return rc;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t)
{
  const cudaError_t rc = answer("cudaGraphLaunch", exec && !capture);
  if (rc == cudaSuccess)
    for (const auto &node : ((shim_graph *)exec)->nodes) node();
  return rc;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
  delete graph;
  graphs--;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
  delete (shim_graph *)exec;
  graphs--;
  return cudaSuccess;
}
