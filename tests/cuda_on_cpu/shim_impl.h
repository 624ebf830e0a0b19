/* Between the files of the shim. */
#ifndef SHIM_IMPL_H
#define SHIM_IMPL_H

/* The error that a test asked this call to fail with, once; 0 if none. */
int shim_asked_to_fail(const char *call);
/* What cudaGetLastError will answer in this thread; 0 leaves an earlier failure standing. */
void shim_set_last(int error);
int shim_last(void);

/* Bytes of dynamic shared memory that a block may have. */
int shim_shared_most(void);

/* Is it inside a live piece of device memory; inside the stack of the fiber that runs? */
bool shim_is_device(const void *memory);
bool shim_is_own_stack(const void *memory);

/* The access checker (access.cpp), where it is linked: a launch begins (nullptr: is over), a barrier was passed. */
__attribute__((weak)) void shim_watch_launch(const char *kernel);
__attribute__((weak)) void shim_watch_interval(void);

#endif
