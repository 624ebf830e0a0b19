#include "analysis/report/sections.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- any JSON value ---------------------------------------------------------------------- */

static void page_value(fg_page *page, const json_t *value, const char *reason)
{
  if (json_is_string(value) && json_string_length(value) > 0) {
    fg_page_text_bytes(page, json_string_value(value), json_string_length(value));
  } else if (json_is_integer(value)) {
    fg_page_count(page, (double)json_integer_value(value), NULL);
  } else if (json_is_number(value)) {
    fg_page_setting(page, json_number_value(value), reason);
  } else if (json_is_boolean(value)) {
    fg_page_put(page, json_is_true(value) ? "yes" : "no");
  } else if (json_is_object(value) || json_is_array(value)) {
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (text)
      fg_page_text(page, text);
    else
      page->failed = true;
    free(text);
  } else {
    fg_page_number(page, NAN, 1, reason);
  }
}

static void row_start(fg_page *page, const char *title)
{
  fg_page_put(page, "<tr><th scope=\"row\">");
  fg_page_text(page, title);
  fg_page_put(page, "</th><td>");
}

static void row_value(fg_page *page, const char *title, const json_t *value, const char *reason)
{
  row_start(page, title);
  if (json_is_real(value) && strstr(title, "time / s")) /* measured: three digits are enough */
    fg_page_number(page, json_real_value(value), 3, reason);
  else
    page_value(page, value, reason);
  fg_page_put(page, "</td></tr>\n");
}

/* Members of an object on one line: "kind ou, horizon 10"; null members are left out. */
static void row_object(fg_page *page, const char *title, const json_t *object)
{
  const char *key;
  json_t *value;
  bool any = false;
  row_start(page, title);
  json_object_foreach((json_t *)object, key, value)
  {
    if (json_is_null(value)) continue;
    fg_page_put(page, any ? ", " : "");
    fg_page_text(page, key);
    fg_page_put(page, " ");
    page_value(page, value, "not recorded");
    any = true;
  }
  if (!any) page_value(page, NULL, "not recorded in results.json");
  fg_page_put(page, "</td></tr>\n");
}

/* ---- solvers ----------------------------------------------------------------------------- */

typedef struct solver_row {
  const char *key, *title, *reason;
} solver_row;

static void solver_table(fg_page *page, const char *title, const json_t *solver, const solver_row *rows,
                         size_t count)
{
  fg_page_print(page, "<div>\n<h3>%s</h3>\n", title);
  if (!solver) {
    fg_page_put(page, "<p class=\"note\">Not recorded in results.json.</p>\n</div>\n");
    return;
  }
  fg_page_put(page, "<table class=\"keys\"><tbody>\n");
  for (size_t i = 0; i < count; i++)
    row_value(page, rows[i].title, fg_run_find(solver, rows[i].key), rows[i].reason);
  fg_page_put(page, "</tbody></table>\n</div>\n");
}

void fg_report_solver_tables(const fg_report *r)
{
  static const solver_row ode[] = {
      {"method", "method", "not recorded"},
      {"rtol", "relative tolerance", "a fixed grid has no tolerance"},
      {"atol", "absolute tolerance", "a fixed grid has no tolerance"},
      {"t_end", "stops at t", "not recorded"},
      {"steps", "accepted steps, all tiles", "not recorded"},
      {"rhs_evaluations", "right-hand sides, all tiles", "not recorded"},
      {"jvp_evaluations", "Jacobian\xe2\x80\x93vector products", "not recorded"},
      {"error_test_failures", "error test failures", "not recorded"},
      {"convergence_failures", "convergence failures", "not recorded"},
      {"tile", "particles per tile", "not recorded"},
      {"tiles", "tiles", "not recorded"},
      {"tiles_split", "tiles split after a failure", "not recorded"},
      {"failed", "particles lost", "not recorded"},
      {"seconds", "time / s", "not recorded"},
  };
  static const solver_row sde[] = {
      {"method", "method", "not recorded"},
      {"lambda", "noise level \xce\xbb", "not recorded"},
      {"t_end", "stops at t", "not recorded"},
      {"steps", "steps of the grid", "not recorded"},
      {"refine", "steps halved, times", "not recorded"},
      {"last_step_noise", "noise in the last step", "not recorded"},
      {"precision", "arithmetic", "not recorded"},
      {"tile", "particles per tile", "not recorded"},
      {"nonfinite", "particles lost", "not recorded"},
      {"seconds", "time / s", "not recorded"},
  };
  fg_page_put(r->page, "<div class=\"pair\">\n");
  solver_table(r->page, "ODE", fg_run_find(r->run->results, "ode"), ode, sizeof ode / sizeof *ode);
  solver_table(r->page, "SDE", fg_run_find(r->run->results, "sde"), sde, sizeof sde / sizeof *sde);
  fg_page_put(r->page, "</div>\n");
}

/* ---- moments ----------------------------------------------------------------------------- */

enum { MOMENT_ROWS = 6 }; /* coordinates shown; results.json has all */

static const char *const laws[] = {"ode", "sde", "target"};

static double moment(const fg_run *run, const char *law, const char *kind, size_t i, size_t j)
{
  const json_t *array = fg_run_find(fg_run_find(fg_run_find(run->results, "moments"), law), kind);
  const json_t *value = json_array_get(array, i);
  if (json_is_array(value)) value = json_array_get(value, j);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static void moment_row(const fg_report *r, const char *kind, const char *symbol, size_t i, size_t j,
                       bool first)
{
  fg_page *page = r->page;
  double of[3];
  fg_page_print(page, "<tr%s><th scope=\"row\">%s ", first ? " class=\"first\"" : "", symbol);
  if (strcmp(kind, "mean") == 0 || i == j)
    fg_page_print(page, "<i>x</i><sub>%zu</sub></th>", i + 1);
  else
    fg_page_print(page, "<i>x</i><sub>%zu</sub>, <i>x</i><sub>%zu</sub></th>", i + 1, j + 1);
  for (int k = 0; k < 3; k++) {
    of[k] = moment(r->run, laws[k], kind, i, j);
    fg_page_put(page, "<td>");
    fg_page_number(page, of[k], 4,
                   k == 2 ? "the target cannot be sampled, or its moments were not kept" : "not kept");
    fg_page_put(page, "</td>");
  }
  fg_page_put(page, "<td>");
  fg_page_number(page, of[1] - of[0], 2, "not kept");
  fg_page_put(page, "</td></tr>\n");
}

void fg_report_moments(const fg_report *r)
{
  fg_page *page = r->page;
  size_t d = json_array_size(fg_run_find(r->run->results, "moments.ode.mean"));
  size_t shown = d < MOMENT_ROWS ? d : MOMENT_ROWS;
  fg_page_put(page, "<section id=\"moments\">\n<h2>Moments</h2>\n");
  if (!d) {
    fg_page_put(page, "<p class=\"note\">results.json holds no moments; compare leaves them out in high "
                      "dimension.</p>\n</section>\n");
    return;
  }
  fg_page_put(
      page,
      "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Moment</th><th scope=\"col\">ODE</th>"
      "<th scope=\"col\">SDE</th><th scope=\"col\">Target</th><th scope=\"col\">SDE \xe2\x88\x92 ODE</th>"
      "</tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < shown; i++) moment_row(r, "mean", "mean", i, i, i == 0);
  for (size_t i = 0; i < shown; i++) moment_row(r, "covariance", "variance", i, i, i == 0);
  if (d <= 4)
    for (size_t i = 0; i < d; i++)
      for (size_t j = i + 1; j < d; j++) moment_row(r, "covariance", "covariance", i, j, i + j == 1);
  fg_page_put(page, "</tbody></table></div>\n<p class=\"note\">Sample moments of the particles");
  if (d > shown) fg_page_print(page, "; the first %zu of %zu coordinates, all are in results.json", shown, d);
  if (d > 4) fg_page_put(page, "; covariances between coordinates are in results.json");
  fg_page_put(page, ". With <i>n</i> particles a mean is uncertain by about the square root of variance / "
                    "<i>n</i>.</p>\n</section>\n");
}

/* ---- particles that were lost ------------------------------------------------------------ */

static void lost_row(const fg_report *r, const char *title, double lost, const json_t *named)
{
  fg_page *page = r->page;
  const json_t *one;
  size_t i, shown = 0;
  row_start(page, title);
  fg_report_share(page, lost, fg_report_particles(r->run));
  json_array_foreach((json_t *)named, i, one)
  {
    double particle = json_is_object(one) ? fg_run_real(one, "particle") : json_number_value(one);
    fg_page_put(page, shown++ ? "; " : ": ");
    fg_page_put(page, "particle ");
    fg_page_count(page, particle, "not named");
    if (json_is_object(one)) {
      fg_page_put(page, " at <i>t</i> = ");
      fg_page_number(page, fg_run_real(one, "t"), 3, "not recorded");
    }
  }
  if (shown > 0 && lost > (double)shown) fg_page_put(page, "; \xe2\x80\xa6");
  fg_page_put(page, "</td></tr>\n");
}

static void outside_row(const fg_report *r, const char *title, double count)
{
  if (!isfinite(count)) return;
  row_start(r->page, title);
  fg_report_share(r->page, count, fg_report_particles(r->run));
  fg_page_put(r->page, "</td></tr>\n");
}

static void outside_rows(const fg_report *r)
{
  const json_t *outside = fg_run_find(r->run->results, "outside_box"),
               *grid = fg_run_find(r->run->results, "w2.grid");
  if (fg_run_real(r->run->results, "box") > 0) {
    outside_row(r, "ODE, outside the box", fg_run_real(outside, "ode"));
    outside_row(r, "SDE, outside the box", fg_run_real(outside, "sde"));
    outside_row(r, "target, outside the box", fg_run_real(outside, "target"));
  }
  outside_row(r, "ODE, outside the grid", fg_run_real(grid, "ode_sde.outside_x"));
  outside_row(r, "SDE, outside the grid", fg_run_real(grid, "ode_sde.outside_y"));
  outside_row(r, "target, outside the grid", fg_run_real(grid, "ode_target.outside_y"));
}

void fg_report_lost(const fg_report *r)
{
  fg_page *page = r->page;
  const json_t *results = r->run->results;
  fg_page_put(page,
              "<section id=\"lost\">\n<h2>Particles lost or left out</h2>\n<div class=\"scroll\"><table "
              "class=\"keys\"><tbody>\n");
  lost_row(r, "ODE, not carried to the end", fg_run_real(results, "ode.failed"),
           fg_run_find(results, "ode.failed_named"));
  lost_row(r, "SDE, infinite or NaN", fg_run_real(results, "sde.nonfinite"),
           fg_run_find(results, "sde.nonfinite_named"));
  outside_rows(r);
  fg_page_put(
      page,
      "</tbody></table></div>\n<p class=\"note\">A particle that a solver cannot carry stays as far as it "
      "came, is counted here and named; the others go on. ");
  fg_page_put(page, "Only the grid estimate leaves out what lies beyond its grid. ");
  fg_page_put(page,
              fg_run_real(results, "box") > 0
                  ? "Distances marked \xe2\x80\x9cin the box\xe2\x80\x9d leave out what lies beyond it, the "
                    "others do not.</p>\n</section>\n"
                  : "No box was set (compare.box): nothing else was cut.</p>\n</section>\n");
}

/* ---- settings and provenance ------------------------------------------------------------- */

void fg_report_settings(const fg_report *r)
{
  fg_page *page = r->page;
  fg_page_put(page, "<section id=\"settings\">\n<h2>Settings</h2>\n");
  if (r->run->config) {
    fg_page_put(
        page,
        "<p class=\"note\">Every key as it was used; this file repeats the run.</p>\n<details>\n<summary>"
        "config.yaml</summary>\n<pre><code>");
    fg_page_text_bytes(page, (const char *)r->run->config, r->run->config_size);
    fg_page_put(page, "</code></pre>\n</details>\n");
  } else {
    fg_page_put(page, "<p class=\"note\">The run directory has no config.yaml.</p>\n");
  }
  fg_page_put(page, "</section>\n");
}

void fg_report_provenance(const fg_report *r)
{
  static const solver_row rows[] = {
      {"version", "flowgap version", "not recorded"}, {"created", "made", "not recorded"},
      {"engine", "engine", "not recorded"},           {"isa", "instruction set", "not recorded"},
      {"threads", "threads", "not recorded"},         {"wall_seconds", "wall time / s", "not recorded"},
  };
  fg_page *page = r->page;
  const json_t *results = r->run->results, *seed = fg_run_find(results, "seed"),
               *tf32 = fg_run_find(results, "tf32");
  const char *command = fg_run_word(results, "command", "not recorded");
  fg_page_put(page, "<section id=\"provenance\">\n<h2>Where this page comes from</h2>\n");
  const char *verb = fg_run_word(results, "verb", "compare");
  if (strcmp(command, "flowgap compare config.yaml") != 0) {
    fg_page_put(page,
                "<p class=\"note\">To repeat the run, where it was made:</p>\n<pre class=\"wrap\"><code>");
    fg_page_text(page, command);
    fg_page_put(page, "</code></pre>\n");
  }
  fg_page_put(page,
              "<p class=\"note\">From within the run directory:</p>\n<pre class=\"wrap\"><code>flowgap ");
  fg_page_text(page, verb);
  fg_page_put(page, " config.yaml --out repeated</code></pre>\n"
                    "<div class=\"scroll\"><table class=\"keys\"><tbody>\n");
  if (!r->run->train) row_object(page, "model", fg_run_find(results, "model"));
  row_object(page, "process", fg_run_find(results, "process"));
  row_object(page, "prior", fg_run_find(results, "prior"));
  row_object(page, "target", fg_run_find(results, "target"));
  row_start(page, "seed");
  if (json_is_integer(seed))
    fg_page_print(page, "%" JSON_INTEGER_FORMAT, json_integer_value(seed));
  else
    page_value(page, seed, "not recorded");
  fg_page_put(page, "</td></tr>\n");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    row_value(page, rows[i].title, fg_run_find(results, rows[i].key), rows[i].reason);
  if (json_is_true(tf32)) row_value(page, "products in TF32", tf32, "");
  fg_page_put(
      page, "</tbody></table></div>\n<p class=\"note\">Same seed, settings and instruction set give the same "
            "figures with any number of threads. The numbers behind this page are in results.json and ");
  fg_page_put(page, strcmp(verb, "density") == 0 ? "densities.h5"
                    : r->run->residual           ? "maps.h5"
                    : r->run->train              ? "metrics.jsonl"
                                                 : "samples.h5");
  fg_page_put(page, " beside it.</p>\n</section>\n");
}
