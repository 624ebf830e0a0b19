/* Between the files of the shim. */
#ifndef SHIM_IMPL_H
#define SHIM_IMPL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <functional>

/* The error that a test asked this call to fail with, once; 0 if none. */
int shim_asked_to_fail(const char *call);
/* What cudaGetLastError will answer in this thread; 0 leaves an earlier failure standing. */
void shim_set_last(int error);
int shim_last(void);

/* Work of the device: now, or as a node of the graph that this thread captures. */
void shim_run(const std::function<void()> &work);
bool shim_is_capturing(void);

/* To 10 bits after the point, ties away from zero, as cvt.rna.tf32.f32 does. */
static inline float shim_tf32(float x)
{
  uint32_t bits;
  if (!isfinite(x)) return x;
  memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x1000u) & ~0x1fffu;
  memcpy(&x, &bits, sizeof bits);
  return x;
}

/* Bytes of dynamic shared memory that a block may have. */
int shim_shared_most(void);

/* Count a call. */
void shim_called(const char *call);
/* What the stream of this thread has put off is done. The device that the thread works on. */
void shim_stream_catch_up(void);
int shim_device(void);
/* The device in whose memory it lies, or -1. */
int shim_device_of(const void *memory);

/* Is it inside the stack of the fiber that runs? */
bool shim_is_own_stack(const void *memory);

/* The access checker (access.cpp), where it is linked: a launch begins (nullptr: is over), a barrier was passed. */
__attribute__((weak)) void shim_watch_launch(const char *kernel);
__attribute__((weak)) void shim_watch_interval(void);

#endif
