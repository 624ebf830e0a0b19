/* The runtime API: devices, their memory on the host, streams that put off what they are asked, and events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda_runtime.h"
#include "shim.h"
#include "shim_impl.h"

enum { DEVICES = 8, GUARD = 256, HOST = -1 };
static const unsigned char guard_byte = 0xa5;
static const uint32_t nan_word = 0x7ff8dead; /* NaN as a double and as a float */

struct piece { /* of device or pinned memory: [ guard | bytes | guard ] */
  size_t bytes;
  int device;   /* or HOST */
  size_t taken; /* bytes that an arena has handed out, 0 if none */
};

static std::recursive_mutex lock; /* guards what follows */
static std::map<const void *, piece> pieces;
static size_t used[DEVICES];
static size_t most = (size_t)1 << 30;
static int devices;

static std::atomic<long> live{0}, events{0};
static std::atomic<unsigned> generation{1}; /* of pieces */
static thread_local int current;

[[noreturn]] static void wrong(const char *what, const void *memory)
{
  fprintf(stderr, "cuda_on_cpu: %s (%p, device %d)\n", what, memory, current);
  abort();
}

static cudaError_t answer(const char *call)
{
  int error = shim_asked_to_fail(call);
  if (!error && shim_is_capturing()) error = cudaErrorStreamCaptureUnsupported;
  shim_called(call);
  shim_set_last(error);
  return (cudaError_t)error;
}

static cudaError_t refuse(cudaError_t error)
{
  shim_set_last(error);
  return error;
}

/* ---- devices ----------------------------------------------------------------------------------- */

void shim_devices(int count, size_t bytes)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  devices = count;
  most = bytes;
}

static int device_count(void)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const char *wish = getenv("SHIM_DEVICES");
  if (devices == 0) devices = wish ? atoi(wish) : 1;
  return devices > DEVICES ? (int)DEVICES : devices;
}

int shim_device(void)
{
  return current;
}

static std::atomic<int> shared_most{232448}; /* an H100's */

static std::atomic<int> processors{1};

void shim_processors(int count)
{
  processors = count;
}

void shim_shared(int bytes)
{
  shared_most = bytes;
}

int shim_shared_most(void)
{
  return shared_most;
}

cudaError_t cudaGetDeviceCount(int *count)
{
  const cudaError_t rc = answer("cudaGetDeviceCount");
  if (rc == cudaSuccess) *count = device_count();
  return rc;
}

cudaError_t cudaGetDevice(int *device)
{
  *device = current;
  return answer("cudaGetDevice");
}

cudaError_t cudaSetDevice(int device)
{
  if (device < 0 || device >= device_count()) return refuse(cudaErrorInvalidDevice);
  const cudaError_t rc = answer("cudaSetDevice");
  if (rc == cudaSuccess) current = device;
  return rc;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
  *value = attribute == cudaDevAttrComputeCapabilityMajor         ? 8
           : attribute == cudaDevAttrMaxSharedMemoryPerBlockOptin ? (int)shared_most
           : attribute == cudaDevAttrMultiProcessorCount          ? (int)processors
                                                                  : 0;
  return device < device_count() ? answer("cudaDeviceGetAttribute") : refuse(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
  *properties = {"the CPU, by tests/cuda_on_cpu", most, 8, 0};
  return device < device_count() ? answer("cudaGetDeviceProperties") : refuse(cudaErrorInvalidDevice);
}

cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer)
{
  *can = device != peer;
  return answer("cudaDeviceCanAccessPeer");
}

cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned flags)
{
  static std::atomic<bool> enabled[DEVICES][DEVICES];
  if (peer == current || peer >= device_count() || flags) return refuse(cudaErrorInvalidDevice);
  const cudaError_t rc = answer("cudaDeviceEnablePeerAccess");
  return rc == cudaSuccess && enabled[current][peer].exchange(true)
             ? refuse(cudaErrorPeerAccessAlreadyEnabled)
             : rc;
}

cudaError_t cudaDriverGetVersion(int *version)
{
  *version = CUDART_VERSION;
  return answer("cudaDriverGetVersion");
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  *left = most > used[current] ? most - used[current] : 0;
  *total = most;
  return answer("cudaMemGetInfo");
}

/* ---- streams: one for each thread and device ------------------------------------------------------ */

struct work {
  std::vector<std::function<void()>> put_off;
  size_t done = 0; /* of all that were ever asked */
};

static void catch_up(work &stream)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  std::vector<std::function<void()>> now;
  now.swap(stream.put_off);
  for (const auto &one : now) one();
  stream.done += now.size();
}

struct streams_of_thread {
  std::shared_ptr<work> of[DEVICES];
  streams_of_thread();
  ~streams_of_thread();
};
static std::vector<streams_of_thread *> &all_streams(void)
{
  static auto *all = new std::vector<streams_of_thread *>; /* threads may end after everything else */
  return *all;
}
streams_of_thread::streams_of_thread()
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  for (auto &one : of) one = std::make_shared<work>();
  all_streams().push_back(this);
}
streams_of_thread::~streams_of_thread()
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  for (auto &one : of) catch_up(*one);
  for (auto &one : all_streams())
    if (one == this) {
      one = all_streams().back();
      all_streams().pop_back();
      break;
    }
}
static thread_local streams_of_thread mine;

static void put_off(std::function<void()> what)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  mine.of[current]->put_off.push_back(std::move(what));
}

void shim_stream_catch_up(void)
{
  catch_up(*mine.of[current]);
}

static void catch_up_device(void)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  for (streams_of_thread *thread : all_streams()) catch_up(*thread->of[current]);
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
  const cudaError_t rc = answer("cudaStreamSynchronize");
  shim_stream_catch_up();
  return rc;
}

struct shim_event {
  std::shared_ptr<work> stream; /* null: never recorded */
  size_t place;                 /* done when the stream has done so many */
  int device;
};

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
  if (flags != cudaEventDisableTiming) return refuse(cudaErrorInvalidValue);
  const cudaError_t rc = answer("cudaEventCreateWithFlags");
  if (rc != cudaSuccess) return rc;
  *event = new shim_event{nullptr, 0, current};
  events++;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
  delete event;
  events--;
  return answer("cudaEventDestroy");
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const cudaError_t rc = answer("cudaEventRecord");
  if (rc != cudaSuccess) return rc;
  if (event->device != current) wrong("an event of another device is recorded", event);
  event->stream = mine.of[current];
  event->place = event->stream->done + event->stream->put_off.size();
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const cudaError_t rc = answer("cudaEventQuery");
  const bool over = !event->stream || event->stream->done >= event->place;
  return rc == cudaSuccess && !over ? refuse(cudaErrorNotReady) : rc;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const cudaError_t rc = answer("cudaEventSynchronize");
  if (event->stream && event->stream->done < event->place) catch_up(*event->stream);
  return rc;
}

/* The other stream catches up at once: what comes after in this one needs it. */
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t event, unsigned)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const cudaError_t rc = answer("cudaStreamWaitEvent");
  const bool other = event->stream && event->stream != mine.of[current];
  if (rc == cudaSuccess && other && event->stream->done < event->place) catch_up(*event->stream);
  return rc;
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static void fill(void *memory, size_t bytes)
{
  for (size_t i = 0; i + sizeof nan_word <= bytes; i += sizeof nan_word)
    memcpy((char *)memory + i, &nan_word, sizeof nan_word);
}

static cudaError_t take(const char *call, void **memory, size_t bytes, int device)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const cudaError_t rc = answer(call);
  if (rc != cudaSuccess) return rc;
  const size_t whole = (bytes + 2 * GUARD + GUARD - 1) / GUARD * GUARD;
  const bool fits =
      whole > bytes && (device == HOST || bytes <= most - (used[device] < most ? used[device] : most));
  char *base = fits ? (char *)aligned_alloc(GUARD, whole) : nullptr;
  if (!base) return refuse(cudaErrorMemoryAllocation);
  memset(base, guard_byte, whole);
  *memory = base + GUARD;
  fill(*memory, bytes);
  pieces[*memory] = {bytes, device, 0};
  generation++;
  if (device != HOST) used[device] += bytes;
  return cudaSuccess;
}

/* Guard words before the piece, and from `bytes` of it on. */
static void check(const void *memory, const piece &one, size_t bytes)
{
  const unsigned char *at = (const unsigned char *)memory;
  bool whole = true;
  for (size_t i = 0; i < GUARD; i++)
    whole = whole && at[i - GUARD] == guard_byte && at[one.bytes + i] == guard_byte;
  for (size_t i = bytes; i < one.bytes; i++) whole = whole && at[i] == guard_byte;
  if (whole) return;
  fprintf(stderr, "cuda_on_cpu: something wrote outside a piece of %zu bytes\n", bytes);
  abort();
}

static cudaError_t give(const char *call, void *memory, int device)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const auto found = pieces.find(memory);
  if (found == pieces.end()) wrong("what is given back was not taken", memory);
  if (found->second.device != device) wrong("what is given back is of another device", memory);
  catch_up_device();
  check(memory, found->second, found->second.taken ? found->second.taken : found->second.bytes);
  if (device != HOST) used[device] -= found->second.bytes;
  pieces.erase(found);
  generation++;
  free((char *)memory - GUARD);
  return answer(call);
}

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
  return take("cudaMalloc", memory, bytes, current);
}

cudaError_t cudaFree(void *memory)
{
  return give("cudaFree", memory, current);
}

cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
  return take("cudaMallocHost", memory, bytes, HOST);
}

cudaError_t cudaFreeHost(void *memory)
{
  return give("cudaFreeHost", memory, HOST);
}

/* The piece around it, or the end. */
static std::map<const void *, piece>::iterator around(const void *memory)
{
  auto after = pieces.upper_bound(memory);
  if (after == pieces.begin()) return pieces.end();
  --after;
  return (const char *)memory < (const char *)after->first + after->second.bytes ? after : pieces.end();
}

/* Pieces are 256 bytes apart: lines of that size belong to one, and what was found is remembered. */
int shim_device_of(const void *memory)
{
  struct line {
    uintptr_t number;
    unsigned generation;
    int device;
  };
  static thread_local line known[1 << 12];
  const uintptr_t number = (uintptr_t)memory / GUARD;
  line &here = known[number % (1 << 12)];
  if (here.number == number && here.generation == generation) return here.device;
  const std::lock_guard<std::recursive_mutex> held(lock);
  const auto found = around((const void *)(number * GUARD));
  here = {number, generation, found == pieces.end() ? (int)HOST : found->second.device};
  return here.device;
}

void shim_taken(void *memory, size_t bytes, size_t whole)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const auto found = pieces.find(memory);
  if (found == pieces.end() || whole > found->second.bytes || bytes > whole || found->second.taken)
    wrong("an arena hands out what it does not have", memory);
  if (found->second.device != HOST && found->second.device != current)
    wrong("an arena hands out memory of another device", memory);
  shim_stream_catch_up();
  fill(memory, bytes);
  memset((char *)memory + bytes, guard_byte, whole - bytes);
  found->second.taken = bytes;
  live++;
}

void shim_given(void *memory)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const auto found = pieces.find(memory);
  if (found == pieces.end() || !found->second.taken)
    wrong("an arena takes back what it did not hand out", memory);
  check(memory, found->second, found->second.taken);
  found->second.taken = 0;
  live--;
}

void shim_closed(size_t blocks)
{
  if (blocks == 0) return;
  fprintf(stderr, "cuda_on_cpu: an arena was closed with %zu pieces that nobody gave back\n", blocks);
  abort();
}

long shim_live(void)
{
  return live;
}

/* ---- copies -------------------------------------------------------------------------------------------- */

/* Memory of this device, whole; where: for the message. */
static void is_of(const void *memory, size_t bytes, int device, const char *what)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const auto found = around(memory);
  if (found == pieces.end() || found->second.device != device) wrong(what, memory);
  if (bytes > found->second.bytes - (size_t)((const char *)memory - (const char *)found->first))
    wrong("a copy leaves its piece", memory);
}

static bool is_pinned(const void *memory)
{
  const std::lock_guard<std::recursive_mutex> held(lock);
  const auto found = around(memory);
  return found != pieces.end() && found->second.device == HOST;
}

static std::atomic<uint64_t> copied[2][2]; /* from, to the device: calls, bytes */

shim_copies shim_copied(void)
{
  return {copied[0][0], copied[0][1], copied[1][0], copied[1][1]};
}

/* Copies from and to pageable memory of the host are over when the call returns, as on a device. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t)
{
  const cudaError_t rc = answer("cudaMemcpyAsync");
  if (rc != cudaSuccess) return rc;
  const bool down = kind == cudaMemcpyDeviceToHost, up = kind == cudaMemcpyHostToDevice;
  if (!down) is_of(to, bytes, current, "a copy to memory of another device or of the host");
  if (!up) is_of(from, bytes, current, "a copy from memory of another device or of the host");
  if (up || down) {
    copied[up][0]++;
    copied[up][1] += bytes;
  }
  put_off([=]() { memcpy(to, from, bytes); });
  if ((up && !is_pinned(from)) || (down && !is_pinned(to))) shim_stream_catch_up();
  return cudaSuccess;
}

cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device, size_t bytes,
                                cudaStream_t)
{
  const cudaError_t rc = answer("cudaMemcpyPeerAsync");
  if (rc != cudaSuccess) return rc;
  is_of(to, bytes, to_device, "a copy between devices to memory of a third");
  is_of(from, bytes, from_device, "a copy between devices from memory of a third");
  put_off([=]() { memcpy(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t)
{
  const cudaError_t rc = answer("cudaMemsetAsync");
  if (rc != cudaSuccess) return rc;
  is_of(memory, bytes, current, "memory of another device or of the host is set");
  put_off([=]() { memset(memory, value, bytes); });
  return cudaSuccess;
}

/* ---- leaks ------------------------------------------------------------------------------------------------ */

static struct at_end {
  ~at_end()
  {
    const std::lock_guard<std::recursive_mutex> held(lock);
    if (pieces.empty() && events == 0) return;
    fprintf(stderr, "cuda_on_cpu: the program ends with %zu allocations and %ld events that nobody freed\n",
            pieces.size(), events.load());
    _exit(1);
  }
} at_end;
