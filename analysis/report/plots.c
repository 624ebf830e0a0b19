#include "analysis/report/plots.h"

#include <stdlib.h>

fg_code fg_plots_make(const fg_run *run, fg_plots *plots, fg_status *st)
{
  fg_code rc = FG_OK;
  *plots = (fg_plots){0};
  FG_GO(fg_figures_create(&plots->figures, st), done);
  if (run->residual) {
    fg_plot_profiles(run, plots);
    FG_GO(fg_plot_maps(run, plots, st), done);
    FG_GO(fg_figures_run(plots->figures, st), done);
    return FG_OK;
  }
  fg_plot_training(run, plots);
  if (run->train) {
    FG_GO(fg_figures_run(plots->figures, st), done);
    return FG_OK;
  }
  FG_GO(fg_plot_densities(run, plots, st), done);
  FG_GO(fg_plot_frames(run, plots, st), done);
  fg_plot_estimates(run, plots);
  fg_plot_budget(run, plots);
  fg_plot_bias(run, plots);
  fg_plot_gap_time(run, plots);
  fg_plot_residual(run, plots);
  fg_plot_certificate(run, plots);
  fg_plot_lambda(run, plots);
  fg_plot_paths(run, plots);
  fg_plot_solver(run, plots);
  FG_GO(fg_figures_run(plots->figures, st), done);
done:
  if (rc != FG_OK) fg_plots_clear(plots);
  return rc;
}

void fg_plots_clear(fg_plots *plots)
{
  for (int k = 0; k < FG_MAPS; k++) fg_map_clear(&plots->map[k]);
  free(plots->gap.value);
  fg_figures_destroy(&plots->figures);
  *plots = (fg_plots){0};
}
