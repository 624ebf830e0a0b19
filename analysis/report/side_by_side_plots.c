/* Figures of several runs on common axes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/report/side.h"

enum { NAME_MOST = 15 }; /* characters of a name below an axis */

static const char *const colors[FG_SIDE_COLORS] = {
    FG_ODE, FG_SDE, FG_TARGET, "\"#cc79a7\"", "\"#b58900\"", "\"#56b4e9\"", "\"#8c510a\"", "\"#7f7f7f\""};

const char *fg_side_color(size_t run)
{
  return colors[run % FG_SIDE_COLORS];
}

int fg_side_dash(size_t run)
{
  return (int)(run / FG_SIDE_COLORS % 4) + 1;
}

void fg_side_legend(const fg_side *s, const bool drawn[FG_SIDE_RUNS], fg_page *page)
{
  static const char *const known[] = {"ode", "sde", "target"};
  for (size_t k = 0; k < s->count; k++) {
    size_t color = k % FG_SIDE_COLORS;
    if (!drawn[k]) continue;
    if (color < 3)
      fg_page_print(page, "<span class=\"%s%s\">", known[color], k >= FG_SIDE_COLORS ? " dash" : "");
    else
      fg_page_print(page, "<span class=\"run%s\" style=\"--c:%.7s\">", k >= FG_SIDE_COLORS ? " dash" : "",
                    colors[color] + 1);
    fg_page_text(page, s->of[k].name);
    fg_page_put(page, "</span>");
  }
}

/* ---- distances ----------------------------------------------------------------------------------------- */

static const char *const pairs[] = {"ode_sde", "ode_target", "sde_target"};
static const char *const pair_colors[] = {FG_INK, FG_ODE, FG_SDE};

/* The runs of one axis, in their order. */
typedef struct fg_side_places {
  size_t run[FG_SIDE_RUNS], count;
} fg_side_places;

static fg_side_places places_of(const fg_side *s, const char *estimator)
{
  fg_side_places places = {.count = 0};
  for (size_t k = 0; k < s->count; k++) {
    const json_t *all = fg_run_find(fg_run_find(s->of[k].run->results, "w2"), estimator);
    bool any = false;
    for (int p = 0; p < 3; p++) any = any || isfinite(fg_run_real(fg_run_find(all, pairs[p]), "value"));
    if (any) places.run[places.count++] = k;
  }
  return places;
}

static double pair_shift(int pair)
{
  return 0.18 * (pair - 1);
}

/* Rows "place value low high floor name" of one pair. */
static size_t put_pair(const fg_side *s, const fg_side_places *places, fg_page *script, const char *estimator,
                       int pair)
{
  size_t rows = 0;
  fg_page_print(script, "$side_%s_%d << EOD\n", estimator, pair);
  for (size_t k = 0; k < places->count; k++) {
    const json_t *all = fg_run_find(fg_run_find(s->of[places->run[k]].run->results, "w2"), estimator);
    const json_t *one = fg_run_find(all, pairs[pair]);
    double value = fg_run_real(one, "value"), low = fg_run_real(one, "ci_low"),
           high = fg_run_real(one, "ci_high");
    if (!isfinite(value)) continue;
    fg_page_print(script, "%.9g %.9g %.9g %.9g %.9g \"%s\"\n", (double)k + pair_shift(pair), value,
                  isfinite(low) ? low : value, isfinite(high) ? high : value, fg_run_real(one, "floor"),
                  s->of[places->run[k]].name);
    rows++;
  }
  fg_page_put(script, "EOD\n");
  return rows;
}

/* Do the names of the runs need more room than the axis has? */
static bool aslant(const fg_side *s, const fg_side_places *places)
{
  size_t longest = 0;
  for (size_t k = 0; k < places->count; k++) {
    size_t length = strlen(s->of[places->run[k]].name);
    if (length > longest) longest = length < NAME_MOST ? length : NAME_MOST;
  }
  return places->count * (longest + 1) > 50;
}

/* Names of the runs below the axis, aslant where there is much to say. */
static void put_names(const fg_side *s, const fg_side_places *places, fg_page *script)
{
  bool slope = aslant(s, places);
  fg_page_print(script, "set xrange [-0.5:%zu.5]\nset xtics noenhanced %s(", places->count - 1,
                slope ? "rotate by 35 right " : "");
  for (size_t k = 0; k < places->count; k++) {
    /* names of a series differ at their ends */
    const char *name = s->of[places->run[k]].name;
    size_t length = strlen(name), cut = length > NAME_MOST ? length - (NAME_MOST - 1) : 0;
    fg_page_print(script, "%s\"%s%s\" %zu", k ? ", " : "", cut ? "~" : "", name + cut, k);
  }
  fg_page_put(script, ")\n");
  if (slope) fg_page_put(script, "set bmargin 6\nset lmargin 14\n");
}

static void tell_distances(const fg_side *s, const char *estimator, const size_t rows[3])
{
  static const char *const labels[] = {"ODE and SDE", "ODE and target", "SDE and target"};
  char block[64];
  fg_figures_axes(s->report.plots->figures, "", FG_W2_PLAIN, false);
  fg_figures_fixed(s->report.plots->figures);
  for (int p = 0; p < 3; p++) {
    if (!rows[p]) continue;
    snprintf(block, sizeof block, "side_%s_%d", estimator, p);
    fg_figures_series(
        s->report.plots->figures,
        &(fg_series){
            .label = labels[p], .block = block, .x = 1, .y = 2, .low = 3, .high = 4, .floor = 5, .name = 6});
  }
}

static void plot_distances(fg_side *s, int e)
{
  const char *estimator = fg_side_estimators[e];
  fg_figures *figures = s->report.plots->figures;
  fg_page *script = fg_figures_script(figures);
  size_t rows[3], all = 0, shown = 0;
  char name[64];
  fg_side_places places = places_of(s, estimator);
  for (int p = 0; p < 3; p++) all += rows[p] = put_pair(s, &places, script, estimator, p);
  if (!all) return;
  s->distances[e] = true;
  snprintf(name, sizeof name, "side-distances-%s", estimator);
  for (char *at = name; *at; at++)
    if (*at == '_') *at = '-';
  fg_figures_begin(figures, name, 460, aslant(s, &places) ? 350 : 300);
  put_names(s, &places, script);
  fg_plot_grid(script);
  fg_page_put(script, "set yrange [0:*]\nset ylabel '{/:Italic W}_2' tc rgb " FG_INK "\nplot ");
  for (int p = 0; p < 3; p++) {
    if (!rows[p]) continue;
    fg_page_print(script,
                  "%s$side_%s_%d using ($1-0.08):5:(0.16):(0) with vectors nohead lw 2 lc rgb " FG_MUTED
                  ", '' using 1:2:3:4 with yerrorbars pt 7 ps 0.55 lw 1.6 lc rgb %s",
                  shown++ ? ", " : "", estimator, p, pair_colors[p]);
  }
  fg_page_put(script, "\n");
  tell_distances(s, estimator, rows);
}

/* ---- lines over time, lambda or the steps of a training ------------------------------------------------------- */

/* Ranges of what is drawn. */
typedef struct fg_side_span {
  double x[2], y[2];
} fg_side_span;

/* Rows "x value" of one run. Returns the number of rows. */
typedef size_t fg_side_rows(const fg_run *run, fg_page *script, fg_side_span *span);

static void put_row(fg_page *script, double x, double y, fg_side_span *span)
{
  fg_page_print(script, "%.9g %.9g\n", x, y);
  span->x[0] = fmin(span->x[0], x);
  span->x[1] = fmax(span->x[1], x);
  span->y[0] = fmin(span->y[0], y);
  span->y[1] = fmax(span->y[1], y);
}

static size_t rows_gap_time(const fg_run *run, fg_page *script, fg_side_span *span)
{
  const json_t *one;
  size_t i, rows = 0;
  json_array_foreach((json_t *)fg_run_find(run->results, "snapshots"), i, one)
  {
    double t = fg_run_real(one, "t"), value = fg_run_real(one, "w2_ode_sde.value");
    if (!(t > 0) || !isfinite(value)) continue;
    put_row(script, t, value, span);
    rows++;
  }
  return rows;
}

static size_t rows_lambda(const fg_run *run, fg_page *script, fg_side_span *span)
{
  static const char *const order[] = {"grid", "exact", "gaussian", "sliced"};
  const json_t *point;
  size_t i, rows = 0;
  json_array_foreach((json_t *)fg_run_find(run->results, "lambda_curve"), i, point)
  {
    const json_t *one = NULL;
    for (int k = 0; !one && k < 4; k++) one = fg_run_find(fg_run_find(point, "w2"), order[k]);
    double lambda = fg_run_real(point, "lambda"), value = fg_run_real(one, "value");
    if (!isfinite(lambda) || !isfinite(value)) continue;
    put_row(script, lambda, value, span);
    rows++;
  }
  return rows;
}

/* A run of `flowgap residual` has one profile for each measure: that of its headline figure. */
static const json_t *residual_profile(const fg_run *run)
{
  const json_t *own = fg_run_find(run->results, "residual.profile");
  const char *measure = fg_run_word(run->results, "residual.measure", "");
  if (own) return own;
  return fg_run_find(fg_run_find(fg_run_find(run->results, "residual.measures"), measure), "profile");
}

static size_t rows_residual(const fg_run *run, fg_page *script, fg_side_span *span)
{
  const json_t *one;
  size_t i, rows = 0;
  json_array_foreach((json_t *)residual_profile(run), i, one)
  {
    double t = fg_run_real(one, "t"), square = fg_run_real(one, "mean_square");
    if (!(t > 0) || !(square > 0) || !isfinite(square)) continue; /* logarithmic axes */
    put_row(script, t, square, span);
    rows++;
  }
  return rows;
}

/* `list` and `key` of the record of a training, against its steps. */
static size_t rows_training(const fg_run *run, const char *list, const char *key, fg_page *script,
                            fg_side_span *span)
{
  const json_t *one;
  size_t i, rows = 0;
  json_array_foreach((json_t *)fg_run_find(run->training, list), i, one)
  {
    double step = fg_run_real(one, "step"), value = fg_run_real(one, key);
    if (!isfinite(step) || !isfinite(value)) continue;
    put_row(script, step, value, span);
    rows++;
  }
  return rows;
}

static size_t rows_loss(const fg_run *run, fg_page *script, fg_side_span *span)
{
  return rows_training(run, "curve", "loss", script, span);
}

static size_t rows_trained_residual(const fg_run *run, fg_page *script, fg_side_span *span)
{
  return rows_training(run, "curve", "residual", script, span);
}

static size_t rows_log_z(const fg_run *run, fg_page *script, fg_side_span *span)
{
  return rows_training(run, "evaluations", "log_z_is", script, span);
}

static size_t rows_ess(const fg_run *run, fg_page *script, fg_side_span *span)
{
  return rows_training(run, "evaluations", "ess", script, span);
}

/* One line for each run with at least two points; false when there is none. */
static bool put_lines(const fg_side *s, const char *block, fg_side_rows *take, bool marks, fg_page *plot,
                      fg_side_span *span, fg_side_lines *lines)
{
  fg_page *script = fg_figures_script(s->report.plots->figures);
  size_t shown = 0;
  *span = (fg_side_span){{INFINITY, -INFINITY}, {INFINITY, -INFINITY}};
  for (size_t k = 0; k < s->count; k++) {
    fg_page_print(script, "$%s_%zu << EOD\n", block, k);
    size_t rows = take(s->of[k].run, script, span);
    fg_page_put(script, "EOD\n");
    lines->of[k] = rows >= 2;
    if (rows < 2) continue;
    fg_page_print(plot, "%s$%s_%zu using 1:2 with lines%s lw 1.6 dt %d lc rgb %s", shown++ ? ", " : "plot ",
                  block, k, marks ? "points pt 7 ps 0.4" : "", fg_side_dash(k), fg_side_color(k));
  }
  return shown > 0 && span->x[1] > span->x[0];
}

typedef enum fg_side_axis { FG_SIDE_TIME, FG_SIDE_LAMBDA, FG_SIDE_STEP } fg_side_axis;

/* A figure in which runs are lines; `log_auto`: a logarithmic axis up where the values are positive and far apart. */
typedef struct fg_side_figure {
  const char *name, *block;
  fg_side_rows *take;
  fg_side_axis axis;
  bool marks, log_auto;
  const char *axes; /* for gnuplot */
  const char *told; /* name of the value in the read-out */
} fg_side_figure;

static const fg_side_figure side_figures[FG_SIDE_LINES] = {
    [FG_SIDE_GAP_TIME] = {"side-gap-time", "side_gap", rows_gap_time, FG_SIDE_TIME, true, false,
                          "set yrange [0:*]\nset ylabel '{/:Italic W}_2(ODE, SDE)' tc rgb " FG_INK "\n",
                          FG_W2_PLAIN "(ODE, SDE)"},
    [FG_SIDE_CURVE] = {"side-lambda", "side_lambda", rows_lambda, FG_SIDE_LAMBDA, true, false,
                       "set yrange [0:*]\nset ylabel '{/:Italic W}_2 to the ODE' tc rgb " FG_INK "\n",
                       FG_W2_PLAIN},
    [FG_SIDE_PROFILE] = {"side-residual", "side_residual", rows_residual, FG_SIDE_TIME, true, false,
                         "set logscale y\nset format y '10^{%T}'\nset ylabel 'mean of {/:Italic R}^2' tc "
                         "rgb " FG_INK "\n",
                         "mean square"},
    [FG_SIDE_LOSS] = {"side-loss", "side_loss", rows_loss, FG_SIDE_STEP, false, true,
                      "set ylabel 'loss' tc rgb " FG_INK "\n", "loss"},
    [FG_SIDE_LOG_Z] = {"side-log-z", "side_log_z", rows_log_z, FG_SIDE_STEP, true, false,
                       "set ylabel 'log {/:Italic Z}' tc rgb " FG_INK "\n", "log Z"},
    [FG_SIDE_ESS] = {"side-ess", "side_ess", rows_ess, FG_SIDE_STEP, true, false,
                     "set yrange [0:1]\nset ylabel 'effective share of the sample' tc rgb " FG_INK "\n",
                     "ESS / n"},
    [FG_SIDE_TRAINED] = {"side-trained-residual", "side_trained", rows_trained_residual, FG_SIDE_STEP, false,
                         true, "set ylabel 'mean square of the residual' tc rgb " FG_INK "\n", "mean square"},
};

static void tell_lines(const fg_side *s, const fg_side_figure *f, const fg_side_lines *lines)
{
  static const char *const axes[] = {"t", "\xce\xbb", "step"};
  char block[64];
  fg_figures_axes(s->report.plots->figures, axes[f->axis], f->told, false);
  for (size_t k = 0; k < s->count; k++) {
    if (!lines->of[k]) continue;
    snprintf(block, sizeof block, "%s_%zu", f->block, k);
    fg_figures_series(s->report.plots->figures,
                      &(fg_series){.label = s->of[k].name, .block = block, .x = 1, .y = 2});
  }
}

static fg_side_lines plot_lines(const fg_side *s, const fg_side_figure *f)
{
  fg_page *script = fg_figures_script(s->report.plots->figures);
  fg_page plot = {0};
  fg_side_span span;
  fg_side_lines lines = {0};
  lines.drawn = put_lines(s, f->block, f->take, f->marks, &plot, &span, &lines);
  if (lines.drawn) {
    double room = 0.02 * (span.x[1] - span.x[0]);
    fg_figures_begin(s->report.plots->figures, f->name, 460, 290);
    if (f->axis == FG_SIDE_TIME)
      fg_plot_time_axis(script, span.x[0], span.x[1]);
    else
      fg_page_print(script, "set xrange [%.9g:%.9g]\nset xlabel '%s' tc rgb " FG_INK "\n", span.x[0] - room,
                    span.x[1] + room,
                    f->axis == FG_SIDE_STEP ? "step of the training" : "{/:Italic \xce\xbb}");
    fg_plot_grid(script);
    if (f->log_auto && span.y[0] > 0 && span.y[1] > 20 * span.y[0]) fg_plot_log_y(script);
    fg_page_put(script, f->axes);
    fg_page_bytes(script, plot.text, plot.used);
    fg_page_put(script, "\n");
    tell_lines(s, f, &lines);
  }
  script->failed = script->failed || plot.failed;
  fg_page_clear(&plot);
  return lines;
}

void fg_side_tell_curves(const fg_side *s, const bool of[FG_SIDE_RUNS], const char *prefix)
{
  static const char *const laws[] = {"sde", "ode"}, *const names[] = {"SDE", "ODE"};
  char block[64], label[FG_SIDE_NAME + 8];
  fg_figures_axes(s->report.plots->figures, "x", "density", false);
  for (size_t k = 0; k < s->count; k++)
    for (int law = 0; of[k] && law < 2; law++) {
      snprintf(block, sizeof block, "%s_%s_%zu", prefix, laws[law], k);
      snprintf(label, sizeof label, "%s, %s", s->of[k].name, names[law]);
      fg_figures_series(s->report.plots->figures,
                        &(fg_series){.label = label, .block = block, .x = 1, .y = 2});
    }
}

void fg_side_plots(fg_side *s)
{
  for (int e = 0; e < FG_SIDE_ESTIMATORS; e++) plot_distances(s, e);
  for (int k = 0; k < FG_SIDE_LINES; k++) s->lines[k] = plot_lines(s, &side_figures[k]);
}
