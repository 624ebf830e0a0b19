/* Compiled once per instruction set (FG_ISA) and precision (FG_SINGLE or not). */
#include "cpu/isa.h"

#include "cpu/matmul.h" /* the tile words, before the bodies */

#include "body/evaluate.h"
#include "body/ode.h"
#include "body/optimise.h"
#include "body/simulate.h"
#include "body/vector.h"

#define FG_JOIN3(a, b, c) a##b##c
#define FG_JOIN(a, b, c) FG_JOIN3(a, b, c)
#define FG_TEXT1(a) #a
#define FG_TEXT(a) FG_TEXT1(a)
#ifdef FG_SINGLE
#define FG_TABLE FG_JOIN(fg_cpu_table_, FG_ISA, _single)
#else
#define FG_TABLE FG_JOIN(fg_cpu_table_, FG_ISA, _double)
#endif

static int tile_size(size_t count)
{
  return fg_tile_size(count);
}

static size_t rows_bytes(const fg_field *f, size_t n)
{
  return n * fg_whole_lanes((size_t)fg_field_row_size(f)) * sizeof(fg_real);
}

static void rows(const fg_field *f, unsigned want, size_t n, const fg_coeff *coeff, void *out)
{
  size_t size = fg_whole_lanes((size_t)fg_field_row_size(f));
  for (size_t k = 0; k < n; k++) fg_field_row(f, &coeff[k], want, (fg_real *)out + k * size);
}

static size_t evaluate_scratch(const fg_field *f, const fg_evaluate_request *r, int p)
{
  return fg_evaluate_scratch(f, r, p) * sizeof(fg_real);
}

static void evaluate(const fg_field *f, const fg_evaluate_request *r, size_t first, int count, int p,
                     void *scratch)
{
  fg_evaluate_tile(f, r, first, count, p, scratch);
}

static size_t simulate_scratch(const fg_field *f, const fg_simulate_request *r, int p)
{
  return fg_simulate_scratch(f, r, p) * sizeof(fg_real);
}

static int simulate(const fg_field *f, const fg_simulate_request *r, const void *table, size_t first,
                    int count, int p, void *scratch)
{
  return fg_simulate_tile(f, r, table, first, count, p, scratch);
}

static size_t ode_scratch(const fg_field *f, const fg_ode_request *r, int jvp)
{
  return fg_ode_scratch(f, r, jvp) * sizeof(fg_real);
}

static void ode(const fg_field *f, const fg_ode_request *r, int jvp, void *scratch)
{
  fg_ode_run(f, r, jvp, 0, FG_ODE_TILE, scratch);
}

static double gradient_norm(const fg_field *f, void *gradient)
{
  return fg_gradient_norm(f, gradient);
}

const fg_cpu_table FG_TABLE = {FG_TEXT(FG_ISA),
                               tile_size,
                               rows_bytes,
                               rows,
                               evaluate_scratch,
                               evaluate,
                               simulate_scratch,
                               fg_simulate_want,
                               simulate,
                               ode_scratch,
                               ode,
                               fg_vector_map,
                               fg_vector_reduce,
                               fg_vector_particle_norm,
                               gradient_norm,
                               fg_optimise};
