/* needs: train */
/* Bridges: rnd and both gradients against a reference that knows only the definitions. It follows the paths on the
 * host, with controls and divergences from `evaluate`, writes rnd as the densities of Gaussian steps or the sum of
 * docs/samplers.md, and differentiates by central differences with the path held fixed. */
#include "support/bridge_case.h"

/* ---- the reference ---------------------------------------------------------------------------- */

/* u or v [n, d] at x and node k, and its divergence [n] unless NULL. */
static void look(fg_engine *e, const setting *s, int which, size_t k, size_t n, const double *x, double *out,
                 double *divergence)
{
  const size_t d = (size_t)s->f[0].d;
  const double g = sqrt(s->paths.coeff[k].g2);
  guarded at = guarded_open(e, n * d * sizeof *x, x), score = guarded_open(e, n * d * sizeof *x, NULL);
  guarded div = guarded_open(e, n * sizeof *x, NULL);
  fg_evaluate_request r = {.n = n, .shared_time = 1, .coeff = &s->paths.coeff[k], .x = at.inner};
  r.score = score.inner;
  if (divergence) r.divergence = div.inner;
  MUST(e->ops->evaluate(e, e->threads, &s->f[which], &r, ST));
  guarded_close(e, &at, NULL);
  guarded_close(e, &score, out);
  guarded_close(e, &div, divergence);
  for (size_t i = 0; i < n * d; i++) out[i] *= g;
  for (size_t i = 0; divergence && i < n; i++) divergence[i] *= g;
}

typedef struct reference {
  double *x, *z, *u; /* [steps + 1, n, d], [steps, n, d] each; u drove the path */
  double *rnd[2];    /* [n] */
} reference;

static double square_of(double x)
{
  return x * x;
}

static void follow(reference *r, fg_engine *e, const bridge *b, const objective_plan *p)
{
  const size_t d = b->u.d, each = p->n * d;
  setting s;
  setting_open(&s, e, b, p, p);
  double *x0 = objective_starts(&b->u, p);
  r->x = malloc((OBJECTIVE_STEPS + 1) * each * sizeof *r->x);
  r->z = malloc(OBJECTIVE_STEPS * each * sizeof *r->z);
  r->u = malloc(OBJECTIVE_STEPS * each * sizeof *r->u);
  for (int f = 0; f < 2; f++) r->rnd[f] = malloc(p->n * sizeof *r->rnd[f]);
  memcpy(r->x, x0, each * sizeof *x0);
  for (size_t k = 0; k < OBJECTIVE_STEPS; k++) {
    const fg_path_step *step = &s.paths.step[k];
    double *x = r->x + k * each, *u = r->u + k * each, *z = r->z + k * each;
    look(e, &s, 0, k, p->n, x, u, NULL);
    for (size_t i = 0; i < each; i++) {
      z[i] = fg_normal(SEED, FG_STREAM_NOISE, i / d, (uint32_t)k, (uint32_t)(i % d));
      x[each + i] = step->keep * x[i] + step->push * u[i] + step->spread * z[i];
    }
  }
  free(x0);
  setting_close(&s, e);
}

/* rnd of the paths under the weights that p moves in u and q in v. */
static void weigh(reference *r, fg_engine *e, const bridge *b, const objective_plan *p,
                  const objective_plan *q)
{
  const size_t n = p->n, d = b->u.d, each = n * d;
  double *u = malloc(each * sizeof *u), *v = malloc(each * sizeof *v), *v_end = malloc(each * sizeof *v),
         *divergence = malloc(n * sizeof *u);
  setting s;
  setting_open(&s, e, b, p, q);
  for (size_t i = 0; i < n; i++) {
    double start = -0.5 * (double)d * FG_LOG_2PI;
    for (size_t j = 0; j < d; j++) start -= 0.5 * square_of(r->x[i * d + j]);
    r->rnd[0][i] = r->rnd[1][i] = start - wells(NULL, (int)d, r->x + OBJECTIVE_STEPS * each + i * d, NULL);
  }
  for (size_t k = 0; k < OBJECTIVE_STEPS; k++) {
    const fg_path_step *t = &s.paths.step[k];
    const double *x = r->x + k * each, *next = x + each, *z = r->z + k * each, *driving = r->u + k * each;
    look(e, &s, 0, k, n, x, u, NULL);
    look(e, &s, 1, k, n, x, v, divergence);
    look(e, &s, 1, k + 1, n, next, v_end, NULL);
    for (size_t i = 0; i < n; i++)
      r->rnd[FG_FORM_CONTINUOUS][i] += sqrt(s.paths.coeff[k].g2) * divergence[i] * t->time - t->drift;
    for (size_t i = 0; i < each; i++) {
      const double sum = u[i] + v[i];
      r->rnd[FG_FORM_CONTINUOUS][i / d] +=
          sum * (driving[i] + 0.5 * (v[i] - u[i])) * t->time + sum * z[i] * t->root;
      r->rnd[FG_FORM_DISCRETE][i / d] +=
          -0.5 * square_of((next[i] - t->keep * x[i] - t->push * u[i]) / t->spread) - log(t->spread) +
          0.5 * square_of(x[i] - t->back * next[i] - t->back_push * v_end[i]) / t->back_variance +
          0.5 * log(t->back_variance);
    }
  }
  setting_close(&s, e);
  free(u);
  free(v);
  free(v_end);
  free(divergence);
}

/* The loss of the log-variance, within groups of `group` paths. */
static double loss_of(const double *rnd, size_t n, size_t group)
{
  double sum = 0;
  for (size_t at = 0; at < n; at += group) {
    double mean = 0, squares = 0;
    for (size_t i = at; i < at + group; i++) mean += rnd[i] / (double)group;
    for (size_t i = at; i < at + group; i++) squares += square_of(rnd[i] - mean);
    sum += squares / (double)(group - 1) * (double)group / (double)n;
  }
  return sum;
}

static void reference_free(reference *r)
{
  free(r->x);
  free(r->z);
  free(r->u);
  free(r->rnd[0]);
  free(r->rnd[1]);
}

#ifdef FG_ON_CUDA /* threads that are fibers take long: fewer cases */
enum { KIND_STEP = 3, EVERY = 3, PATHS = 70 };
#else
enum { KIND_STEP = 1, EVERY = 1, PATHS = 100 };
#endif

/* ---- tests ------------------------------------------------------------------------------------ */

static objective_plan plan_of(int form, size_t n)
{
  return (objective_plan){.objective = FG_OBJECTIVE_LOG_VARIANCE,
                          .form = (fg_path_form)form,
                          .n = n,
                          .tile = 16,
                          .group = 1,
                          .limit = (double)INFINITY,
                          .part = -1};
}

/* Five steps of sums of at most 17 terms. */
static void test_rnd(void **state)
{
  fg_engine *e;
  (void)state;
  MUST(fg_engine_open("cpu", 1, &e, ST));
  for (size_t k = 0; k < BRIDGES; k++) {
    const objective_plan p = plan_of(0, 21);
    reference r;
    answer a = run("cpu", 2, &bridges[k], &p, 0);
    follow(&r, e, &bridges[k], &p);
    weigh(&r, e, &bridges[k], &p, &p);
    for (int form = 0; form < 2; form++)
      for (size_t i = 0; i < p.n; i++) {
        const double x = a.rnd[(size_t)form * p.n + i], y = r.rnd[form][i];
        if (!(fabs(x - y) <= 1e-11 * (1 + fabs(y))))
          fail_msg("bridge %zu, form %d, path %zu: %.15g, reference %.15g", k, form, i, x, y);
      }
    reference_free(&r);
    answer_free(&a);
  }
  fg_engine_close(&e);
}

/* One part of the weights of one control: truncation is h^2 times third derivatives, rounding 1e-13 of the loss over
 * h. */
static void check_part(fg_engine *e, const bridge *b, const objective_plan *p, const answer *a, reference *r,
                       int which, int part)
{
  const double h = 1e-5;
  const size_t group = p->objective == FG_OBJECTIVE_LOG_VARIANCE ? p->n : p->group;
  objective_plan moved = *p;
  objective_answer packed = {.gradient = a->gradient[which], .size = a->size[which]};
  double loss[2], size, slope = objective_slope(&packed, which ? &b->v : &b->u, part, &size);
  moved.part = part;
  for (int side = 0; side < 2; side++) {
    moved.shift = side ? h : -h;
    weigh(r, e, b, which ? p : &moved, which ? &moved : p);
    loss[side] = loss_of(r->rnd[p->form], p->n, group);
  }
  const double difference = (loss[1] - loss[0]) / (2 * h);
  if (size == 0 || !(fabs(difference - slope) <= 1e-6 * size + 1e-7 * (1 + fabs(a->loss))))
    fail_msg("%s %zu, form %d, part %d: difference %.12g, gradient %.12g (of %.3g)", which ? "v" : "u",
             b->u.d, (int)p->form, part, difference, slope, size);
}

static void test_gradients(void **state)
{
  fg_engine *e;
  (void)state;
  MUST(fg_engine_open("cpu", 2, &e, ST));
  for (size_t k = 0; k < BRIDGES; k++)
    for (int form = 0; form < 2; form++)
      for (int trajectory = 0; trajectory < 2; trajectory++) {
        objective_plan p = plan_of(form, 36);
        if ((k + (size_t)(form + trajectory)) % EVERY) continue;
        reference r;
        if (trajectory) p.objective = FG_OBJECTIVE_LOG_VARIANCE_TRAJECTORY, p.group = 4;
        answer a = run("cpu", 2, &bridges[k], &p, 1);
        follow(&r, e, &bridges[k], &p);
        weigh(&r, e, &bridges[k], &p, &p);
        const double loss = loss_of(r.rnd[form], p.n, trajectory ? p.group : p.n);
        assert_true(fabs(loss - a.loss) <= 1e-10 * loss);
        for (int part = 0; part < OBJECTIVE_PARTS; part++) check_part(e, &bridges[k], &p, &a, &r, 0, part);
        for (int part = 0; part < 3; part++) check_part(e, &bridges[k], &p, &a, &r, 1, part);
        reference_free(&r);
        answer_free(&a);
      }
  fg_engine_close(&e);
}

/* KL: the gradient through the path, against differences of the loss that the engine simulates. Its mean is rnd less,
 * without the Ito term, what has mean 0. The step is so small that no path
 * crosses a clip; rounding, some 1e-14 of a loss of 100, over 2e-6, is below the tolerance. */
static void check_kl(const bridge *b, const objective_plan *p, const answer *a, int which, int part)
{
  const double h = 1e-6;
  objective_plan moved = *p;
  objective_answer packed = {.gradient = a->gradient[which], .size = a->size[which]};
  double loss[2], size, slope = objective_slope(&packed, which ? &b->v : &b->u, part, &size);
  moved.part = part;
  for (int side = 0; side < 2; side++) {
    moved.shift = side ? h : -h;
    answer m = run_moved("cpu", 1, b, which ? p : &moved, which ? &moved : p, 1);
    loss[side] = m.loss;
    answer_free(&m);
  }
  const double difference = (loss[1] - loss[0]) / (2 * h);
  if (size == 0 || !(fabs(difference - slope) <= 1e-5 * size + 1e-7 * (1 + fabs(a->loss))))
    fail_msg("%s %zu, objective %d, form %d, part %d: difference %.12g, gradient %.12g (of %.3g)",
             which ? "v" : "u", b->u.d, (int)p->objective, (int)p->form, part, difference, slope, size);
}

static void test_kl(void **state)
{
  (void)state;
  for (size_t k = 0; k < BRIDGES; k++)
    for (int form = 0; form < 2; form++)
      for (int ito = 0; ito < 2; ito++) {
        objective_plan p = plan_of(form, 20);
        if ((k + (size_t)(form + ito)) % EVERY) continue;
        p.objective = ito ? FG_OBJECTIVE_KL_ITO : FG_OBJECTIVE_KL;
        answer a = run("cpu", 2, &bridges[k], &p, 1);
        double mean = 0;
        for (size_t i = 0; i < p.n; i++) mean += a.rnd[(size_t)form * p.n + i] / (double)p.n;
        if (ito || form == FG_FORM_DISCRETE) assert_true(fabs(mean - a.loss) < 1e-11 * (1 + fabs(mean)));
        for (int part = 0; part < OBJECTIVE_PARTS; part++) check_kl(&bridges[k], &p, &a, 0, part);
        for (int part = 0; part < 3; part++) check_kl(&bridges[k], &p, &a, 1, part);
        answer_free(&a);
      }
}

static void same_bits(const answer *a, const answer *b)
{
  assert_memory_equal(a->rnd, b->rnd, 2 * a->n * sizeof *a->rnd);
  for (int k = 0; k < 2; k++)
    assert_memory_equal(a->gradient[k], b->gradient[k], a->size[k] * sizeof *a->gradient[k]);
  assert_memory_equal(&a->loss, &b->loss, sizeof a->loss);
}

/* Any engine, any number of threads; with lost paths and tiles that the batch does not fill. */
static void test_engines(void **state)
{
  (void)state;
  for (size_t k = 0; k < BRIDGES; k++)
    for (int form = 0; form < 2; form++)
      for (int kind = 0; kind < 4; kind += KIND_STEP) {
        objective_plan p = plan_of(form, PATHS);
        if (EVERY > 1 && kind / KIND_STEP != form) continue;
        p.precision = (fg_precision)(kind % 2);
        p.objective = kind < 2 ? FG_OBJECTIVE_LOG_VARIANCE : FG_OBJECTIVE_KL;
        p.limit = k == 1 ? 1.9 : (double)INFINITY;
        answer a = run("cpu", 1, &bridges[k], &p, 1), b = run("cpu-check", 3, &bridges[k], &p, 1);
        answer c = run("cpu", 5, &bridges[k], &p, 1);
        if (k == 1) assert_true(a.lost > 0 && a.lost < p.n);
        for (size_t i = 0; i < a.size[1]; i++) assert_true(isfinite(a.gradient[1][i]));
        same_bits(&a, &b);
        same_bits(&a, &c);
        answer_free(&a);
        answer_free(&b);
        answer_free(&c);
      }
}

/* float against double; steps, second derivatives and differences of large numbers amplify its rounding, 6e-8. */
static void test_float(void **state)
{
  (void)state;
  for (size_t k = 0; k < BRIDGES; k++)
    for (int form = 0; form < 2; form++) {
      objective_plan p = plan_of(form, 64);
      if (bridges[k].clip < 20) continue; /* an output may lie on either side of its clip */
      answer a = run("cpu", 2, &bridges[k], &p, 1);
      p.precision = FG_SINGLE;
      answer b = run("cpu", 2, &bridges[k], &p, 1);
      for (int which = 0; which < 2; which++) {
        double scale = 0, off = 0;
        for (size_t i = 0; i < a.size[which]; i++) {
          scale = fmax(scale, fabs(a.gradient[which][i]));
          off = fmax(off, fabs(a.gradient[which][i] - b.gradient[which][i]));
        }
        if (!(off <= 5e-4 * scale)) fail_msg("bridge %zu, form %d: %g of %g", k, form, off, scale);
      }
      answer_free(&a);
      answer_free(&b);
    }
}

/* Only the vector form without score information. */
static void test_refused(void **state)
{
  const objective_plan p = plan_of(0, 16);
  fg_engine *e;
  fg_status st = {0};
  setting s;
  (void)state;
  MUST(fg_engine_open("cpu", 1, &e, ST));
  setting_open(&s, e, &bridges[2], &p, &p); /* its u is a potential */
  const fg_paths_request r = {.n = 16, .tile = 16, .steps = 1, .noising = &s.f[0]};
  assert_int_equal(e->ops->paths(e, e->threads, &s.f[0], &r, &st), FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "without score information"));
  setting_close(&s, e);
  fg_engine_close(&e);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rnd),   cmocka_unit_test(test_gradients),
                                     cmocka_unit_test(test_kl),    cmocka_unit_test(test_engines),
                                     cmocka_unit_test(test_float), cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
