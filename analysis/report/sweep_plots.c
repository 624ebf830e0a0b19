#include <math.h>
#include <stdio.h>

#include "analysis/report/plots.h"
#include "analysis/report/sweep.h"

static const char *const colors[FG_SWEEP_PAIRS] = {FG_INK, FG_ODE, FG_SDE};
static const int shapes[FG_SWEEP_LINES] = {7, 5, 9, 13, 6, 4, 8, 12};

/* Text of the user between quotes: what gnuplot would read is replaced. */
static void put_word(fg_page *script, const char *text)
{
  char safe[25];
  size_t used = 0;
  for (; *text && used + 1 < sizeof safe; text++) {
    unsigned char c = (unsigned char)*text;
    safe[used++] = c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '\'' || c == '`' ? '?' : *text;
  }
  safe[used] = 0;
  fg_page_print(script, "\"%s\"", safe);
}

static void put_places(fg_page *script, const fg_sweep_view *view)
{
  const json_t *values = fg_run_find(json_array_get(view->grid, 0), "values");
  fg_page_put(script, "set xtics noenhanced (");
  for (size_t i = 0; i < view->places; i++) {
    const char *value = json_string_value(json_array_get(values, i));
    if (i) fg_page_put(script, ", ");
    put_word(script, value ? value : "");
    fg_page_print(script, " %zu", i);
  }
  fg_page_print(script, ")\nset xrange [-0.4:%g]\nset xlabel ", (double)view->places - 0.6);
  put_word(script, view->key);
  fg_page_put(script, " noenhanced tc rgb " FG_INK "\nset grid ytics lt 1 lw 0.6 lc rgb " FG_RULE "\n");
}

/* Rows "place value low high name" of one line, moved by `shift`, in the order of the axis, as the data block $name-line-k. */
typedef double fg_sweep_take(const fg_sweep_view *view, const json_t *member, int which, double *low,
                             double *high);

static double take_distance(const fg_sweep_view *view, const json_t *member, int pair, double *low,
                            double *high)
{
  const json_t *one = fg_sweep_estimate(view, member, pair);
  *low = fg_run_real(one, "ci_low");
  *high = fg_run_real(one, "ci_high");
  return fg_run_real(one, "value");
}

static double take_floor(const fg_sweep_view *view, const json_t *member, int pair, double *low, double *high)
{
  *low = *high = (double)NAN;
  return fg_run_real(fg_sweep_estimate(view, member, pair), "floor");
}

/* 0: on the paths of the comparison, 1: at the points of the training; two standard errors, on a log axis. */
static double take_residual(const fg_sweep_view *view, const json_t *member, int which, double *low,
                            double *high)
{
  double se = fg_run_real(member, "residual.mean_square_se"),
         value = fg_run_real(member, "residual.mean_square");
  (void)view;
  if (which == 1) value = fg_sweep_trained_residual(member, &se);
  *low = fmax(value - 2 * se, 0.2 * value);
  *high = value + 2 * se;
  return value > 0 ? value : NAN;
}

static size_t put_block(fg_page *script, const fg_sweep_view *view, const char *name, fg_sweep_take *take,
                        int which, size_t line, double shift)
{
  size_t rows = 0;
  const json_t *entry = json_array_get(view->grid, 0);
  fg_page_print(script, "$%s_%d_%zu << EOD\n", name, which, line);
  for (size_t place = 0; place < view->places; place++)
    for (size_t k = 0; k < json_array_size(view->members); k++) {
      const json_t *member = json_array_get(view->members, k);
      double low, high, value = take(view, member, which, &low, &high);
      if (fg_sweep_place(view, member) != place || fg_sweep_line(view, member) != line || !isfinite(value))
        continue;
      fg_page_print(script, "%.4f %.9g %.9g %.9g ", (double)place + shift, value, isfinite(low) ? low : value,
                    isfinite(high) ? high : value);
      put_word(script, fg_sweep_value(member, entry));
      fg_page_put(script, "\n");
      rows++;
    }
  fg_page_put(script, "EOD\n");
  return rows;
}

/* Curves `which` of 0 .. count - 1, a little beside one another so that their intervals are seen. */
static bool put_curves(fg_page *script, const fg_sweep_view *view, const char *name, fg_sweep_take *take,
                       int count, const char *const *color, fg_page *plot)
{
  size_t lines = view->lines < FG_SWEEP_LINES ? view->lines : FG_SWEEP_LINES, drawn = 0;
  for (int which = 0; which < count; which++)
    for (size_t line = 0; line < lines; line++) {
      double shift = 0.045 * (which - 0.5 * (count - 1)) + 0.02 * ((double)line - 0.5 * ((double)lines - 1));
      if (!put_block(script, view, name, take, which, line, shift)) continue;
      fg_page_print(plot,
                    "%s$%s_%d_%zu using 1:2:3:4 with yerrorbars pt %d ps 0.6 lw 1.5 lc rgb %s, "
                    "'' using 1:2 with lines lw 1.2 lc rgb %s",
                    drawn++ ? ", " : "plot ", name, which, line, shapes[line], color[which], color[which]);
    }
  return drawn > 0;
}

/* The curves that put_curves drew, for the read-out. */
static void tell_curves(fg_figures *figures, const fg_sweep_view *view, const char *name,
                        const char *const *labels, int count, const char *value)
{
  size_t lines = view->lines < FG_SWEEP_LINES ? view->lines : FG_SWEEP_LINES;
  char block[64];
  fg_figures_axes(figures, "", value, false);
  fg_figures_fixed(figures);
  for (int which = 0; which < count; which++)
    for (size_t line = 0; line < lines; line++) {
      snprintf(block, sizeof block, "%s_%d_%zu", name, which, line);
      fg_figures_series(
          figures,
          &(fg_series){
              .label = labels[which], .block = block, .x = 1, .y = 2, .low = 3, .high = 4, .name = 5});
    }
}

static void plot_distances(fg_sweep_view *view, fg_page *script, fg_figures *figures)
{
  static const char *const pairs[FG_SWEEP_PAIRS] = {"ODE \xe2\x80\x93 SDE", "ODE \xe2\x80\x93 target",
                                                    "SDE \xe2\x80\x93 target"};
  fg_page plot = {0};
  bool floors = put_block(script, view, "floor", take_floor, 0, 0, 0) > 0;
  view->distances = put_curves(script, view, "distance", take_distance, FG_SWEEP_PAIRS, colors, &plot);
  if (view->distances) {
    fg_figures_begin(figures, "sweep-distances", 460, 320);
    put_places(script, view);
    fg_page_put(script, "set yrange [0:*]\nset ylabel '{/:Italic W}_2' tc rgb " FG_INK "\n");
    fg_page_bytes(script, plot.text, plot.used);
    if (floors) fg_page_put(script, ", $floor_0_0 using 1:2 with lines lw 1.2 dt (5,4) lc rgb " FG_MUTED);
    fg_page_put(script, "\n");
    tell_curves(figures, view, "distance", pairs, FG_SWEEP_PAIRS, FG_W2_PLAIN);
  }
  script->failed = script->failed || plot.failed;
  fg_page_clear(&plot);
}

static void plot_residual(fg_sweep_view *view, fg_page *script, fg_figures *figures)
{
  static const char *const two[] = {FG_SDE, FG_MUTED};
  static const char *const sources[] = {"paths", "training"};
  fg_page plot = {0};
  view->residual = put_curves(script, view, "residual", take_residual, 2, two, &plot);
  for (size_t k = 0; k < json_array_size(view->members); k++) {
    double se;
    view->box = view->box || isfinite(fg_sweep_trained_residual(json_array_get(view->members, k), &se));
  }
  if (view->residual) {
    fg_figures_begin(figures, "sweep-residual", 460, 320);
    put_places(script, view);
    fg_page_put(script,
                "set logscale y\nset format y '10^{%T}'\nset ylabel 'mean of {/:Italic R}^2' tc rgb " FG_INK
                "\n");
    fg_page_bytes(script, plot.text, plot.used);
    fg_page_put(script, "\n");
    tell_curves(figures, view, "residual", sources, 2, "mean of R\xc2\xb2");
  }
  script->failed = script->failed || plot.failed;
  fg_page_clear(&plot);
}

/* Gap across, quality up; every point carries its value. */
static void plot_trade(fg_sweep_view *view, fg_page *script, fg_figures *figures)
{
  size_t lines = view->lines < FG_SWEEP_LINES ? view->lines : FG_SWEEP_LINES, rows = 0;
  for (size_t line = 0; line < lines; line++) {
    fg_page_print(script, "$trade_%zu << EOD\n", line);
    for (size_t place = 0; place < view->places; place++)
      for (size_t k = 0; k < json_array_size(view->members); k++) {
        const json_t *member = json_array_get(view->members, k);
        double xl, xh, yl, yh, x = take_distance(view, member, 0, &xl, &xh),
                               y = take_distance(view, member, 2, &yl, &yh);
        if (fg_sweep_place(view, member) != place || fg_sweep_line(view, member) != line) continue;
        if (!isfinite(x) || !isfinite(y)) continue;
        fg_page_print(script, "%.9g %.9g %.9g %.9g %.9g %.9g ", x, y, isfinite(xl) ? xl : x,
                      isfinite(xh) ? xh : x, isfinite(yl) ? yl : y, isfinite(yh) ? yh : y);
        put_word(script, fg_sweep_value(member, json_array_get(view->grid, 0)));
        fg_page_print(script, " %zu\n", place);
        rows++;
      }
    fg_page_put(script, "EOD\n");
  }
  if (rows < 2) return;
  view->trade = true;
  fg_figures_begin(figures, "sweep-trade", 460, 320);
  fg_page_put(script,
              "set xrange [0:*]\nset yrange [0:*]\nset xlabel '{/:Italic W}_2(ODE, SDE)' tc rgb " FG_INK
              "\nset ylabel '{/:Italic W}_2(SDE, target)' tc rgb " FG_INK
              "\nset grid xtics ytics lt 1 lw 0.6 lc rgb " FG_RULE "\n");
  for (size_t line = 0; line < lines; line++)
    fg_page_print(
        script,
        "%s$trade_%zu using 1:2 with lines lw 1.2 lc rgb %s, '' using 1:2:3:4:5:6 with xyerrorbars pt "
        "%d ps 0.6 lw 1.5 lc rgb %s, '' using 1:2:7 with labels noenhanced offset 0.6,0.6 left tc rgb %s",
        line ? ", " : "plot ", line, FG_MUTED, shapes[line], FG_INK, FG_INK);
  fg_page_put(script, "\n");
  fg_figures_axes(figures, FG_W2_PLAIN "(ODE, SDE)", FG_W2_PLAIN "(SDE, target)", false);
  for (size_t line = 0; line < lines; line++) {
    char block[32];
    snprintf(block, sizeof block, "trade_%zu", line);
    fg_figures_series(
        figures, &(fg_series){.label = "", .block = block, .x = 1, .y = 2, .low = 5, .high = 6, .name = 7});
  }
}

void fg_sweep_plots(fg_sweep_view *view, fg_page *script, fg_figures *figures)
{
  plot_distances(view, script, figures);
  plot_residual(view, script, figures);
  if (view->distances) plot_trade(view, script, figures);
}
