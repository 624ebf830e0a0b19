/* needs: target */
/* Gaussian mixtures: gaussian, gmm9, gmm25, gmm40, mixture, blobs. */
#include "unit/target_check.h"

#include <gsl/gsl_linalg.h>

enum { K = 3, D = 4 };

/* Three components in four dimensions with full covariances A A^T + 0.2 I. */
typedef struct example {
  double weights[K], means[K * D], covariances[K * D * D];
} example;

static fg_target_settings example_settings(example *e)
{
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_MIXTURE, &s);
  for (int k = 0; k < K; k++) {
    double a[D][D];
    e->weights[k] = 1.0 + k;
    for (int i = 0; i < D; i++) {
      e->means[k * D + i] = 1.5 * sin(1.0 + 3.0 * k + i);
      for (int j = 0; j < D; j++) a[i][j] = 0.8 * cos(2.0 * k + 1.7 * i + 0.9 * j * j);
    }
    for (int i = 0; i < D; i++)
      for (int j = 0; j < D; j++) {
        double sum = i == j ? 0.2 : 0.0;
        for (int p = 0; p < D; p++) sum += a[i][p] * a[j][p];
        e->covariances[(k * D + i) * D + j] = sum;
      }
  }
  s.components = K;
  s.dimension = D;
  s.weights = e->weights;
  s.means = e->means;
  s.covariances = e->covariances;
  return s;
}

/* The density by GSL's LU: another factorisation than ours. */
static double by_lu(const example *e, const double *x)
{
  double sum = 0, total = 0;
  for (int k = 0; k < K; k++) total += e->weights[k];
  for (int k = 0; k < K; k++) {
    double c[D * D], r[D], z[D], square = 0;
    int sign;
    memcpy(c, e->covariances + k * D * D, sizeof c);
    gsl_matrix_view matrix = gsl_matrix_view_array(c, D, D);
    gsl_permutation *p = gsl_permutation_alloc(D);
    gsl_linalg_LU_decomp(&matrix.matrix, p, &sign);
    for (int i = 0; i < D; i++) r[i] = x[i] - e->means[k * D + i];
    gsl_vector_view right = gsl_vector_view_array(r, D), left = gsl_vector_view_array(z, D);
    gsl_linalg_LU_solve(&matrix.matrix, p, &right.vector, &left.vector);
    for (int i = 0; i < D; i++) square += r[i] * z[i];
    double det = gsl_linalg_LU_det(&matrix.matrix, sign);
    sum += e->weights[k] / total * exp(-square / 2) / sqrt(pow(2 * acos(-1.0), D) * det);
    gsl_permutation_free(p);
  }
  return log(sum);
}

static void full_covariances(void **state)
{
  (void)state;
  example e;
  fg_target_settings s = example_settings(&e);
  fg_target *t = target_made(&s);
  double x[20 * D];
  assert_int_equal(fg_target_sample(t, 5, 0, 20, x, NULL), FG_OK);
  /* Condition numbers are below 20: rounding of some 50 operations. */
  for (int i = 0; i < 20; i++)
    assert_true(fabs(target_at(t, x + i * D, NULL) - by_lu(&e, x + i * D)) <= 1e-13);
  target_check_score(t, 20, x, 1e-3, 1e-9);
  target_check_split(t, 1);
  target_check_split(t, UINT64_C(0xffffffffff));
  target_check_moments(t, 200000, 1);
  double log_z = 1;
  assert_int_equal(fg_target_log_z(t, &log_z, NULL), FG_OK);
  assert_true(log_z == 0);
  fg_mixture_view view;
  assert_int_equal(fg_target_mixture(t, &view, NULL), FG_OK);
  assert_true(view.components == K && view.d == D);
  for (int k = 0; k < K; k++) assert_true(fabs(view.weights[k] - (1.0 + k) / 6.0) <= 1e-16);
  assert_memory_equal(view.means, e.means, sizeof e.means);
  for (int i = 0; i < K * D * D; i++) assert_true(fabs(view.covariances[i] - e.covariances[i]) <= 1e-16 * 4);
  fg_target_destroy(&t);
  assert_null(t);
  fg_target_destroy(NULL);
}

/* The same covariances kept isotropic, diagonal and full give the same density and score. */
static void forms_agree(void **state)
{
  (void)state;
  const double means[4] = {0.5, -1, 2, 1}, x[2] = {0.3, 0.4};
  double c[8] = {0.7, 0, 0, 0.7, 0.7, 0, 0, 0.7}, value[3], score[6];
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_MIXTURE, &s);
  s.components = 2;
  s.means = means;
  s.covariances = c;
  for (int form = 0; form < 3; form++) {
    if (form == 1) c[0] += 1e-13;       /* diagonal from here on */
    if (form == 2) c[1] = c[2] = 1e-13; /* full */
    fg_target *t = target_made(&s);
    value[form] = target_at(t, x, score + 2 * form);
    target_check_moments(t, 100000, 3);
    fg_target_destroy(&t);
  }
  for (int form = 1; form < 3; form++) { /* the changes above, 1e-13, move the values by as much */
    assert_true(fabs(value[form] - value[0]) <= 1e-12);
    for (int i = 0; i < 2; i++) assert_true(fabs(score[2 * form + i] - score[i]) <= 1e-12);
  }
}

static void grid_of_nine(void **state)
{
  (void)state;
  fg_target *t = target_default(FG_TARGET_GMM9);
  double x[2] = {5, 0}, mean[2], c[4], points[40];
  assert_string_equal(fg_target_name(t), "gmm9");
  assert_int_equal(fg_target_abilities(t), 63);
  /* At a mode the eight others are below exp(-25 / 0.6) = 8e-19: log 1/9 - log(2 pi 0.3). */
  assert_true(fabs(target_at(t, x, NULL) - (log(1.0 / 9.0) - log(2 * acos(-1.0) * 0.3))) <= 4e-15);
  assert_int_equal(fg_target_moments(t, mean, c, NULL), FG_OK);
  assert_true(mean[0] == 0 && mean[1] == 0 && fabs(c[0] - (0.3 + 50.0 / 3.0)) <= 1e-14 &&
              fabs(c[1]) <= 1e-15);
  assert_true(fabs(target_mass2(t, 10, 400) - 1) <= 1e-12);
  assert_int_equal(fg_target_sample(t, 1, 0, 20, points, NULL), FG_OK);
  target_check_score(t, 20, points, 1e-3, 1e-9);
  target_check_moments(t, 400000, 11);
  target_check_split(t, 0);
  fg_target_destroy(&t);
}

/* Which component a draw came from: the modes are twenty standard deviations apart. */
static void picks_by_weight(void **state)
{
  (void)state;
  enum { N = 200000 };
  const double weights[4] = {0.5, 0.001, 3, 1.499}, means[4] = {0, 20, 40, 60};
  double *x = malloc(N * sizeof *x), count[4] = {0}, p[4];
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_MIXTURE, &s);
  s.dimension = 1;
  s.components = 4;
  s.weights = weights;
  s.means = means;
  fg_target *t = target_made(&s);
  assert_int_equal(fg_target_sample(t, 3, 0, N, x, NULL), FG_OK);
  for (int i = 0; i < N; i++) count[(int)((x[i] + 10) / 20)]++;
  for (int k = 0; k < 4; k++) p[k] = weights[k] / 5;
  assert_true(chi_square_tail(4, count, p, N) > 1e-4);
  /* The normals: distances from the modes are N(0, 1), 40 classes of equal probability. */
  double classes[40] = {0}, even[40];
  for (int i = 0; i < N; i++) classes[(int)(40 * gsl_cdf_ugaussian_P(x[i] - 20 * floor((x[i] + 10) / 20)))]++;
  for (int k = 0; k < 40; k++) even[k] = 1.0 / 40;
  assert_true(chi_square_tail(40, classes, even, N) > 1e-4);
  fg_target_destroy(&t);
  free(x);
}

static void blobs(void **state)
{
  (void)state;
  fg_target *t = target_default(FG_TARGET_BLOBS);
  double mean[2], c[4], points[40];
  assert_true(fabs(target_mass2(t, 5, 400) - 1) <= 1e-12);
  assert_int_equal(fg_target_moments(t, mean, c, NULL), FG_OK);
  /* Scaled by 0.65: 0.2 plus the mean square of the nine first coordinates, (4*4 + 2*16) / 9. */
  assert_true(fabs(c[0] - 0.4225 * (0.2 + 48.0 / 9.0)) <= 1e-14 && fabs(c[1]) <= 1e-15);
  assert_int_equal(fg_target_sample(t, 1, 0, 20, points, NULL), FG_OK);
  target_check_score(t, 20, points, 1e-3, 1e-8);
  target_check_moments(t, 400000, 12);
  target_check_split(t, 0);
  fg_mixture_view view;
  assert_int_equal(fg_target_mixture(t, &view, NULL), FG_OK);
  assert_true(fabs(view.covariances[0] - 0.0845) <= 1e-16 && fabs(view.means[0] - 1.3) <= 1e-15);
  fg_target_destroy(&t);
}

static void gaussian(void **state)
{
  (void)state;
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_GAUSSIAN, &s);
  assert_true(s.dimension == 2 && s.mean == 0 && s.variance == 1);
  s.dimension = 7;
  s.mean = -3;
  s.variance = 0.25;
  fg_target *t = target_made(&s);
  double x[7] = {1, 2, 3, 4, 5, 6, 7}, score[7], square = 0;
  for (int i = 0; i < 7; i++) square += (x[i] + 3) * (x[i] + 3);
  double expected = -square / 0.5 - 3.5 * log(2 * acos(-1.0) * 0.25);
  assert_true(fabs(target_at(t, x, score) - expected) <= 1e-15 * fabs(expected) * 4);
  for (int i = 0; i < 7; i++) assert_true(fabs(score[i] + (x[i] + 3) / 0.25) <= 1e-13);
  target_check_moments(t, 100000, 2);
  target_check_split(t, 77);
  fg_target_destroy(&t);
}

/* Far from everything the nearest component still decides; where no double holds the value, the
 * score is refused rather than made up. */
static void far_away(void **state)
{
  (void)state;
  fg_target *t = target_default(FG_TARGET_GMM9);
  double x[2] = {1e6, 3e5}, score[2], value;
  fg_status st = {0};
  target_at(t, x, score);
  assert_true(fabs(score[0] + (1e6 - 5) / 0.3) <= 1e-9 && fabs(score[1] + (3e5 - 5) / 0.3) <= 1e-9);
  x[0] = 1e200;
  assert_int_equal(fg_target_log_density(t, 1, x, &value, NULL, &st), FG_OK);
  assert_true(value == -INFINITY);
  assert_int_equal(fg_target_log_density(t, 1, x, &value, score, &st), FG_NUMERICS);
  x[0] = NAN;
  assert_int_equal(fg_target_log_density(t, 1, x, &value, NULL, &st), FG_NUMERICS);
  assert_non_null(strstr(st.message, "points must be finite"));
  fg_target_destroy(&t);
}

static void messages(void **state)
{
  (void)state;
  example e;
  fg_target_settings s = example_settings(&e);
  e.weights[1] = 0;
  target_refused(&s, FG_USAGE, "target.weights: component 2 of 3 has weight 0");
  e.weights[1] = NAN;
  target_refused(&s, FG_USAGE, "component 2 of 3 has weight nan");
  s = example_settings(&e);
  e.covariances[2 * D * D + 1] += 1e-6;
  target_refused(&s, FG_USAGE, "target.covariances: component 3 is not symmetric: [2, 1]");
  s = example_settings(&e);
  e.covariances[D * D] = -1;
  target_refused(&s, FG_USAGE, "the covariance of component 2 is not positive definite");
  s = example_settings(&e);
  for (int i = 0; i < D * D; i++) e.covariances[i] = 1; /* of rank one */
  target_refused(&s, FG_USAGE, "the covariance of component 1 is not positive definite");
  e.covariances[3] = INFINITY;
  target_refused(&s, FG_USAGE, "component 1 is not finite at [4, 1]");
  s = example_settings(&e);
  e.means[5] = NAN;
  target_refused(&s, FG_USAGE, "target.means: component 2 has nan at coordinate 2");
  s.components = 0;
  target_refused(&s, FG_USAGE, "target.means is empty");
  fg_target_defaults(FG_TARGET_GAUSSIAN, &s);
  s.variance = 0;
  target_refused(&s, FG_USAGE, "target.variance is 0: give a finite number > 0");
  s.variance = 1;
  s.mean = INFINITY;
  target_refused(&s, FG_USAGE, "target.mean is inf");
  fg_target_defaults(FG_TARGET_GMM9, &s);
  s.dimension = 3;
  target_refused(&s, FG_USAGE, "target.dimension is 3: gmm9 lives in 2 dimensions");
  s.kind = (fg_target_kind)99;
  target_refused(&s, FG_USAGE, "target kind number 99 is unknown");
  fg_target_defaults(FG_TARGET_GAUSSIAN, &s);
  s.dimension = 0;
  target_refused(&s, FG_USAGE, "target.dimension is 0");
}

static void grid_of_25(void **state)
{
  (void)state;
  double x[2] = {5, -10}, c[4], mean[2];
  fg_target *t = target_default(FG_TARGET_GMM25);
  /* At a mode the 24 others, at least 5 away, add exp(-25 / 0.6) = 1e-18 each. */
  assert_true(fabs(target_at(t, x, NULL) + log(25 * 2 * acos(-1.0) * 0.3)) <= 1e-14);
  assert_int_equal(fg_target_moments(t, mean, c, NULL), FG_OK);
  assert_true(fabs(c[0] - 50.3) <= 1e-12 && fabs(c[3] - 50.3) <= 1e-12 && fabs(mean[0]) <= 1e-14 &&
              c[1] == 0);
  target_check_split(t, 5);
  fg_target_destroy(&t);
}

/* Against PyTorch in float64: MixtureSameFamily of 40 MultivariateNormal whose means come from manual_seed(0). */
static void forty_modes(void **state)
{
  (void)state;
  static const double truth[4][3] = {{0, 0, -23.31634794918143},
                                     {10, -20, -23.8355148728596},
                                     {-30, -30, -8.638466340353762},
                                     {36, -37, -6.089002594945354}};
  double mean[2], x[40];
  fg_target *t = target_default(FG_TARGET_GMM40);
  for (int i = 0; i < 4; i++) /* the values have 16 digits */
    assert_true(fabs(target_at(t, truth[i], NULL) - truth[i][2]) <= 1e-14 * 24);
  assert_int_equal(fg_target_moments(t, mean, NULL, NULL), FG_OK);
  assert_true(fabs(mean[0] + 2.1405129432678223) <= 1e-14 && fabs(mean[1] - 1.2400382995605468) <= 1e-14);
  assert_int_equal(fg_target_sample(t, 8, 0, 20, x, NULL), FG_OK);
  target_check_score(t, 20, x, 1e-3, 1e-8);
  target_check_moments(t, 200000, 3);
  fg_target_destroy(&t);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(full_covariances),
                                     cmocka_unit_test(forms_agree),
                                     cmocka_unit_test(grid_of_nine),
                                     cmocka_unit_test(grid_of_25),
                                     cmocka_unit_test(forty_modes),
                                     cmocka_unit_test(picks_by_weight),
                                     cmocka_unit_test(blobs),
                                     cmocka_unit_test(gaussian),
                                     cmocka_unit_test(far_away),
                                     cmocka_unit_test(messages)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
