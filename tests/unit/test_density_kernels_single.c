/* needs: target kernels */
#define FG_SINGLE FG_SINGLE
#include "support/density_cases.h"
