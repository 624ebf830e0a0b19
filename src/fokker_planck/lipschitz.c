/* Largest eigenvalue of the symmetric part of the score's Jacobian: at points, and over all space where a closed
 * form is known. */
#include <gsl/gsl_eigen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fokker_planck/certificate_impl.h"
#include "model/model.h"

enum { FG_JACOBIAN_MOST = 16, FG_POWER_STEPS = 60, FG_LIPSCHITZ_CHUNK = 4096 };

/* ---- exact, column by column ------------------------------------------------------------------- */

static fg_code fg_largest_dense(size_t n, size_t d, const double *columns, double *largest, fg_status *st)
{
  gsl_matrix *a = gsl_matrix_alloc(d, d);
  gsl_vector *l = gsl_vector_alloc(d);
  gsl_eigen_symm_workspace *work = gsl_eigen_symm_alloc(d);
  fg_code rc = FG_OK;
  if (!a || !l || !work) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for the eigenvalues of a %zu by %zu matrix", d, d);
    goto done;
  }
  for (size_t i = 0; i < n; i++) {
    for (size_t r = 0; r < d; r++)
      for (size_t c = 0; c < d; c++)
        gsl_matrix_set(a, r, c, 0.5 * (columns[(c * n + i) * d + r] + columns[(r * n + i) * d + c]));
    if (gsl_eigen_symm(a, l, work)) {
      rc = FG_FAIL(st, FG_NUMERICS, "the eigenvalues of a %zu by %zu Jacobian were not found", d, d);
      goto done;
    }
    *largest = fmax(*largest, gsl_vector_max(l));
  }
done:
  gsl_matrix_free(a);
  gsl_vector_free(l);
  gsl_eigen_symm_free(work);
  return rc;
}

/* columns [d, n, d]: column c of each point's Jacobian. */
static fg_code fg_largest_exact(const fg_model *model, double t, size_t n, size_t d, const double *x,
                                double *largest, fg_status *st)
{
  double *columns = NULL, *direction = NULL;
  fg_code rc = FG_OK;
  FG_GO(fg_certificate_room(d * n * d, &columns, st), done);
  FG_GO(fg_certificate_room(n * d, &direction, st), done);
  for (size_t c = 0; c < d; c++) {
    for (size_t i = 0; i < n * d; i++) direction[i] = i % d == c;
    fg_evaluation want = {.direction = direction, .jvp = columns + c * n * d};
    FG_GO(fg_model_evaluate(model, FG_DOUBLE, n, &t, 1, x, &want, st), done);
  }
  if (d > 2) {
    rc = fg_largest_dense(n, d, columns, largest, st);
    goto done;
  }
  for (size_t i = 0; i < n; i++) {
    double a = columns[i * d], value = a;
    if (d == 2) {
      double b = 0.5 * (columns[i * d + 1] + columns[(n + i) * d]), e = columns[(n + i) * d + 1];
      value = 0.5 * (a + e) + hypot(0.5 * (a - e), b);
    }
    *largest = fmax(*largest, value);
  }
done:
  free(columns);
  free(direction);
  return rc;
}

/* ---- power iteration, for a symmetric Jacobian -------------------------------------------------- */

static double fg_normalise(size_t d, double *v)
{
  double sum = 0;
  for (size_t j = 0; j < d; j++) sum += v[j] * v[j];
  double norm = sqrt(sum);
  for (size_t j = 0; j < d && norm > 0; j++) v[j] /= norm;
  return norm;
}

/* A third of the steps finds the size of the spectrum; shifted by that, its largest eigenvalue dominates. A Rayleigh
 * quotient never exceeds the largest eigenvalue. */
static fg_code fg_largest_power(const fg_model *model, double t, size_t n, size_t d, const double *x,
                                double *largest, fg_status *st)
{
  double *v = NULL, *jv = NULL, *shift = NULL;
  fg_code rc = FG_OK;
  FG_GO(fg_certificate_room(n * d, &v, st), done);
  FG_GO(fg_certificate_room(n * d, &jv, st), done);
  FG_GO(fg_certificate_room(n, &shift, st), done);
  for (size_t i = 0; i < n * d; i++) v[i] = 1 + 0.5 * sin(12.9898 * (double)(i % d + 1));
  for (size_t i = 0; i < n; i++) (void)fg_normalise(d, v + i * d);
  for (int step = 0; step < FG_POWER_STEPS; step++) {
    fg_evaluation want = {.direction = v, .jvp = jv};
    FG_GO(fg_model_evaluate(model, FG_DOUBLE, n, &t, 1, x, &want, st), done);
    bool shifted = step > FG_POWER_STEPS / 3;
    for (size_t i = 0; i < n; i++) {
      double along = 0, size = 0;
      for (size_t j = 0; j < d; j++) {
        double u = jv[i * d + j];
        along += v[i * d + j] * u;
        size += u * u;
        v[i * d + j] = u + (shifted ? shift[i] * v[i * d + j] : 0);
      }
      *largest = fmax(*largest, along);
      if (!shifted) shift[i] = fmax(shift[i], sqrt(size));
      if (!(fg_normalise(d, v + i * d) > 0)) v[i * d] = 1;
    }
  }
done:
  free(v);
  free(jv);
  free(shift);
  return rc;
}

fg_code fg_lipschitz_sampled(const fg_model *model, double t, size_t n, const double *x, double *largest,
                             fg_status *st)
{
  size_t d = fg_model_dimension(model);
  double found = -INFINITY;
  bool small = d <= FG_JACOBIAN_MOST;
  if (!(fg_model_quantities(model) & FG_JVP))
    return FG_FAIL(st, FG_UNSUPPORTED, "the model %s has no Jacobian-vector product", fg_model_name(model));
  if (!small && !(fg_model_quantities(model) & FG_PHI))
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "the Jacobian of the vector model %s in %zu dimensions is not symmetric: its largest "
                   "eigenvalue is found for at most %d",
                   fg_model_name(model), d, FG_JACOBIAN_MOST);
  for (size_t at = 0; at < n; at += FG_LIPSCHITZ_CHUNK) {
    size_t count = n - at < FG_LIPSCHITZ_CHUNK ? n - at : FG_LIPSCHITZ_CHUNK;
    FG_TRY(small ? fg_largest_exact(model, t, count, d, x + at * d, &found, st)
                 : fg_largest_power(model, t, count, d, x + at * d, &found, st));
  }
  *largest = n ? found : NAN;
  return FG_OK;
}

/* ---- over all space ------------------------------------------------------------------------------ */

/* What the bound needs of a mixture. */
typedef struct fg_spread {
  double variance; /* largest eigenvalue of the covariance at t = 0 */
  double apart2;   /* largest squared distance between two means */
  bool known;
} fg_spread;

static fg_code fg_spread_of(const fg_model *model, fg_spread *spread, fg_status *st)
{
  const fg_field *field = fg_model_field(model);
  const fg_field_mixture *mixture = &field->as.mixture;
  fg_engine *e = fg_model_engine(model);
  size_t d = (size_t)field->d, k = field->kind == FG_FIELD_MIXTURE ? (size_t)mixture->components : 0;
  double *mean = NULL, *spectrum = NULL;
  fg_code rc = FG_OK;
  *spread = (fg_spread){0, 0, false};
  if (k == 0 || (k > 1 && !mixture->isotropic)) return FG_OK;
  size_t values = mixture->isotropic ? k : k * d;
  FG_GO(fg_certificate_room(k * d, &mean, st), done);
  FG_GO(fg_certificate_room(values, &spectrum, st), done);
  FG_GO(e->ops->download(e, mean, mixture->mean, 0, k * d * sizeof *mean, st), done);
  FG_GO(e->ops->download(e, spectrum, mixture->spectrum, 0, values * sizeof *spectrum, st), done);
  spread->known = true;
  for (size_t i = 0; i < values; i++) {
    if (k > 1 && spectrum[i] != spectrum[0]) spread->known = false;
    spread->variance = fmax(spread->variance, spectrum[i]);
  }
  for (size_t i = 0; i < k; i++)
    for (size_t j = 0; j < i; j++) {
      double sum = 0;
      for (size_t c = 0; c < d; c++) sum += pow(mean[i * d + c] - mean[j * d + c], 2);
      spread->apart2 = fmax(spread->apart2, sum);
    }
done:
  free(mean);
  free(spectrum);
  return rc;
}

/* With one covariance c I the Hessian of log p_t is -1/c + the covariance of the means m mu_k / c under the weights at
 * x, whose variance in any direction is at most a quarter of the largest distance squared (Popoviciu). The Hessian of
 * h = e^(-decay t) G S has norm at most e^(-decay t) (1/L^2 + 2 e^(-1/2) wave / L + wave^2): |grad^2 G| <= 1/L^2,
 * |grad G| <= e^(-1/2)/L, and the two mixed terms are rank-one with |grad S| <= wave. */
fg_code fg_lipschitz_global(const fg_model *model, size_t count, const double *t, double *bound, bool *known,
                            fg_status *st)
{
  const fg_field_mixture *mixture = &fg_model_field(model)->as.mixture;
  const fg_process *process = fg_model_process(model);
  fg_spread spread;
  FG_TRY(fg_spread_of(model, &spread, st));
  *known = spread.known;
  for (size_t i = 0; spread.known && i < count; i++) {
    double m = fg_process_m(process, t[i]), c = m * m * spread.variance + fg_process_v(process, t[i]);
    double l = mixture->length, k = fabs(mixture->wave);
    double bend = 1 / (l * l) + 2 * exp(-0.5) * k / l + k * k;
    bound[i] = -1 / c + 0.25 * m * m * spread.apart2 / (c * c) +
               fabs(mixture->epsilon) * exp(-mixture->decay * t[i]) * (mixture->epsilon != 0 ? bend : 0);
  }
  return FG_OK;
}
