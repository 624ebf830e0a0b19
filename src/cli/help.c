#include "cli/help.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- words for a setting ------------------------------------------------------------------ */

const char *fg_setting_type_name(fg_setting_type type)
{
  switch (type) {
  case FG_SETTING_FLAG:
    return "flag";
  case FG_SETTING_INTEGER:
    return "integer";
  case FG_SETTING_REAL:
    return "number";
  case FG_SETTING_TEXT:
    return "text";
  case FG_SETTING_PATH:
    return "path";
  case FG_SETTING_CHOICE:
    return "choice";
  case FG_SETTING_ARRAY:
    return "numbers";
  case FG_SETTING_WORDS:
    return "words";
  }
  return "";
}

static const char *number_text(double value, char text[32])
{
  double size = value < 0 ? -value : value;
  snprintf(text, 32,
           size >= 1e6 && size < 1e15 && size / 1e6 == (double)(long long)(size / 1e6) ? "%.3g" : "%.16g",
           value);
  char *e = strstr(text, "e+"); /* 1e+08 reads better as 1e8 */
  if (e) {
    char *digits = e + 2;
    while (*digits == '0') digits++;
    memmove(e + 1, digits, strlen(digits) + 1);
  }
  return text;
}

const char *fg_setting_range(const fg_setting *row, char text[FG_RANGE_TEXT])
{
  char low[32], high[32];
  text[0] = '\0';
  if (row->type == FG_SETTING_FLAG) snprintf(text, FG_RANGE_TEXT, "true, false");
  if (row->choices) {
    snprintf(text, FG_RANGE_TEXT, "%s", row->choices);
    size_t used = 0;
    for (const char *at = row->choices; *at && used + 3 < FG_RANGE_TEXT; at++) {
      if (*at == ' ') text[used++] = ',';
      text[used++] = *at;
      text[used] = '\0';
    }
  }
  if (row->type == FG_SETTING_INTEGER || row->type == FG_SETTING_REAL || row->type == FG_SETTING_ARRAY)
    snprintf(text, FG_RANGE_TEXT, "%s to %s", number_text(row->low, low), number_text(row->high, high));
  return text;
}

const char *fg_setting_default(const fg_setting *row)
{
  return row->fallback[0] ? row->fallback : "\"\"";
}

/* ---- verbs -------------------------------------------------------------------------------- */

static void put_options(FILE *out, const fg_verb *verb)
{
  const fg_option *options = fg_options();
  for (int pass = 0; pass < 2; pass++) /* the verb's own ones first */
    for (int i = 0; i < FG_OPTIONS; i++) {
      if (!fg_option_belongs(&options[i], verb) || fg_option_is_common(&options[i]) != (pass == 1)) continue;
      char left[40];
      snprintf(left, sizeof left, "--%s%s%s", options[i].name, options[i].argument ? " " : "",
               options[i].argument ? options[i].argument : "");
      fprintf(out, "  %-22s %s\n", left, options[i].help);
    }
}

void fg_help_verb(FILE *out, const fg_verb *verb)
{
  if (verb) {
    fprintf(out, "flowgap %s %s\n\n%s\nOptions:\n", verb->name, verb->synopsis, verb->details);
    put_options(out, verb);
    return;
  }
  size_t count;
  const fg_verb *all = fg_verbs(&count);
  fputs("flowgap VERB [arguments] [options]\n\n"
        "How far apart are the ODE and the SDE of a score model, and why?\n\nVerbs:\n",
        out);
  for (size_t i = 0; i < count; i++) fprintf(out, "  %-10s %s\n", all[i].name, all[i].summary);
  fputs("\nCommon options:\n", out);
  put_options(out, NULL);
  fputs("\n`flowgap VERB --help` says more; `flowgap help settings` lists the settings.\n"
        "First steps: flowgap compare exact:gmm9\n",
        out);
}

/* ---- settings ----------------------------------------------------------------------------- */

static void put_setting(const fg_setting *row)
{
  char range[FG_RANGE_TEXT];
  printf("%s\n  %s\n", row->key, row->help);
  printf("  type:    %s%s%s%s\n", fg_setting_type_name(row->type), *row->unit ? " (" : "", row->unit,
         *row->unit ? ")" : "");
  if (*fg_setting_range(row, range)) printf("  allowed: %s\n", range);
  printf("  default: %s\n", fg_setting_default(row));
}

static void put_row(const fg_setting *row)
{
  char range[FG_RANGE_TEXT];
  printf("  %-26s %-24s %s", row->key, fg_setting_default(row), row->help);
  if (*fg_setting_range(row, range)) printf(" [%s]", range);
  putchar('\n');
}

static fg_code put_json(const fg_setting *table, size_t rows, fg_status *st)
{
  json_t *list = json_array();
  for (size_t i = 0; i < rows; i++) {
    const fg_setting *row = &table[i];
    json_t *one =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "key", row->key, "type", fg_setting_type_name(row->type),
                  "default", row->fallback, "unit", row->unit, "help", row->help);
    if (one && row->choices) json_object_set_new(one, "choices", json_string(row->choices));
    if (one && row->low < row->high) {
      json_object_set_new(one, "low", json_real(row->low));
      json_object_set_new(one, "high", json_real(row->high));
    }
    json_array_append_new(list, one);
  }
  char *text = json_dumps(list, JSON_INDENT(2));
  json_decref(list);
  if (!text) return FG_FAIL(st, FG_MEMORY, "no memory for JSON");
  puts(text);
  free(text);
  return FG_OK;
}

/* One key, or every row of a group, or all. */
static fg_code help_settings(const char *word, bool json, fg_status *st)
{
  size_t rows, shown = 0, least = 100;
  const fg_setting *table = fg_settings_table(&rows);
  const char *best = "";
  bool all = strcmp(word, "settings") == 0;
  if (all && json) return put_json(table, rows, st);
  size_t length = strlen(word);
  for (size_t i = 0; i < rows; i++) {
    const char *key = table[i].key;
    const char *last = strrchr(key, '.'); /* "particles" means compare.particles */
    size_t distance = fg_edit_distance(key, word),
           short_one = last ? fg_edit_distance(last + 1, word) : least;
    if (distance < least || short_one < least) {
      least = distance < short_one ? distance : short_one;
      best = key;
    }
    if (distance == 0) {
      put_setting(&table[i]);
      return FG_OK;
    }
    if (all || (strncmp(key, word, length) == 0 && key[length] == '.')) {
      if (shown++ == 0) printf("  %-26s %-24s %s\n", "setting", "default", "meaning [allowed]");
      put_row(&table[i]);
    }
  }
  if (shown) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "there is no verb and no setting %.60s: did you mean %s?", word, best);
}

fg_code fg_run_help(const fg_args *args, fg_status *st)
{
  if (args->value[FG_OPTION_MAN]) {
    fg_help_man(stdout);
  } else if (args->value[FG_OPTION_MARKDOWN]) {
    fg_help_markdown(stdout);
  } else if (args->count == 0) {
    fg_help_verb(stdout, NULL);
  } else if (fg_verb_find(args->argument[0])) {
    fg_help_verb(stdout, fg_verb_find(args->argument[0]));
  } else {
    return help_settings(args->argument[0], args->value[FG_OPTION_JSON] != NULL, st);
  }
  return FG_OK;
}
