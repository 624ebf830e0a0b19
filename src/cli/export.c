/* flowgap export RUN --out FILE */
#include <stdio.h>
#include <string.h>

#include "cli/session.h"

static fg_code check_out(const fg_args *args, fg_status *st)
{
  const char *out = args->value[FG_OPTION_OUT], *dot = out ? strrchr(out, '.') : NULL;
  if (!out) return FG_FAIL(st, FG_USAGE, "export needs --out FILE, ending in .safetensors");
  if (dot && strcmp(dot, ".safetensors") == 0) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "%s: weights are written as safetensors: give the file that ending", out);
}

fg_code fg_run_export(const fg_args *args, fg_status *st)
{
  fg_session session;
  fg_code rc;
  FG_TRY(check_out(args, st));
  FG_GO(fg_session_open(&session, args, args->argument[0], st), done);
  FG_GO(fg_session_engine(&session, st), done);
  FG_GO(fg_session_model(&session, st), done);
  FG_GO(fg_session_prior(&session, st), done);
  FG_GO(fg_train_export(session.model, session.prior, session.settings, args->value[FG_OPTION_OUT], st),
        done);
  if (!args->value[FG_OPTION_QUIET])
    printf("%s: the network of %s\n", args->value[FG_OPTION_OUT], args->argument[0]);
done:
  fg_session_close(&session);
  return rc;
}
