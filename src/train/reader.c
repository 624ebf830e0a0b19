#include "train/reader.h"

#include <math.h>
#include <string.h>

int64_t fg_read_integer(fg_reader *r, const char *key)
{
  int64_t value = 0;
  if (r->rc == FG_OK) r->rc = fg_settings_integer(r->settings, key, &value, r->st);
  return value;
}

double fg_read_real(fg_reader *r, const char *key)
{
  double value = 0;
  if (r->rc == FG_OK) r->rc = fg_settings_real(r->settings, key, &value, r->st);
  return value;
}

bool fg_read_flag(fg_reader *r, const char *key)
{
  bool value = false;
  if (r->rc == FG_OK) r->rc = fg_settings_flag(r->settings, key, &value, r->st);
  return value;
}

int fg_read_word(fg_reader *r, const char *key, const char *const *words)
{
  const char *text = "";
  if (r->rc == FG_OK) r->rc = fg_settings_text(r->settings, key, &text, r->st);
  for (int k = 0; r->rc == FG_OK && words[k]; k++)
    if (strcmp(words[k], text) == 0) return k;
  if (r->rc == FG_OK) r->rc = FG_FAIL(r->st, FG_USAGE, "%s is %s, which is not known", key, text);
  return 0;
}

bool fg_is_whole(double x)
{
  return x == floor(x);
}
