/* The error budget as bars from the measured distance down to the model's own gap. */
#include "analysis/report/plots.h"

#include <math.h>
#include <string.h>

typedef struct fg_bar {
  double from, to, low, high; /* low, high: of `to` */
  unsigned color;
  double told, told_low, told_high; /* what the reader is told who points at it: of a part, what it adds */
} fg_bar;

static void script_bar(fg_page *script, int row, const fg_bar *bar, const char *label, const char *what)
{
  fg_page_print(script, "%d %.9g %.9g %.9g %.9g %u \"%s\" %.9g %.9g %.9g \"%s%s\"\n", row, bar->from, bar->to,
                bar->low, bar->high, bar->color, label, bar->told, bar->told_low, bar->told_high, label,
                what);
}

/* A part that adds to the distance leads down, one that hides some of it leads up. */
static int script_parts(const fg_run *run, fg_page *script, double *level, double *most)
{
  static const char *const names[] = {"sde_step", "ode_tolerance", "prior", "finite_sample"};
  static const char *const labels[] = {"SDE time step", "ODE tolerance", "prior", "finite sample"};
  static const unsigned colors[] = {0xd55e00, 0x0072b2, 0x009e73, 0x030303};
  const json_t *part;
  size_t i;
  int row = 1;
  json_array_foreach((json_t *)fg_run_find(run->results, "budget.parts"), i, part)
  {
    const char *name = fg_run_word(part, "name", "");
    double value = fg_run_real(part, "value"), at = *level;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
      if (strcmp(name, names[k]) != 0 || !isfinite(value)) continue;
      double low = fg_run_real(part, "low"), high = fg_run_real(part, "high");
      const fg_bar bar = {at,
                          at - value,
                          isfinite(high) ? at - high : at - value,
                          isfinite(low) ? at - low : at - value,
                          colors[k],
                          value,
                          low,
                          high};
      script_bar(script, row++, &bar, labels[k], " adds");
      *level = bar.to;
      *most = fmax(*most, fmax(bar.to, bar.high));
    }
  }
  return row;
}

void fg_plot_budget(const fg_run *run, fg_plots *plots)
{
  fg_page *script = fg_figures_script(plots->figures);
  const json_t *gap = fg_run_find(run->results, "budget.gap");
  double naive = fg_run_real(run->results, "budget.naive"), value = fg_run_real(gap, "value");
  double low = fg_run_real(gap, "low"), high = fg_run_real(gap, "high"), level = naive;
  if (!(naive > 0) || !isfinite(value) || !isfinite(low) || !isfinite(high)) return;
  double most = fmax(naive, high);
  const fg_bar measured = {0, naive, naive, naive, 0x010101, naive, NAN, NAN},
               own = {0, value, low, high, 0x010101, value, low, high};
  fg_page_put(script, "$budget << EOD\n");
  script_bar(script, 0, &measured, "measured", "");
  int rows = script_parts(run, script, &level, &most);
  script_bar(script, rows++, &own, "the model\xe2\x80\x99s own gap", "");
  fg_page_put(script, "EOD\n");
  plots->budget = true;
  int height = 62 + 26 * rows;
  fg_figures_begin(plots->figures, "budget", 520, height);
  fg_page_print(script,
                "set xrange [0:%.9g]\nset yrange [%g:-0.6]\nset border 1\nset lmargin at screen 0.3\n"
                "set tmargin at screen %.6f\nset bmargin at screen %.6f\n"
                "set xlabel '{/:Italic W}_2' tc rgb " FG_INK "\nset ytics scale 0\n"
                "set grid xtics lt 1 lw 0.6 lc rgb " FG_RULE "\n",
                1.04 * most, rows - 0.4, 1 - 8.0 / height, 52.0 / height);
  fg_page_put(script, "set style fill transparent solid 0.55 noborder\n"
                      "plot $budget using 2:1:2:3:($1-0.3):($1+0.3):6:ytic(7) with boxxyerror lc rgb variable"
                      ", $budget using 3:($1+0.3):(0):($1 < ");
  fg_page_print(script, "%d ? 0.4 : 0) with vectors nohead lw 0.8 lc rgb " FG_MUTED, rows - 1);
  fg_page_put(script,
              ", $budget using 4:1:($5-$4):(0) with vectors nohead lw 1.8 lc rgb " FG_INK
              ", $budget using 4:($1-0.13):(0):(0.26) with vectors nohead lw 1.8 lc rgb " FG_INK
              ", $budget using 5:($1-0.13):(0):(0.26) with vectors nohead lw 1.8 lc rgb " FG_INK "\n");
  fg_figures_axes(plots->figures, FG_W2_PLAIN, "", true);
  fg_figures_fixed(plots->figures);
  fg_figures_series(
      plots->figures,
      &(fg_series){
          .label = "", .block = "budget", .x = 3, .y = 1, .low = 9, .high = 10, .name = 11, .value = 8});
}
