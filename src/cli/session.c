#include "cli/session.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A grid given by segments rules out what would make another one: such a --set would change nothing. */
static fg_code check_grid(const fg_session *session, const char *flow, const char *const words[],
                          fg_status *st)
{
  char key[40];
  const double *segments;
  size_t shape[3];
  snprintf(key, sizeof key, "flow.%s.grid", flow);
  FG_TRY(fg_settings_array(session->settings, key, &segments, shape, st));
  for (size_t i = 0; segments && i < session->args->set_count; i++) {
    const char *set = session->args->sets[i];
    for (const char *const *word = words; *word; word++) {
      int length = snprintf(key, sizeof key, "flow.%s.%s", flow, *word);
      size_t given = strcspn(set, "= ");
      if (given == (size_t)length && strncmp(set, key, given) == 0)
        return FG_FAIL(st, FG_USAGE,
                       "--set: %s changes nothing while flow.%s.grid is set: give a new grid, or remove it "
                       "with --set 'flow.%s.grid=[]'",
                       key, flow, flow);
    }
  }
  return FG_OK;
}

static fg_code check_grids(const fg_session *session, fg_status *st)
{
  static const char *const sde[] = {"steps", "spacing", "t_end", NULL}, *const ode[] = {"steps", "spacing",
                                                                                        NULL};
  FG_TRY(check_grid(session, "sde", sde, st));
  return check_grid(session, "ode", ode, st);
}

/* An option that is short for a setting. */
static fg_code assign_option(fg_session *session, fg_option_id option, const char *key, fg_status *st)
{
  const char *value = session->args->value[option];
  char assignment[120];
  if (!value) return FG_OK;
  snprintf(assignment, sizeof assignment, "%s=%.70s", key, value);
  fg_code rc = fg_settings_assign(session->settings, assignment, st);
  if (rc == FG_OK) return rc;
  char prefix[40];
  snprintf(prefix, sizeof prefix, "--%s: ", fg_options()[option].name);
  return fg_status_prefix(st, "%s", prefix);
}

fg_code fg_session_open(fg_session *session, const fg_args *args, const char *model, fg_status *st)
{
  memset(session, 0, sizeof *session);
  session->args = args;
  fg_terminal_open(&session->terminal, args->value[FG_OPTION_QUIET] != NULL);
  session->progress = fg_terminal_progress(&session->terminal);
  FG_TRY(fg_settings_create(&session->settings, st));
  if (model) FG_TRY(fg_settings_load(session->settings, model, st));
  for (size_t i = 0; i < args->set_count; i++) {
    fg_code rc = fg_settings_assign(session->settings, args->sets[i], st);
    if (rc != FG_OK) {
      (void)fg_status_prefix(st, "--set: ");
      return rc;
    }
  }
  FG_TRY(assign_option(session, FG_OPTION_SEED, "seed", st));
  FG_TRY(assign_option(session, FG_OPTION_TARGET_ERROR, "compare.target_error", st));
  return check_grids(session, st);
}

fg_code fg_session_leave_pin(fg_session *session, fg_status *st)
{
  bool moved;
  double pin, horizon;
  FG_TRY(fg_settings_leave_pin(session->settings, &moved, st));
  if (!moved || session->args->value[FG_OPTION_QUIET]) return FG_OK;
  FG_TRY(fg_settings_real(session->settings, "process.pin", &pin, st));
  FG_TRY(fg_settings_real(session->settings, "process.horizon", &horizon, st));
  fprintf(stderr,
          "flowgap: the sampler starts in a point at t = %g, where no ODE can: both flows start at t = %g, "
          "from the Gaussian that it reaches without control\n",
          pin, horizon);
  return FG_OK;
}

/* A target that was built from C runs on the processor alone. */
static bool needs_processor(const fg_settings *settings)
{
  const char *kind = "";
  return fg_settings_text(settings, "target.kind", &kind, NULL) == FG_OK && strcmp(kind, "plugin") == 0;
}

/* The engine that nobody named: cuda where the plugin opens and has a device, else cpu. */
static fg_code open_best(const fg_session *session, int threads, fg_engine **engine, fg_status *st)
{
  const bool quiet = session->args->value[FG_OPTION_QUIET] != NULL;
  fg_status why = {0};
  if (needs_processor(session->settings)) return fg_engine_open("cpu", threads, engine, st);
  const fg_code rc = fg_engine_open("cuda", threads, engine, &why);
  if (rc == FG_OK) {
    const char *devices = fg_engine_devices(*engine);
    if (!quiet && isatty(STDERR_FILENO))
      fprintf(stderr, "flowgap: engine cuda, device %.*s\n", (int)strcspn(devices, "\n"), devices);
    return FG_OK;
  }
  if (rc != FG_UNSUPPORTED && !quiet) /* a device is there, and does not work */
    fprintf(stderr, "flowgap: engine cpu, since the engine cuda does not open: %s\n", why.message);
  return fg_engine_open("cpu", threads, engine, st);
}

/* --tf32 allows, so that one command serves machines with a GPU and without; by name an engine has to have it. */
static fg_code allow_tf32(const fg_session *session, bool named, fg_status *st)
{
  if (!session->args->value[FG_OPTION_TF32]) return FG_OK;
  if (named || fg_engine_has_tf32(session->engine)) {
    const fg_code rc = fg_engine_allow_tf32(session->engine, true, st);
    return rc == FG_UNSUPPORTED ? fg_status_prefix(st, "--tf32: ") : rc;
  }
  if (!session->args->value[FG_OPTION_QUIET])
    fprintf(stderr, "flowgap: --tf32 changes nothing: engine %s (%s) has no TF32\n",
            fg_engine_name(session->engine), fg_engine_isa(session->engine));
  return FG_OK;
}

fg_code fg_session_engine(fg_session *session, fg_status *st)
{
  const char *name = session->args->value[FG_OPTION_ENGINE];
  const bool named = name && strcmp(name, "auto") != 0;
  long long threads;
  FG_TRY(fg_args_integer(session->args, FG_OPTION_THREADS, 1, 4096, 0, &threads, st));
  FG_TRY(named ? fg_engine_open(name, (int)threads, &session->engine, st)
               : open_best(session, (int)threads, &session->engine, st));
  return allow_tf32(session, named, st);
}

fg_code fg_session_model(fg_session *session, fg_status *st)
{
  FG_TRY(fg_process_from_settings(session->settings, &session->process, st));
  FG_TRY(fg_target_from_settings(session->settings, &session->target, st));
  FG_TRY(fg_model_from_settings(session->engine, session->settings, session->target, session->process,
                                &session->model, st));
  session->d = fg_model_dimension(session->model);
  return FG_OK;
}

fg_code fg_session_prior(fg_session *session, fg_status *st)
{
  return fg_prior_from_settings(session->settings, session->d, session->process, session->target,
                                &session->prior, st);
}

void fg_session_close(fg_session *session)
{
  fg_terminal_close(&session->terminal);
  fg_model_destroy(&session->model);
  fg_prior_destroy(&session->prior);
  fg_target_destroy(&session->target);
  fg_process_destroy(&session->process);
  fg_engine_close(&session->engine);
  fg_settings_destroy(&session->settings);
}

/* Does the folder path[0 .. length) hold such a file? */
static bool holds(const char *path, size_t length, const char *name)
{
  char file[FG_PATH_ROOM + 32];
  struct stat about;
  if (!length || length >= FG_PATH_ROOM) return false;
  snprintf(file, sizeof file, "%.*s/%.30s", (int)length, path, name);
  return stat(file, &about) == 0;
}

static bool is_run(const char *path, size_t length)
{
  return holds(path, length, "config.yaml");
}

/* Where the last part of path[0 .. *length) begins, slashes at its end cut off. */
static size_t last_part(const char *path, size_t *length)
{
  while (*length > 1 && path[*length - 1] == '/') (*length)--;
  size_t start = *length;
  while (start > 0 && path[start - 1] != '/') start--;
  return start;
}

/* Where the name of a model begins: at its last part, or at that of the run that holds it, as a/seed-1. */
static size_t name_start(const char *model, size_t *length)
{
  size_t start = last_part(model, length), outer = start;
  if (!start || !is_run(model, *length)) return start;
  size_t from = last_part(model, &outer);
  bool named = model[from] != '.' && model[from] != '/' && is_run(model, outer);
  return named ? from : start;
}

/* runs/<name>: circles for dir/circles.yaml, exact-gmm9 for exact:gmm9, the name of a run directory, a-seed-1 for a run
 * within the run a. */
static void default_run(const char *model, char path[FG_PATH_ROOM])
{
  char name[256];
  size_t length = strlen(model), start = name_start(model, &length);
  snprintf(name, sizeof name, "%.*s", (int)(length - start < 200 ? length - start : 200), model + start);
  char *dot = strrchr(name, '.');
  if (dot && dot != name && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0)) *dot = '\0';
  for (char *at = name; *at; at++)
    if (*at == ':' || *at == '/') *at = '-';
  bool plain = name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
  snprintf(path, FG_PATH_ROOM, "runs/%s", plain ? name : "model");
}

/* `flowgap train RUN --resume` and `flowgap compare RUN --resume` go on in RUN; a training is compared beside it. */
static bool goes_on_in(const fg_args *args)
{
  const char *name = args->argument[0];
  struct stat about;
  if (!args->value[FG_OPTION_RESUME] || stat(name, &about) != 0 || !S_ISDIR(about.st_mode)) return false;
  return strcmp(args->verb->name, "train") == 0 || !holds(name, strlen(name), "checkpoint.h5");
}

fg_code fg_session_run(const fg_args *args, char path[FG_PATH_ROOM], fg_status *st)
{
  const char *out = args->value[FG_OPTION_OUT];
  if (!out && goes_on_in(args)) out = args->argument[0];
  if (out && strlen(out) >= FG_PATH_ROOM)
    return FG_FAIL(st, FG_USAGE, "--out is %zu bytes long: give a path below %d", strlen(out), FG_PATH_ROOM);
  if (out)
    snprintf(path, FG_PATH_ROOM, "%s", out);
  else
    default_run(args->argument[0], path);
  return FG_OK;
}
