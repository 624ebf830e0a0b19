#include "analysis/report/plots.h"

#include <math.h>
#include <stdio.h>

#include "flowgap/distance.h"

/* W2 against the rows that enter, for each estimator of ODE against SDE, and at the right, above a tick of its own, what is
 * left of it at infinitely many rows. */
static const char *const colors[] = {"#010101", "#0072b2", "#009e73", "#d55e00", "#cc79a7", "#e69f00"};

typedef struct fg_bias_plot {
  size_t rows[FG_ESTIMATORS];
  bool end[FG_ESTIMATORS];
  size_t curves, ends;
  double least, most; /* rows of a law that enter */
} fg_bias_plot;

static const json_t *bias_pair(const fg_run *run, int estimator)
{
  return fg_run_find(fg_run_find(fg_run_find(run->results, "w2"), fg_estimator_name((fg_estimator)estimator)),
                     "ode_sde");
}

static size_t bias_rows(const fg_run *run, fg_page *script, int estimator, fg_bias_plot *b)
{
  const json_t *one;
  size_t i, rows = 0;
  fg_page_print(script, "$bias%d << EOD\n", estimator);
  json_array_foreach((json_t *)fg_run_find(bias_pair(run, estimator), "bias_curve"), i, one)
  {
    double n = fg_run_real(one, "rows"), squared = fg_run_real(one, "squared"), se = fg_run_real(one, "se");
    if (!(n > 0) || !(squared > 0)) continue;
    if (!isfinite(se)) se = 0;
    fg_page_print(script, "%.9g %.9g %.9g %.9g \"%.0f rows\"\n", n, sqrt(squared),
                  sqrt(fmax(0, squared - se)), sqrt(squared + se), n);
    b->least = fmin(b->least, n);
    b->most = fmax(b->most, n);
    rows++;
  }
  fg_page_put(script, "EOD\n");
  return rows;
}

/* Where the k-th end stands: side by side beyond the largest number of rows. */
static double end_place(const fg_bias_plot *b, double k)
{
  return b->most * pow(2, 1.5 + 0.35 * k);
}

static bool bias_end(const fg_run *run, fg_page *script, int estimator, fg_bias_plot *b)
{
  const json_t *pair = bias_pair(run, estimator);
  double value = fg_run_real(pair, "extrapolated.value"), low = fg_run_real(pair, "ci_low");
  double high = fg_run_real(pair, "ci_high");
  if (!isfinite(value) || !isfinite(low) || !isfinite(high)) return false;
  fg_page_print(script, "$biasend%d << EOD\n%.9g %.9g %.9g %.9g \"infinitely many rows\"\nEOD\n", estimator,
                end_place(b, (double)b->ends++), value, low, high);
  return true;
}

/* 1, 2, 5 times powers of ten (powers alone where there are many) up to the largest number of rows, and infinity. */
static void bias_ticks(fg_page *script, const fg_bias_plot *b)
{
  static const double factors[] = {1, 2, 5};
  const int each = b->most > 300 * b->least ? 1 : 3;
  const char *comma = "";
  fg_page_put(script, "set xtics (");
  for (double power = pow(10, floor(log10(b->least))); power <= b->most; power *= 10)
    for (int k = 0; k < each; k++) {
      double n = factors[k] * power;
      if (n < b->least / 1.2 || n > b->most * 1.05) continue;
      fg_page_print(script, "%s\"%.0f\" %.9g", comma, n, n);
      comma = ", ";
    }
  if (b->ends)
    fg_page_print(script, "%s\"\xe2\x88\x9e\" %.9g", comma, end_place(b, 0.5 * (double)(b->ends - 1)));
  fg_page_put(script, ")\n");
  if (b->ends) /* no number stands for what lies beyond */
    fg_page_print(script,
                  "set arrow from %.9g, graph 0 to %.9g, graph 0.5 nohead dt (2,3) lw 0.8 lc rgb " FG_MUTED
                  "\n",
                  b->most * 1.6, b->most * 1.6);
}

static void bias_tell(fg_plots *plots, int estimator, const char *what)
{
  char block[24];
  snprintf(block, sizeof block, "%s%d", what, estimator);
  fg_figures_series(plots->figures, &(fg_series){.label = fg_estimator_name((fg_estimator)estimator),
                                                 .block = block,
                                                 .x = 1,
                                                 .y = 2,
                                                 .low = 3,
                                                 .high = 4,
                                                 .name = 5});
}

static void bias_draw(fg_plots *plots, const fg_bias_plot *b)
{
  fg_page *script = fg_figures_script(plots->figures);
  const char *comma = "plot ";
  fg_plot_grid(script);
  fg_page_print(
      script,
      "set logscale x\nset xrange [%.9g:%.9g]\nset yrange [0:*]\nset xlabel 'rows of each law that enter' "
      "tc rgb " FG_INK "\nset ylabel '{/:Italic W}_2(ODE, SDE)' tc rgb " FG_INK "\n"
      "set key top right noenhanced\n",
      b->least / 1.3, b->ends ? end_place(b, (double)b->ends) * 1.3 : 1.3 * b->most);
  bias_ticks(script, b);
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    if (b->rows[e] < 2) continue;
    fg_page_print(script,
                  "%s$bias%d using 1:2:3:4 with yerrorlines lw 1.4 pt 7 ps 0.4 lc rgb '%s' title '%s'", comma,
                  e, colors[e], fg_estimator_name((fg_estimator)e));
    if (b->end[e])
      fg_page_print(script,
                    ", $biasend%d using 1:2:3:4 with yerrorbars lw 1.4 pt 6 ps 0.7 lc rgb '%s' notitle", e,
                    colors[e]);
    comma = ", ";
  }
  fg_page_put(script, "\n");
}

void fg_plot_bias(const fg_run *run, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  fg_bias_plot b = {.least = INFINITY};
  for (int e = 0; e < FG_ESTIMATORS; e++)
    if (fg_estimator_is_w2((fg_estimator)e)) {
      b.rows[e] = bias_rows(run, script, e, &b);
      b.curves += b.rows[e] > 1;
    }
  if (!b.curves) return;
  for (int e = 0; e < FG_ESTIMATORS; e++) b.end[e] = b.rows[e] > 1 && bias_end(run, script, e, &b);
  plots->bias = true;
  fg_figures_begin(plots->figures, "bias", 460, 290);
  bias_draw(plots, &b);
  fg_figures_axes(plots->figures, "", FG_W2_PLAIN "(ODE, SDE)", false);
  fg_figures_fixed(plots->figures);
  for (int e = 0; e < FG_ESTIMATORS; e++) {
    if (b.rows[e] > 1) bias_tell(plots, e, "bias");
    if (b.end[e]) bias_tell(plots, e, "biasend");
  }
}
