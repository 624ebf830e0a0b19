/* flowgap info */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "flowgap/flowgap.h"

#ifndef FG_LIBRARIES
#define FG_LIBRARIES ""
#endif

/* "cpu": "avx2", or why it cannot be opened. */
static json_t *describe(const char *name)
{
  fg_engine *engine = NULL;
  fg_status st = {0};
  if (fg_engine_open(name, 1, &engine, &st) != FG_OK)
    return json_pack("{s:s, s:b, s:s}", "name", name, "available", 0, "reason", st.message);
  json_t *one = json_pack("{s:s, s:b, s:s}", "name", name, "available", 1, "isa", fg_engine_isa(engine));
  json_object_set_new(one, "tf32", json_boolean(fg_engine_has_tf32(engine)));
  json_t *devices = json_array();
  for (const char *at = fg_engine_devices(engine); *at;) {
    const size_t length = strcspn(at, "\n");
    json_array_append_new(devices, json_stringn(at, length));
    at += length + (at[length] == '\n');
  }
  if (json_array_size(devices) > 0) json_object_set(one, "devices", devices);
  json_decref(devices);
  fg_engine_close(&engine);
  return one;
}

static int usable_threads(void)
{
  fg_threads *pool = NULL;
  if (fg_threads_create(0, &pool, NULL) != FG_OK) return 1;
  int count = fg_threads_count(pool);
  fg_threads_destroy(&pool);
  return count;
}

/* "GSL 2.7, HDF5 1.10.8" into an object. */
static json_t *libraries(void)
{
  json_t *all = json_object();
  char text[] = FG_LIBRARIES, *rest = NULL;
  for (char *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
    one += strspn(one, " ");
    char *space = strchr(one, ' ');
    if (!space) continue;
    *space = '\0';
    json_object_set_new(all, one, json_string(space + 1));
  }
  return all;
}

/* The engine that runs where --engine is not given. */
static const char *best(const json_t *engines)
{
  json_t *value;
  size_t i;
  json_array_foreach(engines, i, value)
  {
    if (strcmp(json_string_value(json_object_get(value, "name")), "cuda") == 0 &&
        json_is_true(json_object_get(value, "available")))
      return "cuda";
  }
  return "cpu";
}

static void put_text(const json_t *root)
{
  const char *name;
  json_t *value;
  size_t i;
  printf("flowgap %s\n", fg_version());
  printf("threads   %lld\n", (long long)json_integer_value(json_object_get(root, "threads")));
  json_array_foreach(json_object_get(root, "engines"), i, value)
  {
    bool there = json_is_true(json_object_get(value, "available"));
    printf("engine    %-10s %s%s\n", json_string_value(json_object_get(value, "name")),
           json_string_value(json_object_get(value, there ? "isa" : "reason")),
           json_is_true(json_object_get(value, "tf32")) ? ", TF32 with --tf32" : "");
    size_t k;
    json_t *device;
    json_array_foreach(json_object_get(value, "devices"), k, device)
        printf("device    %s\n", json_string_value(device));
  }
  printf("default   %s\n", json_string_value(json_object_get(root, "default_engine")));
  json_object_foreach(json_object_get(root, "libraries"), name, value)
      printf("library   %-10s %s\n", name, json_string_value(value));
}

fg_code fg_run_info(const fg_args *args, fg_status *st)
{
  json_t *engines = json_array();
  static const char *const names[] = {"cpu", "cpu-check", "cuda"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    json_array_append_new(engines, describe(names[i]));
  json_t *root = json_pack("{s:s, s:i, s:s, s:o, s:o}", "version", fg_version(), "threads", usable_threads(),
                           "default_engine", best(engines), "engines", engines, "libraries", libraries());
  if (!root) return FG_FAIL(st, FG_MEMORY, "no memory for JSON");
  if (args->value[FG_OPTION_JSON]) {
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
  } else {
    put_text(root);
  }
  json_decref(root);
  return FG_OK;
}
