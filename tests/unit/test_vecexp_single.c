/* needs: kernels */
/* The same in float. */
#define FG_SINGLE FG_SINGLE
#include "unit/test_vecexp.c"
