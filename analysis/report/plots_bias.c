#include "analysis/report/plots.h"

#include <math.h>

#include "flowgap/distance.h"

/* W2 against the rows that enter, for each estimator of ODE against SDE, and at the right what is left of it at
 * infinitely many rows. */
static const char *const colors[] = {"#010101", "#0072b2", "#009e73", "#d55e00", "#cc79a7", "#e69f00"};

static size_t bias_rows(const fg_run *run, fg_page *script, fg_estimator estimator, double *least,
                        double *most, double *lowest)
{
  const char *name = fg_estimator_name(estimator);
  const json_t *pair = fg_run_find(fg_run_find(fg_run_find(run->results, "w2"), name), "ode_sde"), *one;
  size_t i, rows = 0;
  fg_page_print(script, "$bias%d << EOD\n", (int)estimator);
  json_array_foreach((json_t *)fg_run_find(pair, "bias_curve"), i, one)
  {
    double n = fg_run_real(one, "rows"), squared = fg_run_real(one, "squared"), se = fg_run_real(one, "se");
    if (!(n > 0) || !(squared > 0)) continue;
    if (!isfinite(se)) se = 0;
    fg_page_print(script, "%.9g %.9g %.9g %.9g\n", n, sqrt(squared), sqrt(fmax(0, squared - se)),
                  sqrt(squared + se));
    *least = fmin(*least, n);
    *most = fmax(*most, n);
    *lowest = fmin(*lowest, sqrt(squared));
    rows++;
  }
  fg_page_put(script, "EOD\n");
  return rows;
}

void fg_plot_bias(const fg_run *run, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  size_t rows[FG_ESTIMATORS] = {0}, curves = 0, end = 0;
  double least = INFINITY, most = 0, lowest = INFINITY;
  for (int e = 0; e < FG_ESTIMATORS; e++)
    if (fg_estimator_is_w2((fg_estimator)e)) {
      rows[e] = bias_rows(run, script, (fg_estimator)e, &least, &most, &lowest);
      curves += rows[e] > 1;
    }
  if (!curves) return;
  fg_page_put(script, "$biasend << EOD\n");
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    if (rows[e] < 2) continue;
    const json_t *pair = fg_run_find(
        fg_run_find(fg_run_find(run->results, "w2"), fg_estimator_name((fg_estimator)e)), "ode_sde");
    double value = fg_run_real(pair, "extrapolated.value"), low = fg_run_real(pair, "ci_low");
    double high = fg_run_real(pair, "ci_high");
    if (!isfinite(value) || !isfinite(low) || !isfinite(high)) continue;
    /* side by side beyond the largest number of rows */
    fg_page_print(script, "%.9g %.9g %.9g %.9g %d\n", most * pow(2, 1.5 + 0.35 * (double)end++), value, low,
                  high, e);
  }
  fg_page_put(script, "EOD\n");
  plots->bias = true;
  fg_figures_begin(plots->figures, "bias", 460, 290);
  fg_plot_grid(script);
  fg_page_print(
      script,
      "set logscale x\nset xrange [%.9g:%.9g]\nset yrange [0:*]\nset xlabel 'rows of each law that enter' "
      "tc rgb " FG_INK "\nset ylabel '{/:Italic W}_2(ODE, SDE)' tc rgb " FG_INK "\n"
      "set key top right noenhanced\n",
      least / 1.3, most * 2 * pow(2, 1.5 + 0.35 * (double)end));
  const char *comma = "plot ";
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    if (rows[e] < 2) continue;
    fg_page_print(
        script,
        "%s$bias%d using 1:2:3:4 with yerrorlines lw 1.4 pt 7 ps 0.4 lc rgb '%s' title '%s', $biasend "
        "using ($5 == %d ? $1 : NaN):2:3:4 with yerrorbars lw 1.4 pt 6 ps 0.7 lc rgb '%s' notitle",
        comma, e, colors[e], fg_estimator_name((fg_estimator)e), e, colors[e]);
    comma = ", ";
  }
  fg_page_put(script, "\n");
}
