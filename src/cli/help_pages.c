/* The man page and docs/settings.md, made from the tables. */
#include <string.h>

#include "cli/help.h"

/* ---- man page ----------------------------------------------------------------------------- */

/* Roff: hyphens and backslashes are escaped, a point at the start of a line too. */
static void put_roff(FILE *out, const char *text)
{
  bool start = true;
  for (; *text; text++) {
    if (start && (*text == '.' || *text == '\'')) fputs("\\&", out);
    if (*text == '-')
      fputs("\\-", out);
    else if (*text == '\\')
      fputs("\\e", out);
    else
      fputc(*text, out);
    start = *text == '\n';
  }
}

static void put_options(FILE *out, const fg_verb *verb)
{
  const fg_option *options = fg_options();
  for (int i = 0; i < FG_OPTIONS; i++) {
    bool own = !fg_option_is_common(&options[i]);
    if (own != (verb != NULL) || !fg_option_belongs(&options[i], verb)) continue;
    fputs(".TP\n.B \\-\\-", out);
    put_roff(out, options[i].name);
    if (options[i].argument) {
      fputs(" \\fI", out);
      put_roff(out, options[i].argument);
      fputs("\\fR", out);
    }
    fputc('\n', out);
    put_roff(out, options[i].help);
    fputs(".\n", out);
  }
}

static void put_verbs(FILE *out)
{
  size_t count;
  const fg_verb *all = fg_verbs(&count);
  fputs(".SH VERBS\n", out);
  for (size_t i = 0; i < count; i++) {
    fprintf(out, ".SS \"");
    put_roff(out, all[i].name);
    fputc(' ', out);
    put_roff(out, all[i].synopsis);
    fputs("\"\n", out);
    for (const char *at = all[i].details; *at;) { /* an empty line is a new paragraph */
      size_t length = strcspn(at, "\n");
      char line[256];
      snprintf(line, sizeof line, "%.*s", (int)length, at);
      if (length == 0)
        fputs(".PP", out);
      else
        put_roff(out, line);
      fputc('\n', out);
      at += length + (at[length] == '\n');
    }
    put_options(out, &all[i]);
  }
}

static void put_settings(FILE *out)
{
  size_t rows;
  const fg_setting *table = fg_settings_table(&rows);
  char range[FG_RANGE_TEXT];
  fputs(".SH SETTINGS\nKeys of the YAML file and of \\-\\-set. A number left at \\fBauto\\fR follows from "
        "other "
        "settings.\n",
        out);
  for (size_t i = 0; i < rows; i++) {
    fputs(".TP\n.B ", out);
    put_roff(out, table[i].key);
    fputc('\n', out);
    put_roff(out, table[i].help);
    fprintf(out, "\n(%s", fg_setting_type_name(table[i].type));
    if (*fg_setting_range(&table[i], range)) {
      fputs("; ", out);
      put_roff(out, range);
    }
    fputs("; default ", out);
    put_roff(out, fg_setting_default(&table[i]));
    fputs(")\n", out);
  }
}

void fg_help_man(FILE *out)
{
  fprintf(out, ".TH FLOWGAP 1 \"\" \"flowgap %s\" \"User commands\"\n", fg_version());
  fputs(".SH NAME\nflowgap \\- how far apart are the ODE and the SDE of a score model\n"
        ".SH SYNOPSIS\n.B flowgap\n.I VERB\n[arguments] [options]\n"
        ".SH DESCRIPTION\nA score model drives a reverse SDE and a probability\\-flow ODE. Both have the "
        "same law only "
        "if the score is exact.\nflowgap draws both laws, measures their distance with its uncertainty, and "
        "the "
        "Fokker\\-Planck residual behind it.\n",
        out);
  put_verbs(out);
  fputs(".SH OPTIONS\n", out);
  put_options(out, NULL);
  put_settings(out);
  fputs(".SH EXIT STATUS\n"
        "0 done; 1 failed while running; 2 bad usage or settings; 3 numerical failure; 4 input or output; "
        "130 stopped "
        "by Ctrl\\-C.\n"
        ".SH ENVIRONMENT\n.TP\n.B FLOWGAP_ISA\nAsks the CPU engine for a lower instruction set: baseline, "
        "avx2, "
        "avx512.\n"
        ".SH EXAMPLES\n.nf\nflowgap compare exact:gmm9\n"
        "flowgap compare model.yaml \\-\\-set flow.sde.steps=800 \\-\\-out runs/finer\n"
        "flowgap distance runs/exact\\-gmm9/samples.h5:ode other.csv\n.fi\n",
        out);
}

/* ---- Markdown ----------------------------------------------------------------------------- */

/* "flow.sde" of "flow.sde.steps" */
static size_t group_length(const char *key)
{
  const char *dot = strrchr(key, '.');
  return dot ? (size_t)(dot - key) : 0;
}

static void put_cell(FILE *out, const char *text)
{
  for (; *text; text++) {
    if (*text == '|') fputc('\\', out);
    fputc(*text, out);
  }
}

void fg_help_markdown(FILE *out)
{
  size_t rows;
  const fg_setting *table = fg_settings_table(&rows);
  char range[FG_RANGE_TEXT];
  fputs(
      "# Settings\n\n"
      "Made from the table in `src/base/settings_table.c` by `flowgap help --markdown`; do not edit.\n\n"
      "Settings come from a YAML file, then from `--set key=value`; later ones win. Groups may be nested or\n"
      "written with dots: `flow: {sde: {steps: 800}}` and `flow.sde.steps: 800` mean the same. A number left "
      "at\n"
      "`auto` follows from other settings. Relative paths are taken from the folder of the file that names "
      "them;\n"
      "with `--set`, from the current folder. Unknown or repeated keys, wrong types, values out of range, "
      "tabs,\n"
      "anchors and tags are refused with line and column. A list of `numbers` may be nested, but must be\n"
      "rectangular; with `--set` its outer brackets may be left out.\n",
      out);
  const char *before = "";
  for (size_t i = 0; i < rows; i++) {
    const fg_setting *row = &table[i];
    size_t group = group_length(row->key);
    if (i == 0 || group != group_length(before) || strncmp(before, row->key, group) != 0)
      fprintf(out,
              "\n## %.*s\n\n| key | type | default | allowed | unit | meaning |\n|---|---|---|---|---|---|\n",
              group ? (int)group : 7, group ? row->key : "general");
    fprintf(out, "| `%s` | %s | `%s` | ", row->key, fg_setting_type_name(row->type), fg_setting_default(row));
    put_cell(out, fg_setting_range(row, range));
    fprintf(out, " | %s | ", row->unit);
    put_cell(out, row->help);
    fputs(" |\n", out);
    before = row->key;
  }
}
