/* A user's density from a shared object; private to this folder. */
#ifndef FG_TARGET_PLUGIN_H
#define FG_TARGET_PLUGIN_H

#include <stddef.h>

#include "flowgap/status.h"

typedef struct fg_plugin {
  void *library;
  double (*log_density)(const double *x, int d);
  void (*score)(const double *x, int d, double *score);
  int (*dimension)(void); /* NULL: it does not say */
} fg_plugin;

/* log rho, and the score unless it is NULL. */
double fg_plugin_call(const fg_plugin *plugin, int d, const double *x, double *score);

/* Finite values, a score that is the gradient, the same bits from several threads. FG_NUMERICS if not. */
FG_CHECKED fg_code fg_plugin_check(const fg_plugin *plugin, const char *path, size_t d, fg_status *st);

#endif
