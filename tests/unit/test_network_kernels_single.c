/* needs: kernels */
#define FG_SINGLE FG_SINGLE
#include "support/network_cases.h"
