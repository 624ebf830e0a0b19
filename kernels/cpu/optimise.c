/* The optimiser on the CPU, in the calling thread: a network of 10^5 weights takes 0.1 ms, while the gradient
 * before it takes a thousand times as long. */
#include <math.h>

#include "cpu/cpu_impl.h"

fg_code fg_cpu_optimise(fg_engine *e, fg_threads *threads, const fg_field *field,
                        fg_optimise_request *request, fg_status *st)
{
  const fg_cpu *cpu = e->state;
  const fg_cpu_table *table = cpu->table[request->precision];
  fg_optimise_request r = *request;
  (void)threads;
  if (field->kind != FG_FIELD_NETWORK)
    return FG_FAIL(st, FG_UNSUPPORTED, "only networks have weights to optimise");
  fg_buf *bufs[] = {&r.weights, &r.gradient, &r.first, &r.second, &r.average};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) fg_cpu_resolve(cpu, bufs[i]);
  request->norm = r.norm = table->gradient_norm(field, r.gradient.device);
  if (!isfinite(r.norm))
    return FG_FAIL(st, FG_NUMERICS, "the gradient's norm is %g at step %llu: the weights stay as they were",
                   r.norm, (unsigned long long)r.number);
  if (!r.norm_only) table->optimise(field, &r);
  return FG_OK;
}
