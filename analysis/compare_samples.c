/* samples.h5 of a comparison: the laws, their common starts, snapshots, trajectories. */
#include "compare_impl.h"

#include <stdlib.h>

#include "base/hdf5.h"
#include "base/run_directory.h"

static fg_code fg_save_rows(fg_h5 *file, const char *name, const double *x, size_t n, size_t d, fg_status *st)
{
  const size_t shape[2] = {n, d};
  return x && n ? fg_h5_write_real(file, name, 2, shape, x, st) : FG_OK;
}

static fg_code fg_save_block(fg_h5 *file, const char *name, const double *x, size_t k, size_t n, size_t d,
                             fg_status *st)
{
  const size_t shape[3] = {k, n, d};
  return x && k && n ? fg_h5_write_real(file, name, 3, shape, x, st) : FG_OK;
}

static fg_code fg_save_times(fg_h5 *file, const char *name, const double *t, size_t k, fg_status *st)
{
  return t && k ? fg_h5_write_real(file, name, 1, &k, t, st) : FG_OK;
}

fg_code fg_compare_samples(const fg_comparison *c, const char *run_directory, fg_status *st)
{
  char *path = fg_path_join(run_directory, "samples.h5");
  if (!path) return FG_FAIL(st, FG_MEMORY, "no memory for the path of samples.h5");
  fg_h5 *file = NULL;
  fg_code rc;
  FG_GO(fg_h5_create(path, &file, st), done);
  FG_GO(fg_save_rows(file, "start", c->start, c->n, c->d, st), done);
  FG_GO(fg_save_rows(file, "sde_start", c->sde_start, c->n, c->d, st), done);
  for (int k = 0; k < FG_LAWS; k++)
    FG_GO(fg_save_rows(file, fg_law_names[k], c->law[k], c->rows[k], c->d, st), done);
  FG_GO(fg_save_times(file, "snapshot_t", c->snapshot_t, c->snapshots, st), done);
  FG_GO(fg_save_block(file, "snapshot_ode", c->snapshot_ode, c->snapshots, c->kept, c->d, st), done);
  FG_GO(fg_save_block(file, "snapshot_sde", c->snapshot_sde, c->snapshots, c->kept, c->d, st), done);
  FG_GO(fg_save_times(file, "trajectory_t", c->trace_t, c->trace_times, st), done);
  FG_GO(fg_save_block(file, "trajectories_ode", c->trace_ode, c->trace_times, c->traced, c->d, st), done);
  FG_GO(fg_save_block(file, "trajectories_sde", c->trace_sde, c->trace_times, c->traced, c->d, st), done);
  rc = fg_h5_commit(&file, st);
done:
  fg_h5_close(&file);
  free(path);
  return rc;
}
