/* A user's density: opening the shared object, and the target that it makes. */
#include "target/plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "flowgap/plugin.h"
#include "target/target_impl.h"

enum { MOST_DIMENSIONS = 100000 };

double fg_plugin_call(const fg_plugin *plugin, int d, const double *x, double *score)
{
  if (score) plugin->score(x, d, score);
  return plugin->log_density(x, d);
}

static void close_plugin(fg_plugin *plugin)
{
  if (plugin->library) dlclose(plugin->library);
  plugin->library = NULL;
}

/* A file that can be read, opened as the loader wants it: a name without a slash would be searched for. */
static fg_code open_library(const char *path, void **library, fg_status *st)
{
  FILE *stream;
  size_t size, length = strlen(path);
  if (length > 2 && strcmp(path + length - 2, ".c") == 0)
    return FG_FAIL(st, FG_USAGE,
                   "target.file is %s, which is not built: run `flowgap target build %s`, "
                   "and name the .so that it makes",
                   path, path);
  FG_TRY(fg_file_open(path, &stream, &size, st));
  fclose(stream);
  char *name = malloc(length + 3);
  if (!name) return FG_FAIL(st, FG_MEMORY, "no memory for a path");
  snprintf(name, length + 3, "%s%s", strchr(path, '/') ? "" : "./", path);
  *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  free(name);
  if (*library) return FG_OK;
  const char *why = dlerror();
  return FG_FAIL(st, FG_IO, "%s cannot be loaded: %s: build it with `flowgap target build`", path,
                 why ? why : "no reason given");
}

/* `function` points to a function pointer. */
static fg_code take_function(const fg_plugin *plugin, const char *path, const char *name, void *function,
                             fg_status *st)
{
  void *symbol = dlsym(plugin->library, name);
  memcpy(function, &symbol, sizeof symbol);
  if (symbol || !st) return FG_OK;
  return FG_FAIL(st, FG_IO, "%s has no function %s: flowgap/plugin.h says what a target needs", path, name);
}

static fg_code open_plugin(const char *path, fg_plugin *plugin, fg_status *st)
{
  memset(plugin, 0, sizeof *plugin);
  FG_TRY(open_library(path, &plugin->library, st));
  const int *version = dlsym(plugin->library, "flowgap_plugin_version");
  fg_code rc = FG_OK;
  if (!version)
    rc = FG_FAIL(st, FG_IO,
                 "%s has no flowgap_plugin_version: write #include <flowgap/plugin.h> in its source", path);
  else if (*version != FLOWGAP_PLUGIN_VERSION)
    rc = FG_FAIL(st, FG_IO,
                 "%s is written for version %d of flowgap/plugin.h, this is version %d: build it again", path,
                 *version, FLOWGAP_PLUGIN_VERSION);
  if (rc == FG_OK) rc = take_function(plugin, path, "flowgap_log_density", &plugin->log_density, st);
  if (rc == FG_OK) rc = take_function(plugin, path, "flowgap_score", &plugin->score, st);
  if (rc == FG_OK) rc = take_function(plugin, path, "flowgap_dimension", &plugin->dimension, NULL);
  if (rc != FG_OK) close_plugin(plugin);
  return rc;
}

/* 0 when the plugin does not say. */
static fg_code own_dimension(const fg_plugin *plugin, const char *path, size_t *dimension, fg_status *st)
{
  int d = plugin->dimension ? plugin->dimension() : 0;
  *dimension = d > 0 ? (size_t)d : 0;
  if (!plugin->dimension || (d >= 1 && d <= MOST_DIMENSIONS)) return FG_OK;
  return FG_FAIL(st, FG_IO, "%s: flowgap_dimension() is %d: it must be 1 to %d", path, d, MOST_DIMENSIONS);
}

static fg_code choose_dimension(const fg_plugin *plugin, const fg_target_settings *s, size_t *dimension,
                                fg_status *st)
{
  FG_TRY(own_dimension(plugin, s->file, dimension, st));
  if (*dimension && s->dimension && s->dimension != *dimension)
    return FG_FAIL(st, FG_USAGE, "target.dimension is %zu but %s is of dimension %zu: leave the setting out",
                   s->dimension, s->file, *dimension);
  if (!*dimension) *dimension = s->dimension;
  if (*dimension) return FG_OK;
  return FG_FAIL(st, FG_USAGE,
                 "target.dimension is not set, and %s has no flowgap_dimension: give one of them", s->file);
}

fg_code fg_target_plugin_dimension(const char *path, size_t *dimension, fg_status *st)
{
  fg_plugin plugin;
  FG_TRY(open_plugin(path, &plugin, st));
  fg_code rc = own_dimension(&plugin, path, dimension, st);
  close_plugin(&plugin);
  return rc;
}

/* ---- as a target ------------------------------------------------------------------------- */

static double log_density(const fg_target *t, const double *x, double *score, double *scratch)
{
  (void)scratch;
  return fg_plugin_call(t->data, (int)t->d, x, score);
}

static double call(const void *data, int d, const double *x, double *score)
{
  return fg_plugin_call(data, d, x, score);
}

static fg_code density(const fg_target *t, const fg_density_memory *memory, fg_density *out, fg_status *st)
{
  (void)memory;
  (void)st;
  out->kind = FG_DENSITY_PLUGIN;
  out->as.plugin.call = call;
  out->as.plugin.data = t->data;
  return FG_OK;
}

static void destroy(void *data)
{
  close_plugin(data);
  free(data);
}

static const fg_target_ops plugin_ops = {log_density, NULL, NULL, NULL, destroy, density};

fg_code fg_target_make_plugin(const fg_target_settings *s, fg_target *target, fg_status *st)
{
  if (!s->file || !*s->file)
    return FG_FAIL(st, FG_USAGE, "target.file is empty: name the .so that `flowgap target build` made");
  fg_plugin *plugin = malloc(sizeof *plugin);
  if (!plugin) return FG_FAIL(st, FG_MEMORY, "no memory for a plugin");
  fg_code rc = open_plugin(s->file, plugin, st);
  if (rc == FG_OK) rc = choose_dimension(plugin, s, &target->d, st);
  if (rc == FG_OK) rc = fg_plugin_check(plugin, s->file, target->d, st);
  if (rc != FG_OK) {
    destroy(plugin);
    return rc;
  }
  target->abilities = FG_TARGET_DENSITY | FG_TARGET_SCORE;
  target->ops = &plugin_ops;
  target->data = plugin;
  return FG_OK;
}
