/* Which build of the kernels this processor runs. */
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu_impl.h"

typedef struct fg_choice {
  const fg_cpu_table *table[2];
  bool runs;
} fg_choice;

fg_code fg_cpu_pick(const fg_cpu_table *table[2], fg_status *st)
{
  fg_choice choices[] = {
      {{&fg_cpu_table_baseline_double, &fg_cpu_table_baseline_single}, true},
#ifdef FG_X86
      {{&fg_cpu_table_avx2_double, &fg_cpu_table_avx2_single},
       __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
      {{&fg_cpu_table_avx512_double, &fg_cpu_table_avx512_single},
       __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("fma")},
#endif
  };
  size_t count = sizeof choices / sizeof choices[0], best = 0;
  const char *wish = getenv("FLOWGAP_ISA");
  bool known = !wish || !*wish;
  for (size_t i = 0; i < count; i++) {
    bool named = wish && *wish && strcmp(wish, choices[i].table[0]->isa) == 0;
    if (named && !choices[i].runs)
      return FG_FAIL(st, FG_UNSUPPORTED, "FLOWGAP_ISA is %s, which this processor cannot run: unset it",
                     wish);
    if (choices[i].runs && !(known && wish && *wish)) best = i;
    known = known || named;
  }
  if (!known)
    return FG_FAIL(st, FG_USAGE, "FLOWGAP_ISA is \"%s\": this build knows baseline%s", wish,
                   count > 1 ? ", avx2 and avx512" : " only");
  table[0] = choices[best].table[0];
  table[1] = choices[best].table[1];
  return FG_OK;
}
