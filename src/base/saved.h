/* What a long run has finished, in one file of its folder, so that a run that was stopped or killed goes on with the same
 * bits. A step of the work has a name and leaves pieces of memory without pointers; the file is for the program that
 * wrote it alone. */
#ifndef FG_BASE_SAVED_H
#define FG_BASE_SAVED_H

#include <stdbool.h>
#include <stddef.h>

#include "flowgap/status.h"

typedef struct fg_saved fg_saved;

typedef struct fg_piece {
  void *at;
  size_t size;
} fg_piece;

/* Nothing is finished yet; the file is written when a first step is kept. */
FG_CHECKED fg_code fg_saved_create(const char *path, fg_saved **saved, fg_status *st);
/* FG_IO where there is no such file or it is damaged. */
FG_CHECKED fg_code fg_saved_read(const char *path, fg_saved **saved, fg_status *st);
void fg_saved_destroy(fg_saved **saved);

/* Fill the pieces of a finished step. false: it is not there, or not with these sizes. */
bool fg_saved_take(const fg_saved *saved, const char *name, size_t count, const fg_piece *piece);
/* The bytes of a step whose size is not known, NULL where it is not there. Borrowed. */
const void *fg_saved_look(const fg_saved *saved, const char *name, size_t *size);
/* Remember a copy of the pieces. The file follows after a second, or ten times what writing it takes: a run that is killed loses
 * little, and writing takes a tenth of the time at most. */
FG_CHECKED fg_code fg_saved_keep(fg_saved *saved, const char *name, size_t count, const fg_piece *piece,
                                 fg_status *st);
/* Write now what the file does not have. */
FG_CHECKED fg_code fg_saved_write(fg_saved *saved, fg_status *st);
/* The file, and nothing is written after that. */
void fg_saved_remove(fg_saved *saved);
const char *fg_saved_path(const fg_saved *saved);
size_t fg_saved_steps(const fg_saved *saved);

/* When the run would have begun, on the clock of fg_seconds, had it never been stopped. */
double fg_saved_began(const fg_saved *saved);

/* Size and CRC-32 of a file, as text: has it changed? */
typedef char fg_file_mark[48];
FG_CHECKED fg_code fg_file_marked(const char *path, fg_file_mark mark, fg_status *st);

#endif
