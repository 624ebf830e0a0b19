/* Noising processes dX = -a(t) X dt + g(t) dW and time grids.
 *
 * t is the noising time, 0 = data or target, T = noise. For every process
 *     X_t | X_0 ~ N( m(t) X_0, v(t) I ),   m' = -a m,   v' = -2 a v + g^2.  */
#ifndef FLOWGAP_SDE_H
#define FLOWGAP_SDE_H

#include <stddef.h>

#include "flowgap/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fg_process_kind {
  FG_PROCESS_OU, /* a = rate, g = diff */
  FG_PROCESS_VP, /* a = beta(t)/2, g^2 = scale^2 beta(t), beta linear (Song et al., arXiv 2011.13456) */
  FG_PROCESS_VE, /* a = 0, sigma(t) = sigma_min (sigma_max/sigma_min)^(t/T), g^2 = d sigma^2/dt */
  FG_PROCESS_BM, /* a = 0, g = diff */
  FG_PROCESS_PINNED /* a = 1/(pin - t), g = diff: at 0 when t = pin (the noising process of PIS, arXiv 2111.15141) */
} fg_process_kind;

typedef struct fg_process_settings {
  fg_process_kind kind;
  double horizon;              /* T > 0 */
  double rate, diff;           /* ou; diff: bm and pinned too */
  double beta_min, beta_max;   /* vp */
  double scale;                /* vp: standard deviation as t grows */
  double sigma_min, sigma_max; /* ve */
  double pin;                  /* pinned: >= horizon; 0 is the horizon */
} fg_process_settings;

typedef struct fg_process fg_process;

/* ou: rate 1, diff 1, T 10; vp: beta 0.1..10, scale 1, T 1; ve: sigma 0.01..10, T 1; bm: diff 1, T 1;
 * pinned: diff 1, T 1, pinned at T. */
FG_API void fg_process_defaults(fg_process_kind kind, fg_process_settings *settings);
FG_CHECKED FG_API fg_code fg_process_create(const fg_process_settings *settings, fg_process **process,
                                            fg_status *st);
/* From the rows `process.*` of the settings. */
FG_CHECKED FG_API fg_code fg_process_from_settings(const fg_settings *settings, fg_process **process,
                                                   fg_status *st);
FG_API void fg_process_destroy(fg_process **process);
FG_API double fg_process_horizon(const fg_process *process);
FG_API double fg_process_a(const fg_process *process, double t);  /* a(t); infinite at the pin */
FG_API double fg_process_g2(const fg_process *process, double t); /* g(t)^2 */
FG_API double fg_process_m(const fg_process *process, double t);  /* m(t)   */
FG_API double fg_process_v(const fg_process *process, double t);  /* v(t)   */

/* A grid holds steps + 1 strictly decreasing noising times, from t_from (noise) to t_to (data). */
typedef struct fg_grid fg_grid;

typedef enum fg_grid_kind {
  FG_GRID_UNIFORM,
  FG_GRID_QUADRATIC, /* t - t_to = (t_from - t_to) (1 - k/N)^2: fine near the data */
  FG_GRID_COSINE     /* t - t_to = (t_from - t_to) (1 - sin^2(pi k / 2N)): fine at both ends */
} fg_grid_kind;

FG_CHECKED FG_API fg_code fg_grid_create(fg_grid_kind kind, double t_from, double t_to, size_t steps,
                                         fg_grid **grid, fg_status *st);
/* segments [count, 3]: rows (from, to, steps), each uniform, each starting where the last ended. */
FG_CHECKED FG_API fg_code fg_grid_piecewise(const double *segments, size_t count, fg_grid **grid,
                                            fg_status *st);
/* Each step cut into 2^levels equal ones. */
FG_CHECKED FG_API fg_code fg_grid_refine(const fg_grid *grid, int levels, fg_grid **refined, fg_status *st);
FG_API void fg_grid_destroy(fg_grid **grid);
FG_API size_t fg_grid_steps(const fg_grid *grid);
FG_API const double *fg_grid_times(const fg_grid *grid); /* [steps + 1], borrowed */

#ifdef __cplusplus
}
#endif
#endif
