/* The certificate of a comparison: both sides of the identity, the factor A, the bound; private to analysis/. */
#ifndef FG_COMPARE_CERTIFICATE_H
#define FG_COMPARE_CERTIFICATE_H

#include "flowgap/flowgap.h"

/* Where the Lipschitz constant was looked for. */
typedef enum fg_lipschitz_kind {
  FG_LIPSCHITZ_PATHS,  /* states of both flows: an estimate */
  FG_LIPSCHITZ_BOX,    /* nodes of the smallest box around those at each time (d <= 2): an estimate */
  FG_LIPSCHITZ_GLOBAL, /* all of space, in closed form: a theorem */
  FG_LIPSCHITZ_KINDS
} fg_lipschitz_kind;
extern const char *const fg_lipschitz_names[FG_LIPSCHITZ_KINDS];

typedef struct fg_gap_lipschitz {
  double *l;              /* [count], NULL where there is none: largest eigenvalue of sym ds/dx */
  double log_a, integral; /* log A, int L dt */
  double
      log_a_time; /* by how much log A changes when every other time is left out: the bound takes the sum */
  double log_bound, bound; /* of W2 = sqrt(A D); bound is infinite where it overflows */
} fg_gap_lipschitz;

typedef struct fg_gap_certificate {
  fg_identity_settings settings;
  size_t count;                               /* times */
  double *t;                                  /* [count] */
  bool on_grid;                               /* d <= 2 */
  fg_identity_point *grid_point, *path_point; /* [count] */
  fg_identity_grid grid;
  fg_identity_paths paths;
  fg_log_mass mass;
  bool mass_by_box;       /* d <= 3; else importance sampling */
  bool d_by_grid, d_left; /* D is a side on the grid, the left one or the right; else by paths */
  double d, d_error;      /* the factor D, and what it may be larger by: the bound takes the sum */
  double laws_w2;         /* between the laws on the grid: W2 (d = 1), at most W2 (d = 2); NaN off it */
  double laws_kl;         /* KL(SDE|ODE) of them */
  double laws_mass;       /* of the ODE's density over the grid, which both figures take as 1 */
  uint64_t laws_failed;   /* nodes that no solver carried: their density is 0 */
  fg_gap_lipschitz lipschitz[FG_LIPSCHITZ_KINDS];
  fg_lipschitz_kind shown; /* what the sentence rests on */
  double seconds;
} fg_gap_certificate;

void fg_gap_certificate_destroy(fg_gap_certificate **certificate);

#endif
