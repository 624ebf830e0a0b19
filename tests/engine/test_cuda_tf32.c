/* needs: kernels cuda_on_cpu */
/* TF32 on the CUDA engine, run on the CPU by the shim, which rounds factors to 10 bits as tensor cores do: single precision
 * changes only when it is asked for, by as much as the rounding explains; double precision never. */
#include "support/shim_engines.h"

/* Factors are off by up to 2^-11 of themselves, sums of some hundred terms of either sign and three layers by a few times that:
 * largest seen 9e-4. Plain single precision is 1e-6 off, so a product that ignored the switch would show. */
static const double most = 3e-3, least = 1e-5;

static const field_case fields[] = {SOFTPLUS_FIELD("wide", 2, 129, 129), NOISE_FIELD("wide vector", 140, 140),
                                    SOFTPLUS_FIELD("narrow", 3, 64, 50, 64),
                                    NOISE_FIELD("narrow vector", 128, 100)};
enum { FIELDS = sizeof fields / sizeof *fields, NARROW = 2 /* the first of those by fused kernels */ };

static const walk_case walk = {1, 2, 1, 0, 0, 0.5};

static void run(fg_engine *e, const field_case *c, fg_precision precision, record *out)
{
  out->of = c->name;
  out->pieces = 0;
  run_evaluate(e, c, precision, 20, 1, out);
  run_ode(e, c, precision, 20, 0, out);
  run_simulate(e, c, precision, 20, &walk, out);
}

/* Largest difference, relative to the largest of its array. */
static double apart(const record *a, const record *b)
{
  double worst = 0;
  assert_int_equal(a->pieces, b->pieces);
  for (size_t k = 0; k < a->pieces; k++) {
    double size = 0, off = 0;
    assert_int_equal(a->count[k], b->count[k]);
    for (size_t i = 0; i < a->count[k]; i++) {
      size = fmax(size, fabs(b->values[k][i]));
      off = fmax(off, fabs(a->values[k][i] - b->values[k][i]));
    }
    if (size > 0) worst = fmax(worst, off / size);
  }
  return worst;
}

static void test_switch(void **state)
{
  (void)state;
  static record plain, asked, after, doubled, doubled_asked;
  for (size_t k = 0; k < FIELDS; k++) {
    run(shim, &fields[k], FG_SINGLE, &plain);
    run(shim, &fields[k], FG_DOUBLE, &doubled);
    MUST(fg_engine_allow_tf32(shim, true, ST));
    assert_true(fg_engine_tf32(shim));
    run(shim, &fields[k], FG_SINGLE, &asked);
    run(shim, &fields[k], FG_DOUBLE, &doubled_asked);
    MUST(fg_engine_allow_tf32(shim, false, ST));
    run(shim, &fields[k], FG_SINGLE, &after);
    const double off = apart(&asked, &plain);
    print_message("%s: TF32 is %.1e from single precision\n", fields[k].name, off);
    if (!(off > least && off < most)) fail_msg("%s: %g apart", fields[k].name, off);
    assert_true(apart(&after, &plain) == 0);
    assert_true(apart(&doubled_asked, &doubled) == 0);
    record *all[] = {&plain, &asked, &after, &doubled, &doubled_asked};
    for (size_t i = 0; i < 5; i++) record_free(all[i]);
  }
}

/* Where weights lie, and the order of threads, show in no bit. */
static void test_places(void **state)
{
  (void)state;
  static record whole, parted;
  MUST(fg_engine_allow_tf32(shim, true, ST));
  for (size_t k = NARROW; k < FIELDS; k++) {
    run(shim, &fields[k], FG_SINGLE, &whole);
    for (int kilobytes = 20; kilobytes < 100; kilobytes += 40) { /* none, and scratch without weights */
      shim_shared(kilobytes << 10);
      shim_shuffle((unsigned)kilobytes);
      run(shim, &fields[k], FG_SINGLE, &parted);
      assert_true(apart(&parted, &whole) == 0);
      record_free(&parted);
    }
    shim_shared(232448);
    record_free(&whole);
  }
  MUST(fg_engine_allow_tf32(shim, false, ST));
}

/* Not asked for: off. Engines without it say so. */
static void test_asked(void **state)
{
  (void)state;
  fg_status st = {0};
  assert_true(fg_engine_has_tf32(shim));
  assert_false(fg_engine_tf32(shim));
  assert_false(fg_engine_has_tf32(cpu));
  assert_int_equal(fg_engine_allow_tf32(cpu, true, &st), FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "engine cpu"));
  assert_false(fg_engine_tf32(cpu));
  MUST(fg_engine_allow_tf32(cpu, false, ST));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_asked), cmocka_unit_test(test_switch),
                                     cmocka_unit_test(test_places)};
  return cmocka_run_group_tests(tests, open_engines, close_engines);
}
