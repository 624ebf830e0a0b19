/* GSL's error handler aborts the process unless told otherwise, and there is one for all threads.
 * Calls that may fail stand between these two, which turn it off and put the caller's back; they
 * exclude one another, so keep the stretch between them short. */
#ifndef FG_TARGET_QUIET_H
#define FG_TARGET_QUIET_H

void fg_gsl_quiet_begin(void);
void fg_gsl_quiet_end(void);

#endif
