/* A target density of your own. Write a C (or C++) file with the two functions below,
 *
 *     #include <flowgap/plugin.h>
 *
 *     double flowgap_log_density(const double *x, int d) { ... }
 *     void flowgap_score(const double *x, int d, double *score) { ... }
 *
 * build it by `flowgap target build my_target.c`, and name the result in the settings:
 *
 *     target: {kind: plugin, file: my_target.so, dimension: 2}
 *
 * The functions are called by several threads at once, so they keep no state: no static variables, and no memory
 * that two calls share, unless it is only read. They are pure: the same point gives the same bits. Values must be
 * finite wherever a particle may go, which is all of the space. flowgap checks what it can when it loads the file. */
#ifndef FLOWGAP_PLUGIN_H
#define FLOWGAP_PLUGIN_H

#ifdef __cplusplus
extern "C" {
#endif

#define FLOWGAP_PLUGIN_VERSION 1

#if defined(__GNUC__)
#define FLOWGAP_PLUGIN_EXPORT __attribute__((visibility("default")))
#define FLOWGAP_PLUGIN_ONCE                                                                                  \
  __attribute__((visibility("default"), weak)) /* also when two files include this one */
#else
#define FLOWGAP_PLUGIN_EXPORT
#define FLOWGAP_PLUGIN_ONCE
#endif

/* log rho(x) of the point x [d]; rho need not be normalised. */
FLOWGAP_PLUGIN_EXPORT double flowgap_log_density(const double *x, int d);

/* Its gradient, into score [d]. */
FLOWGAP_PLUGIN_EXPORT void flowgap_score(const double *x, int d, double *score);

/* Optional: the dimension; target.dimension may then be left out. */
FLOWGAP_PLUGIN_EXPORT int flowgap_dimension(void);

/* Defined here: it says which interface the file was written for. */
FLOWGAP_PLUGIN_ONCE extern const int flowgap_plugin_version;
const int flowgap_plugin_version = FLOWGAP_PLUGIN_VERSION;

#ifdef __cplusplus
}
#endif
#endif
