/* needs: kernels */
#include "support/network_cases.h"
