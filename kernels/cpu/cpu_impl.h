/* The inside of the CPU engine; private to kernels/cpu/. */
#ifndef FG_CPU_IMPL_H
#define FG_CPU_IMPL_H

#include <pthread.h>

#include "cpu/isa.h"

enum { FG_CPU_IDLE = 64 };

typedef struct fg_scratch {
  void *memory; /* 64-byte aligned */
  size_t bytes;
} fg_scratch;

typedef struct fg_cpu {
  const fg_cpu_table *table[2]; /* by fg_precision */
  uintptr_t hidden;             /* added to every address handed out; not 0 for cpu-check */
  pthread_mutex_t lock;         /* guards what follows */
  fg_scratch idle[FG_CPU_IDLE]; /* scratch to be used again, so that a right-hand side allocates nothing */
  int idle_count;
} fg_cpu;

/* Working memory of at least `bytes`; hand it back with fg_scratch_give. */
fg_code fg_scratch_take(fg_cpu *cpu, size_t bytes, fg_scratch *scratch, fg_status *st);
void fg_scratch_give(fg_cpu *cpu, fg_scratch *scratch);
void fg_scratch_free_all(fg_cpu *cpu);

/* Memory slots of the table. */
fg_code fg_cpu_alloc(fg_engine *e, size_t bytes, fg_buf *buf, fg_status *st);
void fg_cpu_free(fg_engine *e, fg_buf *buf);
fg_code fg_cpu_upload(fg_engine *e, fg_buf buf, size_t offset, const void *host, size_t bytes, fg_status *st);
fg_code fg_cpu_download(fg_engine *e, void *host, fg_buf buf, size_t offset, size_t bytes, fg_status *st);
fg_code fg_cpu_zero(fg_engine *e, fg_buf buf, fg_status *st);
fg_code fg_cpu_sync(fg_engine *e, fg_status *st);

/* The address that kernels work with, in place of the one handed out; NULL stays NULL. */
void *fg_cpu_address(const fg_cpu *cpu, fg_buf buf);
void fg_cpu_resolve(const fg_cpu *cpu, fg_buf *buf);
void fg_cpu_resolve_density(const fg_cpu *cpu, fg_density *density); /* the buffers of its kind */

/* kernels/cpu/optimise.c */
fg_code fg_cpu_optimise(fg_engine *e, fg_threads *threads, const fg_field *field,
                        fg_optimise_request *request, fg_status *st);

/* The field as kernels see it. */
fg_field fg_cpu_field(const fg_cpu *cpu, const fg_field *field);

/* Samplers (cpu/train.c). */
fg_code fg_cpu_paths(fg_engine *e, fg_threads *threads, const fg_field *field,
                     const fg_paths_request *request, fg_status *st);
fg_code fg_cpu_objective(fg_engine *e, fg_threads *threads, const fg_field *field,
                         fg_objective_request *request, fg_status *st);

/* kernels/cpu/points.c */
fg_code fg_cpu_points(fg_engine *e, fg_threads *threads, const fg_field *field, fg_points_request *request,
                      fg_status *st);

/* kernels/cpu/pairs.c */
fg_code fg_cpu_pair_sums(fg_engine *e, fg_threads *threads, const fg_pair_sums_request *request,
                         fg_status *st);
/* kernels/cpu/softmin.c */
fg_code fg_cpu_softmin(fg_engine *e, fg_threads *threads, const fg_softmin_request *request, fg_status *st);

/* kernels/cpu/price.c */
fg_code fg_cpu_price(fg_engine *e, fg_threads *threads, const fg_price_request *request, fg_status *st);

/* kernels/cpu/slices.c, slice_ways.c */
fg_code fg_cpu_slices(fg_engine *e, fg_threads *threads, const fg_slices_request *request, fg_status *st);
fg_code fg_cpu_slice_ways(fg_engine *e, fg_threads *threads, const fg_slice_ways_request *request,
                          fg_status *st);

/* kernels/cpu/ensemble.c */
fg_code fg_cpu_ensemble(fg_engine *e, fg_threads *threads, const fg_field *field,
                        const fg_ensemble_request *request, fg_status *st);

/* The best pair of tables that this processor runs, at most the one that FLOWGAP_ISA names. */
fg_code fg_cpu_pick(const fg_cpu_table *table[2], fg_status *st);

#endif
