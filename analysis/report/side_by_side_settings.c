/* What differs in the settings of several runs, and where they come from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report/side.h"
#include "flowgap/base.h"

enum { VALUE_ROOM = 128, LEVELS = 6 };

/* The value of `key` in a config.yaml as flowgap writes it: one key per line, two blanks per level. false: not there. */
static bool find_value(const fg_run *run, const char *key, char value[VALUE_ROOM])
{
  char path[LEVELS][64] = {{0}}, full[LEVELS * 64 + LEVELS];
  for (const char *at = (const char *)run->config; at && *at;) {
    size_t indent = strspn(at, " "), length = strcspn(at, "\n"), level = indent / 2;
    const char *word = at + indent, *colon = memchr(at, ':', length);
    at += length + (at[length] == '\n');
    if (!colon || colon < word || level >= LEVELS) continue;
    snprintf(path[level], sizeof path[level], "%.*s", (int)(colon - word < 63 ? colon - word : 63), word);
    size_t used = 0;
    for (size_t k = 0; k <= level; k++)
      used += (size_t)snprintf(full + used, sizeof full - used, "%s%s", k ? "." : "", path[k]);
    if (strcmp(full, key) != 0) continue;
    const char *rest = colon + 1 + strspn(colon + 1, " "), *end = rest + strcspn(rest, "\n");
    bool cut = end - rest >= VALUE_ROOM - 4;
    snprintf(value, VALUE_ROOM, "%.*s%s", (int)(cut ? VALUE_ROOM - 5 : end - rest), rest, cut ? " .." : "");
    return true;
  }
  return false;
}

/* The row of a key when two runs differ in it. */
static bool put_key(const fg_side *s, const char *key, fg_page *rows)
{
  char first[VALUE_ROOM] = "", value[VALUE_ROOM];
  bool differs = false, any = false;
  for (size_t k = 0; k < s->count; k++) {
    if (!find_value(s->of[k].run, key, value)) continue;
    differs = differs || (any && strcmp(first, value) != 0);
    if (!any) strcpy(first, value);
    any = true;
  }
  if (!differs) return false;
  fg_page_print(rows, "<tr><th scope=\"row\">%s</th>", key);
  for (size_t k = 0; k < s->count; k++) {
    fg_page_put(rows, "<td class=\"left\">");
    if (find_value(s->of[k].run, key, value))
      fg_page_text(rows, value);
    else
      fg_page_put(rows, "<span class=\"none\" title=\"not in its config.yaml\">\xe2\x80\x93</span>");
    fg_page_put(rows, "</td>");
  }
  fg_page_put(rows, "</tr>\n");
  return true;
}

void fg_side_settings(const fg_side *s)
{
  fg_page *page = s->report.page, rows = {0};
  size_t count, differ = 0, without = 0;
  const fg_setting *table = fg_settings_table(&count);
  for (size_t i = 0; i < count; i++) differ += put_key(s, table[i].key, &rows);
  for (size_t k = 0; k < s->count; k++) without += !s->of[k].run->config;
  fg_page_put(page, "<section id=\"settings\">\n<h2>What differs in the settings</h2>\n");
  if (differ) {
    fg_page_put(page, "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Setting</th>");
    for (size_t k = 0; k < s->count; k++) {
      fg_page_put(page, "<th scope=\"col\" class=\"left\">");
      fg_page_text(page, s->of[k].name);
      fg_page_put(page, "</th>");
    }
    fg_page_put(page, "</tr></thead>\n<tbody>\n");
    fg_page_bytes(page, rows.text, rows.used);
    fg_page_put(page, "</tbody></table></div>\n");
  } else {
    fg_page_put(page, "<p class=\"note\">Nothing: all runs have the same settings.</p>\n");
  }
  if (without)
    fg_page_print(page, "<p class=\"note\">%zu of the runs ha%s no config.yaml.</p>\n", without,
                  without == 1 ? "s" : "ve");
  fg_page_put(page, "</section>\n");
  page->failed = page->failed || rows.failed;
  fg_page_clear(&rows);
}

void fg_side_provenance(const fg_side *s)
{
  static const char *const keys[] = {"created", "version", "engine", "isa"};
  fg_page *page = s->report.page;
  fg_page_put(
      page,
      "<section id=\"provenance\">\n<h2>Where these runs come from</h2>\n<div class=\"scroll\"><table>\n"
      "<thead><tr><th scope=\"col\">Run</th><th scope=\"col\" class=\"left\">Folder</th><th "
      "scope=\"col\">Made</th><th scope=\"col\">Version</th><th scope=\"col\">Engine</th><th "
      "scope=\"col\">Instruction set</th><th scope=\"col\">Seed</th></tr></thead>\n<tbody>\n");
  for (size_t k = 0; k < s->count; k++) {
    const json_t *results = s->of[k].run->results;
    fg_page_put(page, "<tr><th scope=\"row\">");
    fg_page_text(page, s->of[k].name);
    fg_page_put(page, "</th><td class=\"left\">");
    fg_page_text(page, s->of[k].directory);
    fg_page_put(page, "</td>");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
      fg_page_put(page, "<td>");
      fg_page_text(page, fg_run_word(results, keys[i], "not recorded"));
      if (strcmp(keys[i], "isa") == 0 && json_is_true(fg_run_find(results, "tf32")))
        fg_page_put(page, ", TF32");
      fg_page_put(page, "</td>");
    }
    fg_page_put(page, "<td>");
    fg_page_setting(page, fg_run_real(results, "seed"), "not recorded");
    fg_page_put(page, "</td></tr>\n");
  }
  fg_page_put(page,
              "</tbody></table></div>\n<p class=\"note\">Each has its own page: flowgap report FOLDER.</p>\n"
              "</section>\n");
}
