/* Gaussian mixtures ready for use; private to this folder. */
#ifndef FG_TARGET_MIXTURE_H
#define FG_TARGET_MIXTURE_H

#include "flowgap/target.h"

typedef struct fg_mixture {
  size_t k, d;
  int form;            /* FG_FACTOR_... of formula/density.h */
  double *weights;     /* [k], sum 1 */
  double *cumulative;  /* [k] */
  double *means;       /* [k, d] */
  double *covariances; /* [k, d, d] */
  double *log_scale;   /* [k] */
  double *factor;
} fg_mixture;

/* weights [k] (NULL: equal), means [k, d], covariances [k, d, d] (NULL: variance times I). Each
 * covariance enters as scale times it plus shift times I, each mean as root times it; 1, 0, 1 for
 * none. Fails with FG_USAGE naming the component. */
typedef struct fg_mixture_source {
  size_t k, d;
  const double *weights, *means, *covariances;
  double variance;
  double root, scale, shift;
} fg_mixture_source;
fg_code fg_mixture_create(const fg_mixture_source *source, fg_mixture **mixture, fg_status *st);
void fg_mixture_destroy(fg_mixture **mixture);
double fg_mixture_evaluate(const fg_mixture *mixture, const double *x, double *score, double *scratch);

#endif
