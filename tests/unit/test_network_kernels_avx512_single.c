/* needs: kernels */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma,prefer-vector-width=512")
#define FG_ISA_avx512
#define CASE_SUPPORTED (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
#endif
#define FG_SINGLE FG_SINGLE
#include "support/network_cases.h"
