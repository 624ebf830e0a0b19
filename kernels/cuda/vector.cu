/* Operations on whole vectors of doubles. */
#include "cuda/cuda_impl.h"
#include "cuda/launch.cuh"

#include "body/vector.h"

enum { FG_REDUCE_BLOCKS = 64 };
enum { FG_REDUCE_SUM = FG_VEC_MIN + 1, FG_REDUCE_PARTICLES }; /* beside those of fg_vec_reduce */

static unsigned fg_vector_blocks(size_t n, size_t most)
{
  size_t blocks = (n + FG_CUDA_MOST - 1) / FG_CUDA_MOST;
  return (unsigned)(blocks < 1 ? 1 : blocks < most ? blocks : most);
}

static __global__ void __launch_bounds__(FG_CUDA_MOST)
    fg_map_kernel(fg_vec_map op, size_t n, double a, const double *x, double b, const double *y, double *z)
{
  const size_t step = (size_t)gridDim.x * blockDim.x;
  for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
    fg_vector_map(op, 1, a, x ? x + i : x, b, y ? y + i : y, z + i);
}

static fg_code fg_map(fg_vec_map op, size_t n, double a, fg_buf x, double b, fg_buf y, fg_buf z,
                      fg_status *st)
{
  const unsigned blocks = fg_vector_blocks(n, FG_CUDA_BLOCKS);
  FG_LAUNCH(fg_map_kernel, blocks, FG_CUDA_MOST, op, n, a, (const double *)x.device, b,
            (const double *)y.device, (double *)z.device);
  return fg_cuda_left("vector map", blocks, n, st); /* what reads z comes later on the same stream */
}

/* Slots without a status. */
static fg_code fg_cuda_entered(const fg_engine *e)
{
  fg_status why;
  const fg_code rc = fg_cuda_enter(fg_cuda_home(e), &why);
  return fg_cuda_missed(rc, &why);
}

fg_code fg_cuda_vec_map(fg_engine *e, fg_vec_map op, size_t n, double a, fg_buf x, double b, fg_buf y,
                        fg_buf z)
{
  if (n == 0) return FG_OK;
  fg_status why;
  FG_TRY(fg_cuda_entered(e));
  return fg_cuda_missed(fg_map(op, n, a, x, b, y, z, &why), &why);
}

fg_code fg_cuda_probe(fg_status *st)
{
  const fg_buf none = {NULL, 0};
  return fg_map(FG_VEC_CONST, 0, 0, none, 0, none, none, st);
}

/* ---- reductions: what number i is worth, and how two worths join ------------------------------- */

static __device__ double fg_reduce_worth(int op, size_t i, size_t n, size_t d, int tail, const double *x,
                                         const double *y)
{
  double e;
  switch (op) {
  case FG_VEC_DOT:
    return x[i] * y[i];
  case FG_VEC_WRMS:
    e = x[i] * y[i];
    return e * e;
  case FG_VEC_MAX_NORM:
    return fabs(x[i]);
  case FG_REDUCE_PARTICLES:
    e = fg_vector_particle_sum(i, n, d, tail, x, y);
    return e <= DBL_MAX ? e : HUGE_VAL;
  default:
    return x[i];
  }
}

/* A NaN stays. */
static __device__ double fg_reduce_join(int op, double a, double b)
{
  if (op == FG_VEC_DOT || op == FG_VEC_WRMS || op == FG_REDUCE_SUM) return a + b;
  if (op == FG_VEC_MIN) return a != a || b >= a ? a : b;
  return a != a || b <= a ? a : b;
}

/* part[block]: numbers go to threads in strides and threads are joined as a tree, both fixed by n. */
static __global__ void __launch_bounds__(FG_CUDA_MOST)
    fg_reduce_kernel(int op, size_t n, size_t d, int tail, const double *x, const double *y, double *part)
{
  __shared__ double join[FG_CUDA_MOST];
  const size_t step = (size_t)gridDim.x * blockDim.x;
  double mine = op == FG_VEC_MIN ? HUGE_VAL : 0;
  for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
    mine = fg_reduce_join(op, mine, fg_reduce_worth(op, i, n, d, tail, x, y));
  join[threadIdx.x] = mine;
  __syncthreads();
  for (unsigned half = FG_CUDA_MOST / 2; half > 0; half /= 2) {
    if (threadIdx.x < half)
      join[threadIdx.x] = fg_reduce_join(op, join[threadIdx.x], join[threadIdx.x + half]);
    __syncthreads();
  }
  if (threadIdx.x == 0) part[blockIdx.x] = join[0];
}

/* NaN after a failure of the device: the slots have no status, and the solver gives up on a NaN. */
static double fg_reduce(fg_engine *e, int op, size_t n, size_t d, int tail, fg_buf x, fg_buf y)
{
  fg_cuda_device *on = fg_cuda_home(e);
  const unsigned blocks = fg_vector_blocks(n, FG_REDUCE_BLOCKS);
  int again = FG_VEC_MAX_NORM;
  if (op == FG_VEC_DOT || op == FG_VEC_WRMS) again = FG_REDUCE_SUM;
  if (op == FG_VEC_MIN) again = FG_VEC_MIN;
  double result = NAN;
  void *memory;
  fg_status why;
  if (fg_cuda_entered(e) != FG_OK) return NAN;
  if (fg_cuda_missed(fg_cuda_take(on, (FG_REDUCE_BLOCKS + 1) * sizeof(double), &memory, &why), &why) != FG_OK)
    return NAN;
  double *part = (double *)memory;
  FG_LAUNCH(fg_reduce_kernel, blocks, FG_CUDA_MOST, op, n, d, tail, (const double *)x.device,
            (const double *)y.device, part);
  if (blocks > 1)
    FG_LAUNCH(fg_reduce_kernel, 1, FG_CUDA_MOST, again, (size_t)blocks, (size_t)1, 0, (const double *)part,
              (const double *)NULL, part + FG_REDUCE_BLOCKS);
  fg_code rc = fg_cuda_started("vector reduce", blocks, n, &why);
  if (rc == FG_OK)
    rc = fg_cuda_fetch(&result, part + (blocks > 1 ? FG_REDUCE_BLOCKS : 0), sizeof result, &why);
  if (fg_cuda_missed(rc, &why) != FG_OK) result = NAN;
  fg_cuda_give(on, memory);
  return result;
}

double fg_cuda_vec_reduce(fg_engine *e, fg_vec_reduce op, size_t n, fg_buf x, fg_buf y)
{
  const double result = fg_reduce(e, op, n, 1, 0, x, y);
  return op == FG_VEC_WRMS ? sqrt(result / (double)n) : result;
}

double fg_cuda_vec_particle_norm(fg_engine *e, size_t n, size_t d, int tail, fg_buf x, fg_buf w)
{
  return sqrt(fg_reduce(e, FG_REDUCE_PARTICLES, n, d, tail, x, w) * (1.0 / (double)(d + (tail ? 1 : 0))));
}
