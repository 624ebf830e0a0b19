/* Where a block keeps its scratch and the weights of its network: in shared memory where they fit, else in device
 * memory. Included after the tile words.
 *
 * The particles of a block are a function of field, request and FG_SHARED_NOMINAL, not of the device: sums of
 * gradients over blocks have the same bits on every device. What fits the device's own limit is in its shared memory,
 * which changes no bit. */
#ifndef FG_CUDA_ROOM_CUH
#define FG_CUDA_ROOM_CUH

#include "cuda/cuda_impl.h"
#include "cuda/launch.cuh"

#include "body/network_layout.h"

enum {
  FG_SHARED_STATIC = 20 << 10,   /* what kernels have beside it, at most: tile words, a field */
  FG_SHARED_NOMINAL = 143 << 10, /* an A100's limit of 163 KiB less that */
  FG_ROOM_FILL = 128             /* tiles that keep a device busy: with fewer, they are cut smaller */
};

/* ---- on the host ------------------------------------------------------------------------------- */

/* Dynamic shared memory that a block may have; 0 after a failed call, which the launch will report. */
static size_t fg_room_most(void)
{
  int device = 0, most = 0;
  if (cudaGetDevice(&device) != cudaSuccess ||
      cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) != cudaSuccess)
    return 0;
  return most > FG_SHARED_STATIC ? (size_t)(most - FG_SHARED_STATIC) : 0;
}

/* Particles of a tile, of n that a request has: FG_CUDA_TILE or fewer, so that there are tiles enough and bytes(p) of
 * scratch fit. A mixture has a particle a thread, always as many. */
template <class Bytes> static int fg_room_tile(const fg_field *f, size_t n, Bytes bytes)
{
  int most = FG_CUDA_TILE;
  if (f->kind != FG_FIELD_NETWORK) return most;
  while (most > FG_LANES && n < (size_t)most * FG_ROOM_FILL) most /= 2;
  for (int p = most; p >= FG_LANES; p /= 2)
    if (bytes(p) <= FG_SHARED_NOMINAL) return p;
  return most;
}

/* Threads of a block: a mixture's loops go over particles; a network's products have eight outputs a thread. */
static unsigned fg_room_threads(const fg_field *f, size_t p)
{
  const size_t warp = 32, least = FG_CUDA_TILE, most = FG_CUDA_MOST;
  if (f->kind != FG_FIELD_NETWORK) return FG_CUDA_TILE;
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  const size_t threads = (p * (size_t)at.widest / 8 + warp - 1) / warp * warp;
  return (unsigned)(threads < least ? least : threads > most ? most : threads);
}

/* trajectory: the weights are read again and again, so a copy of them is worth its making. */
static fg_room fg_room_of(const fg_field *f, size_t scratch, bool trajectory)
{
  const size_t most = fg_room_most();
  fg_network_layout at;
  fg_room room = {scratch <= most ? scratch : 0, 0, f->tf32};
  if (!trajectory || f->kind != FG_FIELD_NETWORK) return room;
  fg_network_layout_of(f, &at);
  if (room.scratch + at.core * sizeof(fg_real) <= most) room.weights = at.core * sizeof(fg_real);
  return room;
}

/* Scratch of a block in device memory. */
static size_t fg_room_outside(size_t scratch)
{
  return scratch <= fg_room_most() ? 0 : scratch;
}

#define FG_LAUNCH_ROOM(kernel, blocks, threads, room, ...)                                                   \
  FG_LAUNCH_SHARED(kernel, blocks, threads, (room).scratch + (room).weights, fg_room_most(), __VA_ARGS__)

/* ---- in a kernel -------------------------------------------------------------------------------- */

/* First of all, by all threads: what the tile words are to know. */
TILE_FN void fg_room_enter(fg_room room)
{
  if (threadIdx.x == 0) {
    fg_tile_mode *mode = tile_mode();
    mode->begin = (const fg_real *)(FG_DYNAMIC() + room.scratch);
    mode->end = mode->begin + room.weights / sizeof(fg_real);
    mode->tf32 = room.tf32;
  }
  __syncthreads();
}

/* memory: of all blocks, `each` bytes a block. */
TILE_FN fg_real *fg_room_scratch(fg_room room, void *memory, size_t each)
{
  return room.scratch ? (fg_real *)FG_DYNAMIC() : (fg_real *)((char *)memory + blockIdx.x * each);
}

/* Copies of weights as tensor cores are to read them: every matrix that is multiplied by. */
TILE_FN void fg_room_swizzle(const fg_field *f, const fg_real *from, fg_real *to)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  for (int m = 0; m < 2 * at.layers; m++) {
    const fg_network_layer *layer = &at.layer[m / 2];
    const int back = m % 2, rows = back ? layer->out : layer->in,
              columns = back ? layer->in_pad : layer->out_pad;
    const size_t begin = back ? layer->backward : layer->forward;
    if (rows < FG_STEP || (back && m == 1)) continue;
    TILE_PLANE(q, j, rows, columns)
    {
      int first, width;
      const size_t place = begin + tile_column(columns, rows, j, &first, &width) + (size_t)q * width;
      to[place - (size_t)(j - first) + tile_swizzle(q, j - first)] = from[place];
    }
  }
}

/* The field as the block sees it: with room for its weights, a copy that points to a copy of them (of those of its
 * layers, not of time). All threads of the block call it once. */
TILE_FN const fg_field *fg_room_field(const fg_field *f, fg_room room)
{
  __shared__ fg_field field;
  if (room.weights == 0) return f;
  const fg_real *from = fg_network_weights(f);
  fg_real *to = (fg_real *)(FG_DYNAMIC() + room.scratch);
  const int count = (int)(room.weights / sizeof(fg_real));
  if (threadIdx.x == 0) {
    field = *f;
    field.as.network.packed_single.device = field.as.network.packed_double.device = to;
  }
  TILE_EACH(i, count) to[i] = from[i];
  __syncthreads();
  if (tile_by_tensor()) fg_room_swizzle(f, from, to);
  __syncthreads();
  return &field;
}

#endif
