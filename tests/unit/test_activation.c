/* needs: base */
#include "support/activation_cases.h"
