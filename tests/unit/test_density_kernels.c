/* needs: target kernels */
#include "support/density_cases.h"
