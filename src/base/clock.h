/* Wall time for reports and progress. */
#ifndef FG_BASE_CLOCK_H
#define FG_BASE_CLOCK_H

/* Seconds since some moment that stays the same while the program runs. */
double fg_seconds(void);

#endif
