/* What cpu/isa.c offers: the bodies, compiled for one instruction set and one precision. Fields and
 * requests hold host pointers here. `p` is fg_tile_size(count); scratch is 64-byte aligned and as long as
 * the matching *_scratch says, in bytes. */
#ifndef FG_CPU_ISA_H
#define FG_CPU_ISA_H

#include "engine.h"

typedef struct fg_cpu_table {
  const char *isa;
  int (*tile_size)(size_t count);
  /* the rows of n times, one after another */
  size_t (*rows_bytes)(const fg_field *f, size_t n);
  void (*rows)(const fg_field *f, unsigned want, size_t n, const fg_coeff *coeff, void *rows);
  size_t (*evaluate_scratch)(const fg_field *f, const fg_evaluate_request *r, int p);
  void (*evaluate)(const fg_field *f, const fg_evaluate_request *r, size_t first, int count, int p,
                   void *scratch);
  size_t (*simulate_scratch)(const fg_field *f, const fg_simulate_request *r, int p);
  unsigned (*simulate_want)(const fg_simulate_request *r);
  /* rows of all times, or NULL; 1 when the caller asked to stop */
  int (*simulate)(const fg_field *f, const fg_simulate_request *r, const void *rows, size_t first, int count,
                  int p, void *scratch);
  /* samplers; rows: those of the steps, then of the nodes for a noising control; keep_end: X_N goes to the request's x */
  size_t (*paths_scratch)(const fg_field *f, const fg_paths_request *r, int p);
  int (*paths)(const fg_field *f, const fg_paths_request *r, const void *rows, size_t first, int count, int p,
               int keep_end, void *scratch);
  /* bytes of one block of gradient sums, and of the packed weights */
  size_t (*objective_bytes)(const fg_field *f, size_t nodes);
  size_t (*packed_bytes)(const fg_field *f);
  size_t (*objective_scratch)(const fg_field *f, const fg_objective_request *r, int p);
  /* number [n]: in, d loss / d rnd of each path (log-variance); out, what the mean is taken of (KL). noising: the
   * block of the noising control, NULL without one */
  int (*objective)(const fg_field *f, const fg_objective_request *r, const void *rows, double *number,
                   size_t first, int count, int p, void *block, void *noising, void *scratch);
  /* out = scale times the sum of `count` arrays that lie `bytes` apart, entries in bytes from .. to */
  void (*sum)(size_t count, size_t bytes, const void *arrays, double scale, size_t from, size_t to,
              void *out);
  /* gradient of the weights of time from the summed block, steps from .. to, added to `packed` */
  size_t (*time_scratch)(const fg_field *f);
  void (*time_reverse)(const fg_field *f, const fg_coeff *coeff, const void *rows, const void *block,
                       size_t from, size_t to, void *packed, void *scratch);
  /* core of a block to the packed gradient, the rest of which becomes 0 */
  void (*take_core)(const fg_field *f, const void *block, void *packed);
  /* losses at points (body/points.h). A block holds the core and one row; a group's own share is one row. */
  size_t (*points_row_bytes)(const fg_field *f);
  size_t (*points_scratch)(const fg_field *f, const fg_points_request *r, int p);
  void (*points)(const fg_field *f, const fg_points_request *r, const void *row, size_t first, int count,
                 int p, double *value, double *loss, void *block, void *group_row, void *scratch);
  /* as time_reverse, from the shares of the groups from .. to */
  void (*points_time)(const fg_field *f, const fg_coeff *coeff, const void *shares, size_t from, size_t to,
                      void *packed, void *scratch);
  void (*points_take_core)(const fg_field *f, const void *block, void *packed);
  size_t (*pairs_scratch)(const fg_pair_sums_request *r);
  /* out [columns]: the pairs of rows first .. first + count - 1 of x (body/pairs.h) */
  void (*pairs)(const fg_pair_sums_request *r, size_t first, int count, double *out, void *scratch);
  int pairs_rows;
  size_t (*ode_scratch)(const fg_field *f, const fg_ode_request *r, int jvp);
  void (*ode)(const fg_field *f, const fg_ode_request *r, int jvp, void *scratch);
  void (*vec_map)(fg_vec_map op, size_t n, double a, const double *x, double b, const double *y, double *z);
  double (*vec_reduce)(fg_vec_reduce op, size_t n, const double *x, const double *y);
  double (*vec_particle_norm)(size_t n, size_t d, int tail, const double *x, const double *w);
  double (*gradient_norm)(const fg_field *f, void *gradient);
  void (*optimise)(const fg_field *f, const fg_optimise_request *r);
  /* sums over pairs (body/softmin.h): sizes in bytes of what holds columns and boxes; blocks of columns from .. to and
   * groups of rows from .. to are prepared apart */
  size_t (*softmin_columns_bytes)(const fg_softmin_request *r);
  size_t (*softmin_boxes_bytes)(const fg_softmin_request *r);
  void (*softmin_columns)(const fg_softmin_request *r, size_t from, size_t to, void *columns, void *boxes);
  size_t (*softmin_scratch)(const fg_softmin_request *r);
  void (*softmin)(const fg_softmin_request *r, size_t first, int count, const void *columns,
                  const void *boxes, void *scratch);
  /* body/ensemble.h; snapshot_t of the request as given; 1 when the caller asked to stop */
  size_t (*ensemble_scratch)(const fg_field *f, const fg_ensemble_request *r, int p);
  int (*ensemble)(const fg_field *f, const fg_ensemble_request *r, size_t first, int count, int p,
                  void *scratch);
} fg_cpu_table;

extern const fg_cpu_table fg_cpu_table_baseline_double, fg_cpu_table_baseline_single;
#ifdef FG_X86
extern const fg_cpu_table fg_cpu_table_avx2_double, fg_cpu_table_avx2_single;
extern const fg_cpu_table fg_cpu_table_avx512_double, fg_cpu_table_avx512_single;
#endif

#endif
