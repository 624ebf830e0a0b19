/* needs: base */
#define FG_SINGLE FG_SINGLE
#include "support/activation_cases.h"
