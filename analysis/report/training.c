/* What a training came to: weights and log Z of a sampler, curves over the steps; in the report of a comparison and as
 * the page of `flowgap train`. */
#include "analysis/report/sections.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PLUS_MINUS " \xc2\xb1 "

/* As many digits as the standard error allows: two of it. */
static int digits_of(double value, double error)
{
  if (!(error > 0) || !isfinite(error) || !isfinite(value) || value == 0) return 4;
  return (int)fmin(fmax(floor(log10(fabs(value))) - floor(log10(error)) + 2, 1), 8);
}

static void put_mean(fg_page *page, const json_t *one, const char *key, const char *reason)
{
  char name[48];
  snprintf(name, sizeof name, "%s_se", key);
  double value = fg_run_real(one, key), error = fg_run_real(one, name);
  fg_page_number(page, value, digits_of(value, error), reason);
  if (!isfinite(error)) return;
  fg_page_put(page, PLUS_MINUS);
  fg_page_number(page, error, 2, NULL);
}

/* ---- what it came to -------------------------------------------------------------------- */

static void row_begin(fg_page *page, const char *title)
{
  fg_page_print(page, "<tr><th scope=\"row\">%s</th><td>", title);
}

static void row_mean(fg_page *page, const char *title, const json_t *one, const char *key, const char *reason)
{
  row_begin(page, title);
  put_mean(page, one, key, reason);
  fg_page_put(page, "</td></tr>\n");
}

static void rows_sampler(fg_page *page, const json_t *sampler)
{
  const json_t *w2 = fg_run_find(sampler, "w2"), *modes = fg_run_find(sampler, "modes");
  row_mean(page, "log <i>Z</i>, importance sampling", sampler, "log_z_is", "no evaluation");
  row_mean(page, "log <i>Z</i>, lower bound", sampler, "log_z_elbo", "no evaluation");
  row_begin(page, "log <i>Z</i>, known");
  fg_page_number(page, fg_run_real(sampler, "log_z"), 4, "not known for this target");
  fg_page_put(page, "</td></tr>\n");
  row_begin(page, "effective share of the sample");
  fg_page_number(page, fg_run_real(sampler, "ess"), 3, "no evaluation");
  fg_page_put(page, " of ");
  fg_page_count(page, fg_run_real(sampler, "paths"), "not recorded");
  fg_page_put(page, " paths</td></tr>\n");
  if (w2) {
    row_begin(page, FG_W2 " to the target");
    fg_page_number(page, fg_run_real(w2, "value"), 3, "not estimated");
    fg_page_put(page, " (noise floor ");
    fg_page_number(page, fg_run_real(w2, "floor"), 3, "not estimated");
    fg_page_put(page, ")</td></tr>\n");
  }
  if (modes) {
    row_begin(page, "modes: smallest share of the points");
    fg_page_number(page, fg_run_real(modes, "least_share"), 3, "not recorded");
    fg_page_put(page, " (even: ");
    fg_page_number(page, 1 / fg_run_real(modes, "count"), 3, "not recorded");
    fg_page_put(page, ")</td></tr>\n");
  }
}

static void row_word(fg_page *page, const char *title, const char *word)
{
  if (!*word) return;
  row_begin(page, title);
  fg_page_text(page, word);
  fg_page_put(page, "</td></tr>\n");
}

static void table_training(const fg_report *r)
{
  fg_page *page = r->page;
  const json_t *t = r->run->training, *sampler = fg_run_find(t, "sampler"), *score = fg_run_find(t, "score");
  fg_page_put(page, "<div class=\"scroll\"><table class=\"keys\"><tbody>\n");
  row_word(page, "method", fg_run_word(t, "train.method", ""));
  row_word(page, "objective", fg_run_word(t, "train.objective", ""));
  if (sampler) rows_sampler(page, sampler);
  if (score) row_mean(page, "denoising loss, held out", score, "loss", "no evaluation");
  row_begin(page, "steps");
  fg_page_count(page, fg_run_real(t, "steps"), "not recorded");
  fg_page_put(page,
              fg_run_find(t, "finished") && json_is_true(fg_run_find(t, "finished")) ? "" : ", not finished");
  fg_page_put(page, "</td></tr>\n");
  row_begin(page, sampler ? "paths lost in training" : "points lost in training");
  fg_page_count(page, fg_run_real(t, "lost"), "not recorded");
  fg_page_put(page, "</td></tr>\n");
  row_begin(page, "time of the steps / s");
  fg_page_number(page, fg_run_real(t, "seconds"), 3, "not recorded");
  fg_page_put(page, "</td></tr>\n");
  if (!r->run->train) row_word(page, "folder", fg_run_word(t, "folder", ""));
  fg_page_put(page, "</tbody></table></div>\n");
}

/* ---- importance weights ----------------------------------------------------------------- */

static void note_weights(fg_page *page, const json_t *weights)
{
  double paths = fg_run_real(weights, "paths"), below = fg_run_real(weights, "below");
  fg_page_put(page, "<p class=\"note\">");
  fg_page_put(page, "An ideal sampler gives every path the same weight, <i>Z</i>. The largest of ");
  fg_page_count(page, paths, "not recorded");
  fg_page_put(page, " weights holds ");
  fg_page_number(page, 100 * fg_run_real(weights, "largest_share"), 2, "not recorded");
  fg_page_put(page, " % of their sum (even: ");
  fg_page_number(page, 100 / paths, 2, "not recorded");
  fg_page_put(page, " %). ");
  if (below > 0) {
    fg_page_put(page, "To the left of the figure are ");
    fg_report_share(page, below, paths);
    fg_page_put(page, ", the smallest at log <i>w</i> = ");
    fg_page_number(page, fg_run_real(weights, "least"), 3, "not recorded");
    fg_page_put(page, ". ");
  }
  fg_page_put(page,
              "A tail to the right makes log <i>Z</i> depend on few paths, and its standard error with it; a "
              "mode that no path visits shows in neither.</p>\n");
}

static fg_code page_weights(const fg_report *r, fg_status *st)
{
  fg_page *page = r->page;
  const json_t *sampler = fg_run_find(r->run->training, "sampler"),
               *weights = fg_run_find(sampler, "weights");
  bool known = isfinite(fg_run_real(sampler, "log_z"));
  char legend[320];
  if (!weights) return FG_OK;
  if (!r->plots->weights) {
    fg_page_put(page, "<p class=\"note\">All paths have one weight.</p>\n");
    return FG_OK;
  }
  snprintf(legend, sizeof legend,
           "<span class=\"area\">paths</span><span>log <i>Z</i>, importance sampling</span>"
           "<span class=\"ode\">lower bound</span>%s",
           known ? "<span class=\"target\">known</span>" : "");
  return fg_report_figure(r, "weights", "Importance weights", legend,
                          "Histogram of the log-weights of the paths", "", st);
}

/* ---- curves ----------------------------------------------------------------------------- */

static fg_code page_curves(const fg_report *r, fg_status *st)
{
  const fg_plots *plots = r->plots;
  const json_t *t = r->run->training;
  char caption[160] = "", legend[256];
  double each = fg_run_real(t, "lines_per_point");
  if (each > 1)
    snprintf(caption, sizeof caption, "Each point is the mean of %.0f logged steps, the band their range.",
             each);
  if (plots->loss)
    FG_TRY(fg_report_figure(r, "loss", "Loss",
                            each > 1 ? "<span>mean</span><span class=\"area\">range</span>" : "",
                            "Loss against the step of the training", caption, st));
  snprintf(legend, sizeof legend, "<span>importance sampling</span><span class=\"ode\">lower bound</span>%s",
           isfinite(fg_run_real(t, "sampler.log_z")) ? "<span class=\"target dash\">known</span>" : "");
  if (plots->log_z)
    FG_TRY(fg_report_figure(r, "log-z", "log <i>Z</i>", legend, "log Z against the step of the training",
                            "Evaluations on noise that is held out. Bands: two standard errors.", st));
  if (plots->ess)
    FG_TRY(fg_report_figure(r, "ess", "Effective sample size", "",
                            "Effective sample size against the step of the training",
                            "As a share of the paths of an evaluation; 1 is ideal.", st));
  if (plots->trained_residual)
    FG_TRY(fg_report_figure(r, "trained-residual", "Residual in training",
                            each > 1 ? "<span>mean</span><span class=\"area\">range</span>" : "",
                            "Mean square of the residual against the step of the training",
                            "At the points of the regulariser.", st));
  return FG_OK;
}

static fg_code page_training(const fg_report *r, fg_status *st)
{
  const json_t *weights = fg_run_find(r->run->training, "sampler.weights");
  table_training(r);
  fg_page_put(r->page, "<div class=\"pair\">\n");
  FG_TRY(page_weights(r, st));
  FG_TRY(page_curves(r, st));
  fg_page_put(r->page, "</div>\n");
  if (weights) note_weights(r->page, weights);
  return FG_OK;
}

fg_code fg_report_training(const fg_report *r, fg_status *st)
{
  if (!r->run->training) return FG_OK;
  fg_page_put(r->page, "<section id=\"training\">\n<h2>How the model was trained</h2>\n");
  FG_TRY(page_training(r, st));
  fg_page_put(r->page, "</section>\n");
  return FG_OK;
}

/* ---- the page of a training ------------------------------------------------------------- */

static void page_fact(fg_page *page, const char *title, double value, int digits, const char *small,
                      double error)
{
  fg_page_print(page, "<div><dt>%s</dt><dd>", title);
  fg_page_number(page, value, isfinite(error) ? digits_of(value, error) : digits,
                 "not evaluated, or not known");
  fg_page_put(page, "<small>");
  if (isfinite(error)) {
    fg_page_put(page, "standard error ");
    fg_page_number(page, error, 2, NULL);
  } else {
    fg_page_put(page, small);
  }
  fg_page_put(page, "</small></dd></div>\n");
}

static void page_facts(const fg_report *r)
{
  fg_page *page = r->page;
  const json_t *t = r->run->training, *sampler = fg_run_find(t, "sampler"), *score = fg_run_find(t, "score");
  fg_page_put(page, "<dl class=\"facts\">\n");
  if (sampler) {
    page_fact(page, "log <i>Z</i>", fg_run_real(sampler, "log_z_is"), 4, "",
              fg_run_real(sampler, "log_z_is_se"));
    page_fact(page, "log <i>Z</i>, known", fg_run_real(sampler, "log_z"), 4, "of the target", NAN);
    page_fact(page, "lower bound of log <i>Z</i>", fg_run_real(sampler, "log_z_elbo"), 4, "",
              fg_run_real(sampler, "log_z_elbo_se"));
    page_fact(page, "effective share", fg_run_real(sampler, "ess"), 3, "of the sample; 1 is ideal", NAN);
  }
  if (score)
    page_fact(page, "denoising loss", fg_run_real(score, "loss"), 4, "held out",
              fg_run_real(score, "loss_se"));
  page_fact(page, "time / s", fg_run_real(t, "seconds"), 3, "of the steps and evaluations", NAN);
  fg_page_put(page, "</dl>\n");
}

static void page_sentence(const fg_report *r)
{
  fg_page *page = r->page;
  const json_t *sampler = fg_run_find(r->run->training, "sampler"),
               *score = fg_run_find(r->run->training, "score");
  const char *target = fg_run_word(r->run->results, "target.kind", "the target");
  if (sampler) {
    fg_page_put(page, "The sampler of ");
    fg_page_text(page, target);
    fg_page_put(page, " estimates <span class=\"nb\">log <i>Z</i> = ");
    put_mean(page, sampler, "log_z_is", "no finite value");
    fg_page_put(page, "</span> <span class=\"detail\">(known: ");
    fg_page_number(page, fg_run_real(sampler, "log_z"), 4, "not known for this target");
    fg_page_put(page, "; effective share ");
    fg_page_number(page, fg_run_real(sampler, "ess"), 3, "no finite value");
    fg_page_put(page, ")</span>.");
  } else if (score) {
    fg_page_put(page, "The score model of ");
    fg_page_text(page, target);
    fg_page_put(page, " has a denoising loss of <span class=\"nb\">");
    put_mean(page, score, "loss", "no finite value");
    fg_page_put(page, "</span>.");
  } else {
    fg_page_put(page, "A training without an evaluation so far.");
  }
}

static void page_headline(const fg_report *r)
{
  fg_page *page = r->page;
  const json_t *t = r->run->training;
  fg_page_put(page, "<header>\n<p class=\"kicker\">flowgap: training");
  static const char *const words[] = {"train.method", "train.objective"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    const char *word = fg_run_word(t, words[i], "");
    if (!*word) continue;
    fg_page_put(page, " \xc2\xb7 ");
    fg_page_text(page, word);
  }
  fg_page_put(page, " \xc2\xb7 ");
  fg_page_count(page, fg_run_real(t, "steps"), "not recorded");
  fg_page_put(page, " steps</p>\n<h1>");
  page_sentence(r);
  fg_page_put(page, "</h1>\n");
  if (!json_is_true(fg_run_find(t, "finished")))
    fg_page_put(
        page, "<p class=\"lead\"><strong>This training has not come to its end: the figures are those of its "
              "last evaluation.</strong></p>\n");
  page_facts(r);
  fg_page_put(page, "</header>\n");
}

/* ---- several seeds ---------------------------------------------------------------------- */

static void seeds_rows(fg_page *page, const json_t *summary)
{
  const char *name;
  json_t *one;
  json_object_foreach((json_t *)summary, name, one)
  {
    if (!(fg_run_real(one, "count") > 0)) continue;
    fg_page_put(page, "<tr><th scope=\"row\">");
    fg_page_text(page, name);
    fg_page_put(page, "</th><td>");
    fg_page_number(page, fg_run_real(one, "mean"), 4, "no finite value");
    fg_page_put(page, "</td><td>");
    fg_page_number(page, fg_run_real(one, "sd"), 2, "one seed has no spread");
    fg_page_put(page, "</td><td>");
    fg_page_count(page, fg_run_real(one, "count"), NULL);
    fg_page_put(page, "</td></tr>\n");
  }
}

static void page_seeds(const fg_report *r)
{
  fg_page *page = r->page;
  const json_t *results = r->run->results, *runs = fg_run_find(results, "runs"), *one;
  size_t i;
  fg_page_put(page, "<header>\n<p class=\"kicker\">flowgap: training with several seeds</p>\n<h1>");
  fg_page_count(page, fg_run_real(results, "seeds"), "not recorded");
  fg_page_put(page, " trainings, ");
  fg_page_count(page, fg_run_real(results, "failed"), "not recorded");
  fg_page_put(page,
              " failed</h1>\n</header>\n<section id=\"seeds\">\n<h2>What they have in common</h2>\n"
              "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Figure</th><th "
              "scope=\"col\">Mean</th><th scope=\"col\">Standard deviation</th><th scope=\"col\">Seeds</th>"
              "</tr></thead>\n<tbody>\n");
  seeds_rows(page, fg_run_find(results, "summary"));
  fg_page_put(page, "</tbody></table></div>\n<p class=\"note\">Each training has a page of its own: ");
  json_array_foreach((json_t *)runs, i, one)
  {
    const char *failed = fg_run_word(one, "failed", NULL);
    fg_page_put(page, i ? ", " : "");
    if (failed)
      fg_page_print(page, "seed-%zu (failed: ", i + 1);
    else
      fg_page_print(page, "<a href=\"./seed-%zu/report.html\">seed-%zu</a>", i + 1, i + 1);
    if (failed) {
      fg_page_text(page, failed);
      fg_page_put(page, ")");
    }
  }
  fg_page_put(page, ".</p>\n</section>\n");
}

fg_code fg_report_trained(const fg_report *r, fg_status *st)
{
  fg_report_document(r, ": training");
  if (!r->run->training) {
    page_seeds(r);
    return FG_OK;
  }
  page_headline(r);
  fg_report_warnings(r);
  fg_page_put(r->page, "<section id=\"training\">\n<h2>The training</h2>\n");
  FG_TRY(page_training(r, st));
  fg_page_put(r->page, "</section>\n");
  return FG_OK;
}
