/* One step of a sampler's path as numbers, and what the discrete form of rnd makes of it. */
#ifndef FG_FORMULA_PATH_H
#define FG_FORMULA_PATH_H

#include "formula/real.h"

/* One step of the controlled generative SDE, k = 0 at t = T:  X' = keep X + push u(X, t_k) + spread z.
 * rnd adds up  continuous: u.(ubar - u/2) time + u.z root - drift            (the papers' form)
 *              discrete:   log q(X' | X) - log p(X | X'), q the law of the step, p = N( back X', back_variance )
 * Where the noising process has a control v too (a bridge):
 *              continuous: (u+v).(ubar + (v-u)/2) time + (u+v).z root + g div v time - drift,   v at (X, t_k)
 *              discrete:   p = N( back X' + back_push v(X', t_k+1), back_variance ) */
typedef struct fg_path_step {
  double keep, push, spread;
  double time, root;          /* dr and its square root */
  double drift;               /* integral of div mu over the step */
  double back, back_variance; /* variance 0: no term (the first step from a point) */
  double back_push;           /* of a bridge, else 0 */
} fg_path_step;

/* log q(X'|X) - log p(X|X') = constant - |z|^2 / 2 + |keep x + push u + spread z - back_push v|^2 / 2, the last the
 * distance of X from `back` X' + back_push v in standard deviations, with the difference 1 - back keep taken before
 * rounding. Without p (back_variance 0): log q alone. */
typedef struct fg_path_terms {
  double keep, push, spread, back_push, constant;
} fg_path_terms;

FG_HD fg_path_terms fg_path_terms_of(const fg_path_step *s, int d)
{
  fg_path_terms t;
  const double deviation = s->back_variance > 0 ? 1 / sqrt(s->back_variance) : 0;
  t.keep = (1 - s->back * s->keep) * deviation;
  t.push = -s->back * s->push * deviation;
  t.spread = -s->back * s->spread * deviation;
  t.back_push = s->back_push * deviation;
  t.constant = s->back_variance > 0 ? 0.5 * d * log(s->back_variance / (s->spread * s->spread))
                                    : -0.5 * d * (FG_LOG_2PI + log(s->spread * s->spread));
  return t;
}

#endif
