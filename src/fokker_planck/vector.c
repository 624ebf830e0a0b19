/* An N_Vector in host memory. Sums run in eight strands of fixed order: they are vectorised, and the same on any
 * number of threads. */
#include <math.h>
#include <stdlib.h>

#include "fokker_planck/law_impl.h"

enum { FG_STRANDS = 8 };

typedef struct fg_law_content {
  size_t n;
  double *data;
} fg_law_content;

double *fg_law_vector_data(N_Vector v)
{
  return ((fg_law_content *)v->content)->data;
}

static size_t fg_lv_size(N_Vector v)
{
  return ((fg_law_content *)v->content)->n;
}

static void fg_lv_linear_sum(sunrealtype a, N_Vector x, sunrealtype b, N_Vector y, N_Vector z)
{
  const double *p = fg_law_vector_data(x), *q = fg_law_vector_data(y);
  double *to = fg_law_vector_data(z);
  for (size_t i = 0, n = fg_lv_size(z); i < n; i++) to[i] = a * p[i] + b * q[i];
}

static void fg_lv_const(sunrealtype c, N_Vector z)
{
  double *to = fg_law_vector_data(z);
  for (size_t i = 0, n = fg_lv_size(z); i < n; i++) to[i] = c;
}

static void fg_lv_prod(N_Vector x, N_Vector y, N_Vector z)
{
  const double *p = fg_law_vector_data(x), *q = fg_law_vector_data(y);
  double *to = fg_law_vector_data(z);
  for (size_t i = 0, n = fg_lv_size(z); i < n; i++) to[i] = p[i] * q[i];
}

static void fg_lv_div(N_Vector x, N_Vector y, N_Vector z)
{
  const double *p = fg_law_vector_data(x), *q = fg_law_vector_data(y);
  double *to = fg_law_vector_data(z);
  for (size_t i = 0, n = fg_lv_size(z); i < n; i++) to[i] = p[i] / q[i];
}

static void fg_lv_scale(sunrealtype c, N_Vector x, N_Vector z)
{
  const double *p = fg_law_vector_data(x);
  double *to = fg_law_vector_data(z);
  for (size_t i = 0, n = fg_lv_size(z); i < n; i++) to[i] = c * p[i];
}

static void fg_lv_abs(N_Vector x, N_Vector z)
{
  const double *p = fg_law_vector_data(x);
  double *to = fg_law_vector_data(z);
  for (size_t i = 0, n = fg_lv_size(z); i < n; i++) to[i] = fabs(p[i]);
}

static void fg_lv_inv(N_Vector x, N_Vector z)
{
  const double *p = fg_law_vector_data(x);
  double *to = fg_law_vector_data(z);
  for (size_t i = 0, n = fg_lv_size(z); i < n; i++) to[i] = 1 / p[i];
}

static void fg_lv_add_const(N_Vector x, sunrealtype b, N_Vector z)
{
  const double *p = fg_law_vector_data(x);
  double *to = fg_law_vector_data(z);
  for (size_t i = 0, n = fg_lv_size(z); i < n; i++) to[i] = p[i] + b;
}

static double fg_strands_total(const double strand[FG_STRANDS])
{
  return ((strand[0] + strand[1]) + (strand[2] + strand[3])) +
         ((strand[4] + strand[5]) + (strand[6] + strand[7]));
}

static sunrealtype fg_lv_dot(N_Vector x, N_Vector y)
{
  const double *p = fg_law_vector_data(x), *q = fg_law_vector_data(y);
  double strand[FG_STRANDS] = {0};
  size_t n = fg_lv_size(x), i = 0;
  for (; i + FG_STRANDS <= n; i += FG_STRANDS)
    for (size_t k = 0; k < FG_STRANDS; k++) strand[k] += p[i + k] * q[i + k];
  for (; i < n; i++) strand[0] += p[i] * q[i];
  return fg_strands_total(strand);
}

/* A norm that is not finite comes back as infinity: CVODE then sees a failed test and shortens the step, whereas a
 * NaN would get into the step size. */
static sunrealtype fg_lv_wrms(N_Vector x, N_Vector w)
{
  const double *p = fg_law_vector_data(x), *q = fg_law_vector_data(w);
  double strand[FG_STRANDS] = {0};
  size_t n = fg_lv_size(x), i = 0;
  for (; i + FG_STRANDS <= n; i += FG_STRANDS)
    for (size_t k = 0; k < FG_STRANDS; k++) {
      double one = p[i + k] * q[i + k];
      strand[k] += one * one;
    }
  for (; i < n; i++) strand[0] += p[i] * q[i] * (p[i] * q[i]);
  double norm = sqrt(fg_strands_total(strand) / (double)n);
  return isfinite(norm) ? norm : HUGE_VAL;
}

static sunrealtype fg_lv_max_norm(N_Vector x)
{
  const double *p = fg_law_vector_data(x);
  double most = 0;
  for (size_t i = 0, n = fg_lv_size(x); i < n; i++) most = fabs(p[i]) > most ? fabs(p[i]) : most;
  return most;
}

static sunrealtype fg_lv_min(N_Vector x)
{
  const double *p = fg_law_vector_data(x);
  double least = p[0];
  for (size_t i = 1, n = fg_lv_size(x); i < n; i++) least = p[i] < least ? p[i] : least;
  return least;
}

static N_Vector_ID fg_lv_id(N_Vector v)
{
  (void)v;
  return SUNDIALS_NVEC_CUSTOM;
}

static sunindextype fg_lv_length(N_Vector v)
{
  return (sunindextype)fg_lv_size(v);
}

static void fg_lv_destroy(N_Vector v)
{
  if (!v) return;
  fg_law_content *content = v->content;
  if (content) free(content->data);
  free(content);
  v->content = NULL;
  N_VFreeEmpty(v);
}

static N_Vector fg_lv_fill(N_Vector v, size_t n)
{
  fg_law_content *content = malloc(sizeof *content);
  double *data = content ? calloc(n, sizeof *data) : NULL;
  if (!data) {
    free(content);
    N_VFreeEmpty(v);
    return NULL;
  }
  *content = (fg_law_content){n, data};
  v->content = content;
  return v;
}

static N_Vector fg_lv_clone(N_Vector w)
{
  N_Vector v = N_VNewEmpty(w->sunctx);
  if (!v) return NULL;
  if (N_VCopyOps(w, v)) {
    N_VFreeEmpty(v);
    return NULL;
  }
  return fg_lv_fill(v, fg_lv_size(w));
}

N_Vector fg_law_vector(size_t n, SUNContext context)
{
  N_Vector v = N_VNewEmpty(context);
  if (!v) return NULL;
  v->ops->nvgetvectorid = fg_lv_id;
  v->ops->nvclone = fg_lv_clone;
  v->ops->nvdestroy = fg_lv_destroy;
  v->ops->nvgetlength = fg_lv_length;
  v->ops->nvlinearsum = fg_lv_linear_sum;
  v->ops->nvconst = fg_lv_const;
  v->ops->nvprod = fg_lv_prod;
  v->ops->nvdiv = fg_lv_div;
  v->ops->nvscale = fg_lv_scale;
  v->ops->nvabs = fg_lv_abs;
  v->ops->nvinv = fg_lv_inv;
  v->ops->nvaddconst = fg_lv_add_const;
  v->ops->nvdotprod = fg_lv_dot;
  v->ops->nvmaxnorm = fg_lv_max_norm;
  v->ops->nvwrmsnorm = fg_lv_wrms;
  v->ops->nvmin = fg_lv_min;
  return fg_lv_fill(v, n);
}
