/* flowgap target build FILE.c */
#define _GNU_SOURCE /* readlink */
#include <errno.h>
#include <jansson.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/args.h"
#include "flowgap/flowgap.h"

#ifndef FG_INCLUDE_FOLDERS
#define FG_INCLUDE_FOLDERS ""
#endif

extern char **environ;

enum { PATH_ROOM = 4096, COMPILER_WORDS = 16, WORDS_MOST = COMPILER_WORDS + 16 };

typedef struct build {
  const char *source;
  char out[PATH_ROOM],
      temporary[PATH_ROOM + 16]; /* the compiler writes to the second, which is then renamed */
  char include[PATH_ROOM];       /* folder of flowgap/plugin.h, "" if it was not found */
  char compiler[256];            /* $CC, cut into words */
  const char *word[WORDS_MOST];
  size_t words;
} build;

static bool holds_header(const char *folder)
{
  char path[PATH_ROOM + 32];
  snprintf(path, sizeof path, "%s/flowgap/plugin.h", folder);
  return access(path, R_OK) == 0;
}

/* Beside the program as installed, then where this build was configured to be installed or made. Left empty, the
 * compiler searches its own folders. */
static void find_header(build *b)
{
  char program[PATH_ROOM - 64], folders[] = FG_INCLUDE_FOLDERS, *rest = NULL;
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  program[length > 0 ? length : 0] = '\0';
  char *slash = strrchr(program, '/');
  if (slash) {
    *slash = '\0';
    snprintf(b->include, sizeof b->include, "%s/../include", program);
    if (holds_header(b->include)) return;
  }
  for (char *one = strtok_r(folders, ":", &rest); one; one = strtok_r(NULL, ":", &rest)) {
    snprintf(b->include, sizeof b->include, "%s", one);
    if (holds_header(b->include)) return;
  }
  b->include[0] = '\0';
}

static bool ends_with(const char *text, const char *end)
{
  size_t length = strlen(text), tail = strlen(end);
  return length > tail && strcmp(text + length - tail, end) == 0;
}

static fg_code choose_paths(const fg_args *args, build *b, fg_status *st)
{
  const char *out = args->value[FG_OPTION_OUT];
  b->source = args->argument[1];
  size_t length = strlen(b->source);
  if (!ends_with(b->source, ".c"))
    return FG_FAIL(st, FG_USAGE, "target build takes a C file: %.200s does not end in .c", b->source);
  if (access(b->source, R_OK) != 0)
    return FG_FAIL(st, FG_IO, "cannot read %.200s: %s", b->source, strerror(errno));
  if (length + 2 > sizeof b->out || (out && strlen(out) + 1 > sizeof b->out))
    return FG_FAIL(st, FG_USAGE, "a path is longer than %d bytes", PATH_ROOM - 2);
  if (out && ends_with(out, ".c")) /* a slip that would replace a source */
    return FG_FAIL(st, FG_USAGE, "--out is %.200s, a C file: give a name that ends in .so", out);
  if (out)
    snprintf(b->out, sizeof b->out, "%s", out);
  else
    snprintf(b->out, sizeof b->out, "%.*s.so", (int)length - 2, b->source);
  snprintf(b->temporary, sizeof b->temporary, "%s.%ld.tmp", b->out, (long)getpid());
  return FG_OK;
}

static void add(build *b, const char *word)
{
  b->word[b->words++] = word;
}

static fg_code make_words(build *b, fg_status *st)
{
  const char *cc = getenv("CC");
  char *rest = NULL;
  if (!cc || !*cc) cc = "cc";
  if (strlen(cc) >= sizeof b->compiler) return FG_FAIL(st, FG_USAGE, "CC is too long: %.60s...", cc);
  snprintf(b->compiler, sizeof b->compiler, "%s", cc);
  for (char *one = strtok_r(b->compiler, " ", &rest); one; one = strtok_r(NULL, " ", &rest)) {
    if (b->words == COMPILER_WORDS)
      return FG_FAIL(st, FG_USAGE, "CC holds more than %d words", COMPILER_WORDS);
    add(b, one);
  }
  if (!b->words) add(b, "cc");
  add(b, "-O2");
  add(b, "-fPIC");
  add(b, "-shared");
  if (b->include[0]) {
    add(b, "-I");
    add(b, b->include);
  }
  add(b, "-o");
  add(b, b->temporary);
  add(b, b->source);
  add(b, "-lm");
  b->word[b->words] = NULL;
  return FG_OK;
}

/* No shell: file names are passed as they are. The compiler's messages go where ours do. */
static fg_code compile(const build *b, fg_status *st)
{
  pid_t child;
  int state;
  fflush(NULL);
  int error = posix_spawnp(&child, b->word[0], NULL, NULL, (char *const *)b->word, environ);
  if (error)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "cannot run the C compiler %s: %s: install one (Debian: gcc), or name yours in CC",
                   b->word[0], strerror(error));
  while (waitpid(child, &state, 0) < 0)
    if (errno != EINTR)
      return FG_FAIL(st, FG_FAILED, "waiting for %s failed: %s", b->word[0], strerror(errno));
  if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return FG_OK;
  if (WIFSIGNALED(state))
    return FG_FAIL(st, FG_FAILED, "%s was ended by signal %d", b->word[0], WTERMSIG(state));
  return FG_FAIL(st, FG_IO, "%s does not compile: %s ended with status %d, its messages are above", b->source,
                 b->word[0], WEXITSTATUS(state));
}

/* Load it as a run would; without a dimension only its symbols can be looked at. */
static fg_code inspect(build *b, size_t *dimension, fg_status *st)
{
  fg_target_settings settings;
  fg_target *target = NULL;
  FG_TRY(fg_target_plugin_dimension(b->temporary, dimension, st));
  if (*dimension == 0) return FG_OK;
  fg_target_defaults(FG_TARGET_PLUGIN, &settings);
  settings.file = b->temporary;
  FG_TRY(fg_target_create(&settings, &target, st));
  fg_target_destroy(&target);
  return FG_OK;
}

/* The user knows the source, not the temporary file. */
static void name_source(const build *b, fg_status *st)
{
  char rest[sizeof st->message];
  char *at = strstr(st->message, b->temporary);
  if (!at) return;
  snprintf(rest, sizeof rest, "%s", at + strlen(b->temporary));
  snprintf(at, sizeof st->message - (size_t)(at - st->message), "%s%s", b->source, rest);
}

static fg_code finish(build *b, size_t *dimension, fg_status *st)
{
  fg_code rc = compile(b, st);
  if (rc == FG_OK) rc = inspect(b, dimension, st);
  if (rc == FG_OK && rename(b->temporary, b->out) != 0)
    rc = FG_FAIL(st, FG_IO, "cannot write %s: %s", b->out, strerror(errno));
  if (rc != FG_OK) {
    unlink(b->temporary);
    name_source(b, st);
  }
  return rc;
}

static fg_code put(const fg_args *args, const build *b, size_t dimension, fg_status *st)
{
  if (args->value[FG_OPTION_JSON]) {
    json_t *root = json_pack("{s:s, s:I}", "target", b->out, "dimension", (json_int_t)dimension);
    if (!root) return FG_FAIL(st, FG_USAGE, "%s is not UTF-8, so JSON cannot name it", b->out);
    json_dumpf(root, stdout, 0);
    putchar('\n');
    json_decref(root);
  } else if (!args->value[FG_OPTION_QUIET] && dimension) {
    printf("%s: dimension %zu, checked. Settings: target: {kind: plugin, file: %s}\n", b->out, dimension,
           b->out);
  } else if (!args->value[FG_OPTION_QUIET]) {
    printf("%s: checked when it is used. Settings: target: {kind: plugin, file: %s, dimension: ...}\n",
           b->out, b->out);
  }
  return FG_OK;
}

fg_code fg_run_target(const fg_args *args, fg_status *st)
{
  build b = {.words = 0};
  size_t dimension = 0;
  if (strcmp(args->argument[0], "build") != 0)
    return FG_FAIL(st, FG_USAGE, "target does not know \"%.60s\": write flowgap target build FILE.c",
                   args->argument[0]);
  FG_TRY(choose_paths(args, &b, st));
  find_header(&b);
  FG_TRY(make_words(&b, st));
  FG_TRY(finish(&b, &dimension, st));
  return put(args, &b, dimension, st);
}
