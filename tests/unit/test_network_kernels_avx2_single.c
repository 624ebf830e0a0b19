/* needs: kernels */
#if defined(__x86_64__)
#pragma GCC target("avx2,fma,prefer-vector-width=256")
#define FG_ISA_avx2
#define CASE_SUPPORTED (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#endif
#define FG_SINGLE FG_SINGLE
#include "support/network_cases.h"
