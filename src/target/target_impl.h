/* What a kind of target provides; private to this folder. */
#ifndef FG_TARGET_IMPL_H
#define FG_TARGET_IMPL_H

#include "flowgap/target.h"

#include "formula/random.h"
#include "target/density.h"

enum { FG_TARGET_KINDS = FG_TARGET_PLUGIN + 1 };

/* sample, log_z and moments may be NULL when the target lacks the ability. */
typedef struct fg_target_ops {
  /* log rho at x [d]; score [d] or NULL. */
  double (*log_density)(const fg_target *target, const double *x, double *score, double *scratch);
  void (*sample)(const fg_target *target, uint64_t seed, uint64_t row, double *x);
  fg_code (*log_z)(const fg_target *target, double *log_z, fg_status *st);    /* NULL: it is 0 */
  void (*moments)(const fg_target *target, double *mean, double *covariance); /* either may be NULL */
  void (*destroy)(void *data);
  /* As engines see it: fill kind and numbers, upload arrays. NULL without a density or a score. */
  fg_code (*density)(const fg_target *target, const fg_density_memory *memory, fg_density *density,
                     fg_status *st);
} fg_target_ops;

struct fg_target {
  fg_target_kind kind;
  size_t d;
  unsigned abilities;
  size_t scratch; /* doubles that log_density needs */
  const fg_target_ops *ops;
  void *data; /* of the kind */
};

/* The makers: fill d, abilities, scratch, ops and data; a failed one leaves data NULL. */
fg_code fg_target_make_mixture(const fg_target_settings *s, fg_target *target, fg_status *st);
fg_code fg_target_make_funnel(const fg_target_settings *s, fg_target *target, fg_status *st);
fg_code fg_target_make_well(const fg_target_settings *s, fg_target *target, fg_status *st);
fg_code fg_target_make_rings(const fg_target_settings *s, fg_target *target, fg_status *st);
fg_code fg_target_make_checkerboard(const fg_target_settings *s, fg_target *target, fg_status *st);
fg_code fg_target_make_samples(const fg_target_settings *s, fg_target *target, fg_status *st);
fg_code fg_target_make_logistic(const fg_target_settings *s, fg_target *target, fg_status *st);
fg_code fg_target_make_plugin(const fg_target_settings *s, fg_target *target, fg_status *st);

const char *fg_target_kind_name(fg_target_kind kind);

/* z[0..n-1]: normals 0..n-1 of (seed, stream, row, step); the numbers of fg_normal. */
void fg_target_normals(uint64_t seed, uint32_t stream, uint64_t row, uint32_t step, size_t n, double *z);

/* Cumulative weights [n], made to end in exactly 1; draws a number with 53 bits. */
void fg_target_cumulate(size_t n, const double *weights, double *cumulative);
size_t fg_target_pick(size_t n, const double *cumulative, double u);

/* Zero mean and a zero matrix, to be filled in; either may be NULL. */
void fg_target_zero_moments(size_t d, double *mean, double *covariance);

#endif
