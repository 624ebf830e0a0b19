/* The figures behind a page as one JSON document (docs/reports.md). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report/answer.h"
#include "analysis/report/make.h"
#include "analysis/results.h"

/* ---- the figures of the page ---------------------------------------------------------------------- */

/* The text of the first <TAG ..>..</TAG> within [at, end), without mark-up; NULL when there is none or no memory. */
static char *inner_text(const char *at, const char *end, const char *open, const char *close)
{
  const char *from = strstr(at, open), *to = from ? strstr(from, close) : NULL;
  if (!to || to > end) return NULL;
  char *text = malloc((size_t)(to - from) + 1);
  size_t used = 0;
  bool tag = false;
  for (const char *c = from; text && c < to; c++) {
    if (*c == '<') tag = true;
    if (!tag) text[used++] = *c;
    if (*c == '>') tag = false;
  }
  if (text) text[used] = 0;
  return text;
}

static void put_inner(fg_tree tree, const char *key, const char *at, const char *end, const char *open,
                      const char *close)
{
  char *text = inner_text(at, end, open, close);
  if (text) fg_put_text(tree, key, text);
  free(text);
}

/* "1.5 NaN 2" or with a quoted word: numbers, null, texts. */
static void put_row(fg_tree tree, json_t *rows, const char *at, const char *end)
{
  json_t *row = fg_append(rows, json_array(), tree.bad);
  while (at < end) {
    at += strspn(at, " ");
    if (at >= end) break;
    size_t length = strcspn(at, " \n");
    if (*at == '"') {
      length = strcspn(at + 1, "\"\n");
      fg_append(row, json_stringn(at + 1, length), tree.bad);
      length += 2;
    } else {
      fg_append_real(row, strtod(at, NULL), tree.bad);
    }
    at += length;
  }
}

/* The data block $name of gnuplot's script, as rows. */
static void put_block(fg_tree tree, const char *script, const char *name)
{
  char head[96];
  snprintf(head, sizeof head, "$%.64s << EOD\n", name);
  const char *found = NULL;
  for (const char *at = script; (at = strstr(at, head)) != NULL; at++) found = at; /* the last of that name */
  if (!found || json_object_get(tree.object, name)) return;
  json_t *rows = fg_put_list(tree, name);
  for (const char *at = found + strlen(head); *at && strncmp(at, "EOD\n", 4) != 0;) {
    size_t length = strcspn(at, "\n");
    put_row(tree, rows, at, at + length);
    at += length + (at[length] == '\n');
  }
}

/* Every block that the plot command of the figure draws. */
static void put_data(fg_tree tree, const fg_plots *plots, const char *name)
{
  char begin[96], block[65];
  const char *script = plots->figures ? fg_figures_script(plots->figures)->text : NULL;
  snprintf(begin, sizeof begin, "/%.64s.svg'", name);
  const char *at = script ? strstr(script, begin) : NULL;
  const char *plot = at ? strstr(at, "plot ") : NULL, *next = at ? strstr(at + 1, "set output '") : NULL;
  if (!plot || (next && plot > next)) return;
  fg_tree data = fg_put_object(tree, "data");
  for (const char *c = plot; *c && *c != '\n'; c++) {
    size_t length =
        *c == '$' ? strspn(c + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") : 0;
    if (!length || (c[1] >= '0' && c[1] <= '9') || length >= sizeof block) continue;
    memcpy(block, c + 1, length);
    block[length] = 0;
    put_block(data, script, block);
  }
}

static void put_figures(fg_tree root, const fg_page *page, const fg_plots *plots)
{
  static const char open[] = "<figure id=\"figure-", readout[] = "<script type=\"application/json\"";
  fg_tree figures = fg_put_object(root, "figures");
  for (const char *at = page->text; (at = strstr(at, open)) != NULL;) {
    char name[65];
    const char *end = strstr(at, "</figure>");
    at += sizeof open - 1;
    size_t length = strcspn(at, "\"");
    if (!end || length >= sizeof name) continue;
    memcpy(name, at, length);
    name[length] = 0;
    fg_tree one = fg_put_object(figures, name);
    put_inner(one, "title", at, end, "<h3>", "</h3>");
    put_inner(one, "caption", at, end, "<figcaption>", "</figcaption>");
    put_data(one, plots, name);
    const char *points = strstr(at, readout), *from = points && points < end ? strchr(points, '>') : NULL;
    const char *to = from ? strstr(from, "</script>") : NULL;
    json_t *value = to ? json_loadb(from + 1, (size_t)(to - from - 1), 0, NULL) : NULL;
    if (value) json_object_del(value, "m"); /* packed cells of a picture: `densities` has them as numbers */
    if (value) fg_put(one, "readout", value);
  }
}

/* ---- what the page derives ------------------------------------------------------------------------- */

static void put_headline(fg_tree tree, const fg_run *run)
{
  static const char *const words[] = {"none", "within", "apart"};
  fg_answer a = fg_answer_find(run);
  fg_tree one = fg_put_object(tree, "headline");
  fg_put_text(one, "estimator", a.estimator);
  fg_put_text(one, "verdict", words[a.verdict]);
  fg_put_real(one, "value", a.value);
  fg_put_real(one, "ci_low", a.low);
  fg_put_real(one, "ci_high", a.high);
  fg_put_real(one, "floor", a.floor);
  fg_put_real(one, "p_value", a.p);
  fg_put_real(tree, "residual_root_mean_square", sqrt(fg_run_real(run->results, "residual.mean_square")));
}

/* Histograms behind the density maps: counts of the cells, [x2][x1] as one row after another. */
static void put_densities(fg_tree tree, const fg_plots *plots)
{
  static const char *const names[FG_MAPS] = {"ode", "sde", "target"};
  if (!plots->densities) return;
  fg_tree all = fg_put_object(tree, "densities");
  fg_put_count(all, "axes", (uint64_t)plots->view.axes);
  fg_put_count(all, "bins", plots->view.bins);
  fg_put_real(all, "width", plots->view.width);
  json_t *low = fg_put_list(all, "low");
  for (int k = 0; k < plots->view.axes; k++) fg_append_real(low, plots->view.low[k], all.bad);
  fg_put_count(all, "tested", plots->gap.tested);
  fg_put_count(all, "beyond", plots->gap.beyond);
  for (int k = 0; k < FG_MAPS; k++) {
    if (!plots->map[k].count) continue;
    fg_tree one = fg_put_object(all, names[k]);
    fg_put_count(one, "particles", plots->map[k].n);
    fg_put_count(one, "outside", plots->map[k].outside);
    json_t *count = fg_put_list(one, "count");
    for (size_t c = 0; c < fg_view_cells(&plots->view); c++)
      fg_append(count, json_integer((json_int_t)plots->map[k].count[c]), all.bad);
  }
}

static void put_run(json_t *list, const char *directory, const fg_run *run, bool *bad)
{
  fg_tree one = fg_append_object(list, bad);
  json_t *name = json_string(directory);
  fg_put(one, "directory", name ? name : json_null()); /* not UTF-8 */
  fg_put(one, "results", json_incref(run->results));
  put_headline(one, run);
}

fg_code fg_report_json(const char *const *run_directories, size_t count, const fg_run *runs,
                       const fg_page *page, const fg_plots *plots, char **text, fg_status *st)
{
  bool bad = false;
  fg_tree root = {json_object(), &bad};
  fg_put_count(root, "schema", 1);
  fg_put_text(root, "program", "flowgap");
  fg_put_text(root, "version", fg_version());
  fg_put_text(root, "verb", "report");
  json_t *list = fg_put_list(root, "runs");
  for (size_t i = 0; i < count; i++) put_run(list, run_directories[i], &runs[i], &bad);
  put_densities(root, plots);
  put_figures(root, page, plots);
  *text = bad ? NULL : json_dumps(root.object, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
  json_decref(root.object);
  return *text ? FG_OK : FG_FAIL(st, FG_MEMORY, "no memory for the JSON of the report");
}
