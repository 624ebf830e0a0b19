/* Compiled once per instruction set (FG_ISA) and precision (FG_SINGLE or not). */
#include "cpu/isa.h"

#include "cpu/matmul.h" /* the tile words, before the bodies */

#include "body/ensemble.h"
#include "body/evaluate.h"
#include "body/objective.h"
#include "body/ode.h"
#include "body/optimise.h"
#include "body/pairs.h"
#include "body/points.h"
#include "body/simulate.h"
#include "body/softmin.h"
#include "body/time_reverse.h"
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

static size_t paths_scratch(const fg_field *f, const fg_paths_request *r, int p)
{
  return fg_paths_scratch(f, r, p) * sizeof(fg_real);
}

static int paths(const fg_field *f, const fg_paths_request *r, const void *table, size_t first, int count,
                 int p, int keep_end, void *scratch)
{
  return fg_paths_tile(f, r, table, first, count, p, keep_end, scratch);
}

static size_t objective_bytes(const fg_field *f, size_t nodes)
{
  return fg_whole_lanes(fg_objective_size(f, nodes)) * sizeof(fg_real);
}

static size_t packed_bytes(const fg_field *f)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  return fg_whole_lanes(at.size) * sizeof(fg_real);
}

static size_t objective_scratch(const fg_field *f, const fg_objective_request *r, int p)
{
  return (fg_objective_scratch(f, r, p) + fg_objective_path(f, r, p)) * sizeof(fg_real);
}

static int objective(const fg_field *f, const fg_objective_request *r, const void *table, double *number,
                     size_t first, int count, int p, void *block, void *noising, void *scratch)
{
  if (fg_objective_is_kl(r))
    return fg_objective_kl_tile(f, r, table, number + first, first, count, p, block, noising,
                                (fg_real *)scratch + fg_objective_scratch(f, r, p), scratch);
  return fg_objective_variance_tile(f, r, table, number + first, first, count, p, block, noising, scratch);
}

static void sum(size_t count, size_t bytes, const void *arrays, double scale, size_t from, size_t to,
                void *out)
{
  const size_t stride = bytes / sizeof(fg_real);
  const fg_real *x = arrays;
  fg_real *y = out;
  for (size_t i = from / sizeof(fg_real); i < to / sizeof(fg_real); i++) {
    double total = 0;
    for (size_t b = 0; b < count; b++) total += (double)x[b * stride + i];
    y[i] = (fg_real)(scale * total);
  }
}

static size_t time_scratch(const fg_field *f)
{
  return fg_whole_lanes(fg_time_reverse_room(f)) * sizeof(fg_real);
}

static void time_reverse(const fg_field *f, const fg_coeff *coeff, const void *table, const void *block,
                         size_t from, size_t to, void *packed, void *scratch)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  const size_t size = fg_whole_lanes((size_t)fg_network_row_size(f));
  for (size_t k = from; k < to; k++) {
    const fg_real *row = (const fg_real *)block + at.core + k * fg_objective_row(&at);
    const fg_real *guide = fg_guide_row(f, (const fg_real *)table + k * size);
    const fg_real clip = f->as.network.form == FG_POTENTIAL ? (fg_real)INFINITY : (fg_real)f->guide.clip;
    fg_row_gradient share;
    share.row = row;
    share.row_t = NULL;
    share.tau = row[at.layer[0].out_pad] * fg_clip_slope(guide[FG_ROW_TAU_WHOLE], clip);
    share.tau_t = 0;
    fg_time_reverse(f, &coeff[k], &share, packed, scratch);
  }
}

static void take_core(const fg_field *f, const void *block, void *packed)
{
  fg_objective_take_core(f, block, packed);
}

static size_t points_row_bytes(const fg_field *f)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  return fg_points_row(&at) * sizeof(fg_real);
}

static size_t points_scratch(const fg_field *f, const fg_points_request *r, int p)
{
  return fg_points_scratch(f, r, p) * sizeof(fg_real);
}

static void points(const fg_field *f, const fg_points_request *r, const void *row, size_t first, int count,
                   int p, double *value, double *loss, void *block, void *group_row, void *scratch)
{
  fg_points_tile(f, r, row, first, count, p, value, loss, block, group_row, scratch);
}

static void points_time(const fg_field *f, const fg_coeff *coeff, const void *shares, size_t from, size_t to,
                        void *packed, void *scratch)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  const size_t size = fg_points_row(&at);
  for (size_t k = from; k < to; k++) {
    const fg_real *row = (const fg_real *)shares + k * size, *tau = row + 2 * at.layer[0].out_pad;
    fg_row_gradient share;
    share.row = row;
    share.row_t = row + at.layer[0].out_pad;
    share.tau = tau[0];
    share.tau_t = tau[FG_PAD];
    fg_time_reverse(f, &coeff[k], &share, packed, scratch);
  }
}

static void points_take_core(const fg_field *f, const void *block, void *packed)
{
  fg_points_take_core(f, block, packed);
}

static size_t pairs_scratch(const fg_pair_sums_request *r)
{
  return fg_pairs_scratch(r) * sizeof(fg_real);
}

static void pairs(const fg_pair_sums_request *r, size_t first, int count, double *out, void *scratch)
{
  fg_pairs_tile(r, first, count, out, scratch);
}

static size_t ode_scratch(const fg_field *f, const fg_ode_request *r, int jvp)
{
  return fg_ode_scratch(f, r, jvp, FG_ODE_TILE) * sizeof(fg_real);
}

static void ode(const fg_field *f, const fg_ode_request *r, int jvp, void *scratch)
{
  fg_ode_run(f, r, jvp, FG_ODE_TILE, 0, FG_ODE_TILE, scratch);
}

static double gradient_norm(const fg_field *f, void *gradient)
{
  double part[FG_LANES];
  return fg_gradient_norm(f, gradient, part);
}

static size_t softmin_columns_bytes(const fg_softmin_request *r)
{
  return fg_whole_lanes(r->m * fg_softmin_column(r)) * sizeof(fg_real);
}

static size_t softmin_boxes_bytes(const fg_softmin_request *r)
{
  return fg_whole_lanes(fg_softmin_blocks(r->m) * fg_softmin_box(r)) * sizeof(fg_real);
}

static void softmin_columns(const fg_softmin_request *r, size_t from, size_t to, void *columns, void *boxes)
{
  for (size_t block = from; block < to; block++) fg_softmin_prepare(r, block, columns, boxes);
}

static size_t softmin_scratch(const fg_softmin_request *r)
{
  return (fg_whole_lanes(fg_softmin_box(r)) + TILE_ROWS * fg_softmin_width(r->d)) * sizeof(fg_real);
}

/* Groups of TILE_ROWS rows. */
static void softmin(const fg_softmin_request *r, size_t first, int count, const void *columns,
                    const void *boxes, void *scratch)
{
  fg_real *box = scratch, *x = box + fg_whole_lanes(fg_softmin_box(r));
  for (int at = 0; at < count; at += TILE_ROWS) {
    const int rows = count - at < TILE_ROWS ? count - at : TILE_ROWS;
    fg_softmin_row_box(r, first + (size_t)at, rows, box);
    fg_softmin_rows(r, first + (size_t)at, rows, columns, boxes, box, x);
  }
}

static size_t ensemble_scratch(const fg_field *f, const fg_ensemble_request *r, int p)
{
  return fg_ensemble_scratch(f, r, p) * sizeof(fg_real);
}

static int ensemble(const fg_field *f, const fg_ensemble_request *r, size_t first, int count, int p,
                    void *scratch)
{
  return fg_ensemble_tile(f, r, first, count, p, scratch);
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
                               paths_scratch,
                               paths,
                               objective_bytes,
                               packed_bytes,
                               objective_scratch,
                               objective,
                               sum,
                               time_scratch,
                               time_reverse,
                               take_core,
                               points_row_bytes,
                               points_scratch,
                               points,
                               points_time,
                               points_take_core,
                               pairs_scratch,
                               pairs,
                               FG_PAIR_ROWS,
                               ode_scratch,
                               ode,
                               fg_vector_map,
                               fg_vector_reduce,
                               fg_vector_particle_norm,
                               gradient_norm,
                               fg_optimise,
                               softmin_columns_bytes,
                               softmin_boxes_bytes,
                               softmin_columns,
                               softmin_scratch,
                               softmin,
                               ensemble_scratch,
                               ensemble};
