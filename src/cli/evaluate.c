/* flowgap evaluate MODEL POINTS */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/session.h"

/* Columns of numbers, one array each. */
typedef struct table {
  size_t n, d;
  double *t, *x;     /* [n], [n, d] */
  fg_evaluation out; /* NULL: the model lacks it */
  double *store;     /* what the pointers point into */
} table;

/* ---- points ------------------------------------------------------------------------------- */

/* Points are rows (t, x1, ...). A header that puts t elsewhere would be misread in silence. */
static fg_code check_header(const char *path, fg_status *st)
{
  char line[256] = "";
  FILE *file = fopen(path, "rb");
  if (!file) return FG_OK; /* the reader says why */
  do {
    if (!fgets(line, sizeof line, file)) line[0] = '\0';
  } while (line[0] == '#');
  fclose(file);
  const char *first = line + strspn(line, " \t\"\xEF\xBB\xBF");
  size_t length = strcspn(first, " \t\",;\r\n");
  bool word = (*first >= 'a' && *first <= 'z') || (*first >= 'A' && *first <= 'Z');
  bool number =
      strncmp(first, "nan", 3) == 0 || strncmp(first, "inf", 3) == 0 || strncmp(first, "NaN", 3) == 0;
  if (!word || number || (length == 1 && *first == 't')) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "%s: the first column is called %.*s: the columns must be t,x1,x2,...", path,
                 (int)(length < 40 ? length : 40), first);
}

static fg_code read_points(const char *path, size_t d, double horizon, fg_samples *points, fg_status *st)
{
  FG_TRY(check_header(path, st));
  FG_TRY(fg_samples_read(path, NULL, points, st));
  if (points->d != d + 1)
    return FG_FAIL(st, FG_USAGE, "%s has %zu columns, but the model has dimension %zu: give t and x1 to x%zu",
                   path, points->d, d, d);
  for (size_t i = 0; i < points->n; i++) {
    double t = points->x[i * (d + 1)];
    if (t < 0 || t > horizon)
      return FG_FAIL(st, FG_USAGE, "%s, row %zu: t is %g: noising times go from 0 to process.horizon, %g",
                     path, i + 1, t, horizon);
  }
  return FG_OK;
}

/* Split the rows into t and x, and make room for what the model offers. */
static fg_code make_table(const fg_samples *points, size_t d, unsigned have, table *all, fg_status *st)
{
  size_t n = points->n, columns = 1 + d + 4 + d;
  memset(all, 0, sizeof *all);
  all->n = n;
  all->d = d;
  all->store = n < SIZE_MAX / sizeof(double) / columns ? calloc(n * columns, sizeof *all->store) : NULL;
  if (!all->store) return FG_FAIL(st, FG_MEMORY, "no memory for %zu points", n);
  double *at = all->store;
  all->t = at;
  all->x = at += n;
  at += n * d;
  if (have & FG_PHI) all->out.phi = at;
  at += n;
  if (have & FG_PHI_T) all->out.phi_t = at;
  at += n;
  if (have & FG_SCORE) all->out.score = at;
  at += n * d;
  if (have & FG_DIVERGENCE) all->out.divergence = at;
  at += n;
  if (have & FG_RESIDUAL) all->out.residual = at;
  for (size_t i = 0; i < n; i++) {
    all->t[i] = points->x[i * (d + 1)];
    memcpy(all->x + i * d, points->x + i * (d + 1) + 1, d * sizeof(double));
  }
  return FG_OK;
}

/* ---- output ------------------------------------------------------------------------------- */

static void put_header(FILE *out, const table *all, const char *quote)
{
  const char *q = quote;
  fprintf(out, "%st%s", q, q);
  for (size_t j = 0; j < all->d; j++) fprintf(out, ",%sx%zu%s", q, j + 1, q);
  if (all->out.phi) fprintf(out, ",%sphi%s", q, q);
  if (all->out.phi_t) fprintf(out, ",%sphi_t%s", q, q);
  for (size_t j = 0; all->out.score && j < all->d; j++) fprintf(out, ",%ss%zu%s", q, j + 1, q);
  if (all->out.divergence) fprintf(out, ",%slaplacian%s", q, q);
  if (all->out.residual) fprintf(out, ",%sresidual%s", q, q);
}

static void put_row(FILE *out, const table *all, size_t i)
{
  size_t d = all->d;
  fprintf(out, "%.17g", all->t[i]);
  for (size_t j = 0; j < d; j++) fprintf(out, ",%.17g", all->x[i * d + j]);
  if (all->out.phi) fprintf(out, ",%.17g", all->out.phi[i]);
  if (all->out.phi_t) fprintf(out, ",%.17g", all->out.phi_t[i]);
  for (size_t j = 0; all->out.score && j < d; j++) fprintf(out, ",%.17g", all->out.score[i * d + j]);
  if (all->out.divergence) fprintf(out, ",%.17g", all->out.divergence[i]);
  if (all->out.residual) fprintf(out, ",%.17g", all->out.residual[i]);
}

static bool put_table(FILE *out, const table *all, bool json)
{
  if (json) fputs("{\"columns\": [", out);
  put_header(out, all, json ? "\"" : "");
  fputs(json ? "],\n \"rows\": [" : "\n", out);
  for (size_t i = 0; i < all->n && !ferror(out); i++) {
    if (json) fputs(i ? ",\n  [" : "\n  [", out);
    put_row(out, all, i);
    fputs(json ? "]" : "\n", out);
  }
  if (json) fputs("]}\n", out);
  return fflush(out) == 0 && !ferror(out);
}

static fg_code write_table(const fg_args *args, const table *all, fg_status *st)
{
  const char *path = args->value[FG_OPTION_OUT];
  bool json = args->value[FG_OPTION_JSON] != NULL;
  if (!path) {
    if (put_table(stdout, all, json)) return FG_OK;
    return FG_FAIL(st, FG_IO, "cannot write to standard output: %s", strerror(errno));
  }
  FILE *out = fopen(path, "w");
  if (!out) return FG_FAIL(st, FG_IO, "cannot write %s: %s", path, strerror(errno));
  bool good = put_table(out, all, json);
  int why = errno;
  if (fclose(out) != 0 && good) {
    good = false;
    why = errno;
  }
  if (good) return FG_OK;
  struct stat about;
  if (stat(path, &about) == 0 && S_ISREG(about.st_mode)) remove(path); /* half a table is worse than none */
  return FG_FAIL(st, FG_IO, "cannot write %s: %s", path, strerror(why));
}

fg_code fg_run_evaluate(const fg_args *args, fg_status *st)
{
  fg_session session;
  fg_samples points = {0};
  table all = {0};
  fg_code rc;
  FG_GO(fg_session_open(&session, args, args->argument[0], st), done);
  FG_GO(fg_session_engine(&session, st), done);
  FG_GO(fg_session_model(&session, st), done);
  FG_GO(read_points(args->argument[1], session.d, fg_process_horizon(session.process), &points, st), done);
  FG_GO(make_table(&points, session.d, fg_model_quantities(session.model), &all, st), done);
  FG_GO(fg_model_evaluate(session.model, FG_DOUBLE, all.n, all.t, all.n, all.x, &all.out, st), done);
  fg_terminal_close(&session.terminal);
  rc = write_table(args, &all, st);
done:
  free(all.store);
  fg_samples_clear(&points);
  fg_session_close(&session);
  return rc;
}
