/* needs: base */
/* Bad settings files fail well: every file of the corpus, and 20,000 deterministic mutations of them, is
 * either refused with a message, or accepted and then written and read back to the same settings. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "flowgap/base.h"

enum { MUTATIONS = 20000, LARGEST = 4096, FILES = 64 };

typedef struct corpus {
  char *text[FILES];
  size_t length[FILES], count;
} corpus;

static uint64_t random_state = 0x9E3779B97F4A7C15u;

/* splitmix64 */
static uint64_t random_word(void)
{
  uint64_t z = (random_state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

static size_t below(size_t n)
{
  return n ? (size_t)(random_word() % n) : 0;
}

static char *slurp(const char *path, size_t *length)
{
  FILE *file = fopen(path, "rb");
  char *text = calloc(1, LARGEST + 1);
  if (!file || !text) fail_msg("cannot read %s", path);
  *length = fread(text, 1, LARGEST, file);
  fclose(file);
  return text;
}

static int by_name(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of the names, so that mutations are the same everywhere. */
static corpus read_corpus(void)
{
  static const char folder[] = FG_SOURCE_DIR "/tests/fuzz/corpus/settings";
  corpus all = {{0}, {0}, 0};
  char *names[FILES];
  size_t count = 0;
  DIR *list = opendir(folder);
  if (!list) fail_msg("cannot open %s", folder);
  for (struct dirent *entry; (entry = readdir(list)) != NULL && count < FILES;)
    if (strstr(entry->d_name, ".yaml")) names[count++] = strdup(entry->d_name);
  closedir(list);
  qsort(names, count, sizeof *names, by_name);
  for (size_t i = 0; i < count; i++) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    all.text[i] = slurp(path, &all.length[i]);
    free(names[i]);
  }
  all.count = count;
  return all;
}

static void drop_corpus(corpus *all)
{
  for (size_t i = 0; i < all->count; i++) free(all->text[i]);
}

/* True when the text was accepted. */
static bool try_text(const char *text)
{
  fg_settings *settings = NULL, *back = NULL;
  fg_status st = {0};
  char *yaml = NULL, *again = NULL;
  assert_int_equal(fg_settings_create(&settings, &st), FG_OK);
  fg_code rc = fg_settings_parse(settings, text, "fuzz.yaml", &st);
  if (rc != FG_OK) {
    if (rc != FG_USAGE || strncmp(st.message, "fuzz.yaml, ", 11) != 0 || strlen(st.message) < 20)
      fail_msg("code %d, message \"%s\" for\n%s", rc, st.message, text);
    fg_settings_destroy(&settings);
    return false;
  }
  assert_int_equal(fg_settings_yaml(settings, &yaml, &st), FG_OK);
  assert_int_equal(fg_settings_create(&back, &st), FG_OK);
  if (fg_settings_parse(back, yaml, "back.yaml", &st) != FG_OK) fail_msg("%s\nfor\n%s", st.message, text);
  assert_int_equal(fg_settings_yaml(back, &again, &st), FG_OK);
  assert_string_equal(yaml, again);
  free(yaml);
  free(again);
  fg_settings_destroy(&back);
  fg_settings_destroy(&settings);
  return true;
}

static void test_corpus(void **state)
{
  (void)state;
  corpus all = read_corpus();
  assert_true(all.count >= 10);
  size_t accepted = 0;
  for (size_t i = 0; i < all.count; i++) accepted += try_text(all.text[i]);
  assert_true(accepted >= 3 && accepted < all.count);
  drop_corpus(&all);
}

static size_t insert(char *text, size_t length, size_t at, const char *piece, size_t size)
{
  if (length + size > LARGEST) return length;
  memmove(text + at + size, text + at, length - at);
  memcpy(text + at, piece, size);
  return length + size;
}

static size_t mutate(const corpus *all, char *text, size_t length)
{
  static const char *const pieces[] = {
      "[",    "]",    "{",   "}",    ":",      ": ",   ",",   "\n",   "\n  ",        "\t",           "#",
      "'",    "\"",   "&a ", "*a",   "!!str ", "---",  "...", "auto", "nan",         "1e999",        "-",
      "- ",   "0x1",  "\\",  "? ",   "| ",     "> ",   "~",   "%",    "\xff",        "\xE2\x80\xA8", "<<",
      "1e-5", "true", ".",   "seed", "flow",   "null", "9e9", "\r",   "\xEF\xBB\xBF"};
  size_t at = below(length + 1), span = below(12);
  const corpus *a = all;
  size_t other = below(a->count);
  if (span > length - at) span = length - at;
  switch (below(6)) {
  case 0: /* remove */
    memmove(text + at, text + at + span, length - at - span);
    return length - span;
  case 1: /* change a byte */
    if (at < length) text[at] = (char)(1 + below(255));
    return length;
  case 2: { /* insert a piece of syntax */
    const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
    return insert(text, length, at, piece, strlen(piece));
  }
  case 3: { /* repeat a part of the text */
    char part[12];
    memcpy(part, text + at, span);
    return insert(text, length, below(length + 1), part, span);
  }
  case 4: { /* bring a part of another file */
    size_t from = below(a->length[other]), size = below(60);
    if (size > a->length[other] - from) size = a->length[other] - from;
    return insert(text, length, at, a->text[other] + from, size);
  }
  default:
    return at; /* cut */
  }
}

static void test_mutations(void **state)
{
  (void)state;
  corpus all = read_corpus();
  size_t accepted = 0;
  static char text[LARGEST + 1];
  for (int i = 0; i < MUTATIONS; i++) {
    size_t start = below(all.count), length = all.length[start];
    memcpy(text, all.text[start], length);
    for (size_t rounds = 1 + below(4); rounds > 0; rounds--) length = mutate(&all, text, length);
    text[length] = '\0';
    accepted += try_text(text);
  }
  /* Both sides of the fence are visited. */
  print_message("accepted %zu of %d\n", accepted, MUTATIONS);
  assert_true(accepted > MUTATIONS / 100 && accepted < MUTATIONS);
  drop_corpus(&all);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus), cmocka_unit_test(test_mutations)};
  return cmocka_run_group_tests_name("fuzz settings", tests, NULL, NULL);
}
