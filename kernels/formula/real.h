/* One text of a formula serves float and double, C and CUDA.
 *
 * Formula headers use `fg_real`. A source file that wants float defines FG_SINGLE before it
 * includes any of them (the kernel files are compiled once each way); everything else is double.
 * FG_NAME(x) gives exported tables of the two builds different names.
 *
 * FG_HD is a function inlined on a GPU, FG_HD_CALL one that is called there: what a step computes once, for one thread,
 * would otherwise be half of the code of every kernel, and of the time that the compiler takes. */
#ifndef FG_FORMULA_REAL_H
#define FG_FORMULA_REAL_H

#include <float.h>
#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#define FG_HD static __host__ __device__ __forceinline__
#define FG_HD_CALL static __host__ __device__ __noinline__ __attribute__((unused))
#else
#define FG_HD static inline
#define FG_HD_CALL static inline
#endif

#ifdef FG_SINGLE
typedef float fg_real;
#define FG_MATH(name) name##f /* FG_MATH(exp) is exp or expf */
#define FG_REAL_MAX FLT_MAX
#else
typedef double fg_real;
#define FG_MATH(name) name
#define FG_REAL_MAX DBL_MAX
#endif

/* M_PI and friends are absent under -std=c11. */
#define FG_PI 3.14159265358979323846
#define FG_LOG_2PI 1.83787706640934548356

#endif
