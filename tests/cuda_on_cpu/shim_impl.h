/* Between the files of the shim. */
#ifndef SHIM_IMPL_H
#define SHIM_IMPL_H

/* The error that a test asked this call to fail with, once; 0 if none. */
int shim_asked_to_fail(const char *call);
/* What cudaGetLastError will answer in this thread; 0 leaves an earlier failure standing. */
void shim_set_last(int error);
int shim_last(void);

#endif
