#include "target/quiet.h"

#include <gsl/gsl_errno.h>
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static gsl_error_handler_t *callers;

void fg_gsl_quiet_begin(void)
{
  pthread_mutex_lock(&mutex);
  callers = gsl_set_error_handler_off();
}

void fg_gsl_quiet_end(void)
{
  gsl_set_error_handler(callers);
  pthread_mutex_unlock(&mutex);
}
