/* flowgap report RUN */
#include <stdio.h>

#include <jansson.h>

#include "cli/args.h"
#include "flowgap/flowgap.h"

fg_code fg_run_report(const fg_args *args, fg_status *st)
{
  char path[4096];
  FG_TRY(fg_report_write(args->argument[0], st));
  snprintf(path, sizeof path, "%s/report.html", args->argument[0]);
  if (args->value[FG_OPTION_JSON]) {
    json_t *root = json_pack("{s:s}", "report", path);
    if (!root) return FG_FAIL(st, FG_USAGE, "%s is not UTF-8, so JSON cannot name it", path);
    json_dumpf(root, stdout, 0);
    putchar('\n');
    json_decref(root);
  } else if (!args->value[FG_OPTION_QUIET]) {
    printf("%s\n", path);
  }
  return FG_OK;
}
