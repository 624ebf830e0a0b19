/* Reading rows of the settings one after the other; the first failure is kept. Private to src/train/. */
#ifndef FG_TRAIN_READER_H
#define FG_TRAIN_READER_H

#include "flowgap/train.h"

typedef struct fg_reader {
  const fg_settings *settings;
  fg_status *st;
  fg_code rc; /* of the first failure; what follows it does nothing */
} fg_reader;

int64_t fg_read_integer(fg_reader *r, const char *key);
double fg_read_real(fg_reader *r, const char *key);
bool fg_read_flag(fg_reader *r, const char *key);
/* Place of the word among `words`, which end with NULL. */
int fg_read_word(fg_reader *r, const char *key, const char *const *words);

bool fg_is_whole(double x);

/* settings_points.c. What DSM has by default where samplers have something else. */
void fg_train_defaults_score(fg_train_settings *s);
/* The network of a score model (rows model.*), the points of its batches, and the residual. */
FG_CHECKED fg_code fg_train_read_points(const fg_settings *settings, fg_train_settings *s, fg_status *st);

#endif
