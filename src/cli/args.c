#include "cli/args.h"

#include <stdlib.h>
#include <string.h>

static fg_code unknown_verb(const char *word, fg_status *st)
{
  size_t count, least = 4;
  const fg_verb *all = fg_verbs(&count);
  const char *best = NULL;
  for (size_t i = 0; i < count; i++) {
    size_t distance = fg_edit_distance(all[i].name, word);
    if (distance < least) {
      least = distance;
      best = all[i].name;
    }
  }
  if (best) return FG_FAIL(st, FG_USAGE, "there is no verb %.60s: did you mean %s?", word, best);
  return FG_FAIL(st, FG_USAGE, "there is no verb %.60s: `flowgap help` lists them", word);
}

static fg_code unknown_option(const fg_verb *verb, const char *word, size_t length, fg_status *st)
{
  const fg_option *all = fg_options();
  const char *best = NULL;
  char name[64] = "";
  size_t least = 3;
  if (length < sizeof name) memcpy(name, word, length);
  for (int i = 0; i < FG_OPTIONS; i++) {
    size_t distance = fg_edit_distance(all[i].name, name);
    if (distance == 0 && !verb)
      return FG_FAIL(st, FG_USAGE, "--%s is written after the verb that knows it", name);
    if (distance == 0) return FG_FAIL(st, FG_USAGE, "%s has no option --%s", verb->name, name);
    if (distance < least && fg_option_belongs(&all[i], verb)) {
      least = distance;
      best = all[i].name;
    }
  }
  int shown = length < 60 ? (int)length : 60;
  const char *of = verb ? verb->name : "flowgap";
  if (best)
    return FG_FAIL(st, FG_USAGE, "%s has no option --%.*s: did you mean --%s?", of, shown, word, best);
  size_t rows; /* a setting given as an option is a likely slip */
  const fg_setting *table = fg_settings_table(&rows);
  for (size_t i = 0; i < rows; i++)
    if (strcmp(table[i].key, name) == 0)
      return FG_FAIL(st, FG_USAGE, "%s is a setting: write --set %s=VALUE", name, name);
  return FG_FAIL(st, FG_USAGE, "%s has no option --%.*s", of, shown, word);
}

/* The option at argv[*at]; takes its value from the next word when there is no "=". */
static fg_code take_option(int argc, char **argv, int *at, fg_args *args, fg_status *st)
{
  const char *word = argv[*at] + 2, *equals = strchr(word, '=');
  size_t length = equals ? (size_t)(equals - word) : strlen(word);
  const fg_option *all = fg_options();
  int found = 0;
  while (found < FG_OPTIONS &&
         (strlen(all[found].name) != length || strncmp(all[found].name, word, length) != 0))
    found++;
  if (found == FG_OPTIONS || !fg_option_belongs(&all[found], args->verb))
    return unknown_option(args->verb, word, length, st);
  const char *name = all[found].name, *value = "";
  if (!all[found].argument && equals) return FG_FAIL(st, FG_USAGE, "--%s takes no value", name);
  if (all[found].argument) {
    if (!equals && *at + 1 >= argc)
      return FG_FAIL(st, FG_USAGE, "--%s needs a value: --%s %s", name, name, all[found].argument);
    value = equals ? equals + 1 : argv[++*at];
  }
  if (found == FG_OPTION_SET) {
    if (args->set_count == FG_ARGUMENTS) return FG_FAIL(st, FG_USAGE, "more than %d --set", FG_ARGUMENTS);
    args->sets[args->set_count++] = value;
  } else if (found == FG_OPTION_SET_GRID) {
    if (args->grid_count == FG_ARGUMENTS)
      return FG_FAIL(st, FG_USAGE, "more than %d --set-grid", FG_ARGUMENTS);
    args->grids[args->grid_count++] = value;
  } else if (args->value[found] && all[found].argument && strcmp(args->value[found], value) != 0) {
    return FG_FAIL(st, FG_USAGE, "--%s is given twice: %.60s and %.60s", name, args->value[found], value);
  }
  args->value[found] = value;
  return FG_OK;
}

/* An option may stand before the verb, which then has to know it. */
static fg_code check_options(const fg_args *args, fg_status *st)
{
  const fg_option *all = fg_options();
  for (int i = 0; i < FG_OPTIONS; i++)
    if (args->verb && args->value[i] && !fg_option_belongs(&all[i], args->verb))
      return unknown_option(args->verb, all[i].name, strlen(all[i].name), st);
  return FG_OK;
}

static fg_code check_count(const fg_args *args, fg_status *st)
{
  const fg_verb *verb = args->verb;
  if (!verb || args->value[FG_OPTION_HELP] || args->value[FG_OPTION_VERSION]) return FG_OK;
  if (args->count < verb->least)
    return FG_FAIL(st, FG_USAGE, "%s needs %zu argument%s: flowgap %s %s", verb->name, verb->least,
                   verb->least == 1 ? "" : "s", verb->name, verb->synopsis);
  if (args->count > verb->most)
    return FG_FAIL(st, FG_USAGE, "%s does not know what to do with \"%.60s\": flowgap %s %s", verb->name,
                   args->argument[verb->most], verb->name, verb->synopsis);
  return FG_OK;
}

/* Common options may stand before the verb. */
fg_code fg_args_parse(int argc, char **argv, fg_args *args, fg_status *st)
{
  bool only_words = false;
  memset(args, 0, sizeof *args);
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    if (!only_words && strcmp(word, "--") == 0) {
      only_words = true;
    } else if (!only_words && strcmp(word, "-h") == 0) {
      args->value[FG_OPTION_HELP] = "";
    } else if (!only_words && strncmp(word, "--", 2) == 0) {
      FG_TRY(take_option(argc, argv, &i, args, st));
    } else if (!only_words && word[0] == '-' && word[1] != '\0') {
      return FG_FAIL(st, FG_USAGE, "there is no option %.60s: options are written --name", word);
    } else if (!args->verb) {
      args->verb = fg_verb_find(word);
      if (!args->verb) return unknown_verb(word, st);
    } else {
      if (args->count == FG_ARGUMENTS) return FG_FAIL(st, FG_USAGE, "more than %d arguments", FG_ARGUMENTS);
      args->argument[args->count++] = word;
    }
  }
  FG_TRY(check_options(args, st));
  return check_count(args, st);
}

fg_code fg_args_integer(const fg_args *args, fg_option_id option, long long low, long long high,
                        long long fallback, long long *value, fg_status *st)
{
  const char *text = args->value[option];
  *value = fallback;
  if (!text) return FG_OK;
  size_t digits = strspn(text, "0123456789");
  if (digits > 0 && digits < 19 && text[digits] == '\0') {
    *value = strtoll(text, NULL, 10);
    if (*value >= low && *value <= high) return FG_OK;
  }
  return FG_FAIL(st, FG_USAGE, "--%s is \"%.60s\": give an integer from %lld to %lld",
                 fg_options()[option].name, text, low, high);
}
