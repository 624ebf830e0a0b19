/* The inside of the CUDA engine; private to kernels/cuda/.
 *
 * Every slot works on the calling thread's own stream and waits for it, so slots may be called from many
 * threads and a failure is reported by the call that caused it. Some do not wait: uploads, behind which fg_cuda_enter, with
 * which every slot begins, orders what follows; and vec_map, ode_rhs and ode_jvp, whose failure on the device the next slot
 * of the thread that waits reports. What a slot without a status met, the next one with a status reports (fg_cuda_missed). */
#ifndef FG_CUDA_IMPL_H
#define FG_CUDA_IMPL_H

#include <pthread.h>

#include <cuda_runtime.h>

#include "engine.h"

enum {
  FG_CUDA_TILE = 64,           /* particles of a block at most */
  FG_CUDA_MOST = 256,          /* threads of a block at most */
  FG_CUDA_BLOCKS = 1024,       /* blocks of a launch at most: a stop is noticed between launches */
  FG_SCRATCH_MOST = 256 << 20, /* bytes of working space, of which every block takes its share */
  FG_CUDA_DEVICES = 16         /* that one engine uses at most */
};

/* ---- devices and their memory ------------------------------------------------------------------ */

/* Memory that is kept until the engine is closed and taken again and again (cuda/arena.cu). */
typedef struct fg_cuda_arena fg_cuda_arena;

typedef struct fg_wide_pool fg_wide_pool;

typedef struct fg_cuda_device {
  int number;             /* among those that CUDA_VISIBLE_DEVICES leaves */
  int processors;         /* multiprocessors: fewer blocks than that leave some idle */
  fg_cuda_arena *memory;  /* of the device */
  fg_cuda_arena *staging; /* of the host, from which the device copies while the host goes on */
  fg_wide_pool *blas;
  struct fg_cuda *engine;
  fg_engine lane; /* whose home is this device; of all but the first */
  fg_engine_ops lane_ops;
  cudaEvent_t uploaded; /* under the engine's lock: every upload to this device so far has arrived */
  int uploading;        /* under the engine's lock: it may not have happened yet */
} fg_cuda_device;

/* The engine. Its buffers lie on the first device, its home. */
typedef struct fg_cuda {
  const fg_engine *engine;
  fg_cuda_device device[FG_CUDA_DEVICES];
  int devices;
  fg_threads *crew;     /* a thread for each device */
  pthread_mutex_t lock; /* of uploads */
  char isa[24];         /* "sm_90" */
  char list[4096];
} fg_cuda;

/* Where the engine's buffers lie. */
static inline fg_cuda_device *fg_cuda_home(const fg_engine *e)
{
  return (fg_cuda_device *)e->state;
}

static inline fg_cuda *fg_cuda_of(const fg_engine *e)
{
  return fg_cuda_home(e)->engine;
}

/* From here on this thread works on the device, behind all uploads so far to it and to the engine's first. With a status it
 * reports what was missed. */
fg_code fg_cuda_enter(fg_cuda_device *on, fg_status *st);

/* cuda/arena.cu. What is given back is taken again only behind the work that its giver's stream still has on it. The
 * device must be the one that the thread has entered. *memory is NULL after a failure, and for 0 bytes. */
fg_code fg_cuda_arena_create(fg_cuda_device *on, fg_status *st);
void fg_cuda_arena_destroy(fg_cuda_device *on);
fg_code fg_cuda_take(fg_cuda_device *on, size_t bytes, void **memory, fg_status *st);
void fg_cuda_give(fg_cuda_device *on, void *memory);
/* Scratch for at most *blocks blocks of `each` bytes, half as many as long as there is no memory for them. */
fg_code fg_cuda_take_wave(fg_cuda_device *on, const char *kernel, size_t each, unsigned *blocks,
                          void **scratch, fg_status *st);
/* Copy to the device what the caller may change at once. */
fg_code fg_cuda_send(fg_cuda_device *on, void *to, const void *host, size_t bytes, fg_status *st);
/* Copy to the host, and wait. */
fg_code fg_cuda_fetch(void *host, const void *device, size_t bytes, fg_status *st);
fg_code fg_cuda_wait(const char *call, size_t bytes, fg_status *st);

/* Device memory of one request, all given back at once. */
enum { FG_CUDA_PIECES = 64 };
typedef struct fg_cuda_pieces {
  fg_cuda_device *on;
  void *piece[FG_CUDA_PIECES];
  int count;
} fg_cuda_pieces;
/* Of `bytes`, a copy of `host` unless that is NULL. */
fg_code fg_cuda_piece(fg_cuda_pieces *all, size_t bytes, const void *host, void **piece, fg_status *st);
fg_code fg_cuda_piece_zero(fg_cuda_pieces *all, size_t bytes, void **piece, fg_status *st);
void fg_cuda_piece_give(fg_cuda_pieces *all, void *piece); /* before the others */
void fg_cuda_pieces_give(fg_cuda_pieces *all);

/* ---- work on several devices (cuda/devices.cu) --------------------------------------------------- */

enum { FG_CUDA_TWINS = 16 };

/* Units of work are whole tiles, or blocks of them, numbered through all particles; each device has a range of them. Which
 * one it is shows in no bit: a unit does the same wherever it runs, and sums over units are made in their order. */
typedef struct fg_cuda_part {
  struct fg_cuda_crew *crew;
  fg_cuda_device *on;
  int home;              /* the requests' buffers lie here */
  size_t first, end;     /* units of this device */
  size_t begin, finish;  /* their particles */
  fg_cuda_pieces pieces; /* until the crew is closed */
  int twins;
  struct {
    char *home, *here;
    size_t bytes, step;
    size_t planes;
  } twin[FG_CUDA_TWINS]; /* what goes back */
} fg_cuda_part;

typedef struct fg_cuda_crew {
  fg_cuda *engine;
  int count;
  size_t unit, n; /* particles of a unit, and all */
  fg_cuda_part part[FG_CUDA_DEVICES];
  pthread_mutex_t lock; /* guards what follows */
  const fg_progress *progress;
  const char *stage;
  size_t done;
} fg_cuda_crew;

typedef fg_code fg_cuda_crew_task(fg_cuda_part *part, void *argument, fg_status *st);

/* Share `units` of `unit` particles each, n in all, among devices. Few of them, or threads NULL: home alone. */
fg_code fg_cuda_crew_open(fg_cuda_crew *crew, const fg_engine *e, const fg_threads *threads, size_t units,
                          size_t unit, size_t n, fg_status *st);
/* The same where each unit has work for a whole device. */
fg_code fg_cuda_crew_open_waves(fg_cuda_crew *crew, const fg_engine *e, const fg_threads *threads,
                                size_t units, size_t unit, size_t n, fg_status *st);
/* The task for every part, all at once; returns when all are done and nothing runs. */
fg_code fg_cuda_crew_run(fg_cuda_crew *crew, fg_cuda_crew_task *task, void *argument, fg_status *st);
void fg_cuda_crew_close(fg_cuda_crew *crew);
/* A part has done units first .. first + units - 1: report all that is done. Must the work stop? */
void fg_cuda_crew_report(fg_cuda_part *part, size_t first, size_t units);
int fg_cuda_crew_stopped(const fg_cuda_part *part);
/* Scratch for as many of the part's units at once as there is memory for; one of its pieces. */
fg_code fg_cuda_part_wave(fg_cuda_part *part, const char *kernel, size_t each, unsigned *at_once,
                          void **scratch, fg_status *st);
/* How many units go next, from `first` on. */
static inline unsigned fg_cuda_now(size_t first, size_t end, unsigned at_once)
{
  return (unsigned)(end - first < at_once ? end - first : at_once);
}

/* Twins: at home nothing happens; elsewhere the buffer becomes one of that device, as large, with what is needed. */
enum fg_cuda_way { FG_TWIN_IN = 1, FG_TWIN_OUT = 2, FG_TWIN_BOTH = 3 };
/* The part's rows of `planes` arrays of n rows of `each` bytes; what is OUT comes back by fg_cuda_twins_back. */
fg_code fg_cuda_twin_rows(fg_cuda_part *part, fg_buf *buf, size_t each, size_t planes, int way,
                          fg_status *st);
fg_code fg_cuda_twin_whole(fg_cuda_part *part, fg_buf *buf, fg_status *st);
fg_code fg_cuda_twin_field(fg_cuda_part *part, fg_field *field, fg_status *st);
fg_code fg_cuda_twin_density(fg_cuda_part *part, fg_density *density, fg_status *st);
/* `bytes` of this device to `home`, memory of home, when the twins go back. */
fg_code fg_cuda_twin_return(fg_cuda_part *part, void *home, const void *here, size_t bytes, fg_status *st);
fg_code fg_cuda_twins_back(fg_cuda_part *part, fg_status *st);

/* The slots of lanes: each device with buffers, and fields, of its own. */
fg_code fg_cuda_lane_open(fg_engine *e, size_t number, const fg_field *field, fg_lane *lane, fg_status *st);
void fg_cuda_lane_close(fg_engine *e, fg_lane *lane);

/* ---- kernels -------------------------------------------------------------------------------------- */

/* Bytes of dynamic shared memory of a block, one after the other; 0: in device memory (cuda/room.cuh). */
typedef struct fg_room {
  size_t scratch, weights;
  int tf32; /* asked for */
} fg_room;

/* What cuda/kernels.cu offers, in one precision. Fields and requests hold device pointers, those to
 * coefficients and snapshot steps too. Launches do not wait; `each` is the scratch of one block in bytes, as *_scratch
 * says: 0 where it fits shared memory; *_tile: particles of a block (cuda/room.cuh). */
typedef struct fg_cuda_table {
  void (*check)(int *wrong); /* 0 if the device multiplies by tensor cores as these kernels take it to */
  size_t (*rows_bytes)(const fg_field *f, size_t n);
  void (*rows)(const fg_field *f, const fg_simulate_request *r, size_t n, void *rows);
  int (*evaluate_tile)(const fg_field *f, const fg_evaluate_request *r);
  size_t (*evaluate_scratch)(const fg_field *f, const fg_evaluate_request *r);
  void (*evaluate)(const fg_field *f, const fg_evaluate_request *r, size_t first, unsigned blocks,
                   void *scratch, size_t each);
  int (*simulate_tile)(const fg_field *f, const fg_simulate_request *r);
  size_t (*simulate_scratch)(const fg_field *f, const fg_simulate_request *r);
  void (*simulate)(const fg_field *f, const fg_simulate_request *r, const void *rows, size_t first,
                   unsigned blocks, void *scratch, size_t each);
  int (*ode_tile)(const fg_field *f, const fg_ode_request *r, int jvp);
  size_t (*ode_scratch)(const fg_field *f, const fg_ode_request *r, int jvp);
  void (*ode)(const fg_field *f, const fg_ode_request *r, int jvp, unsigned blocks, void *scratch,
              size_t each);
  /* part [tiles, columns] of tiles `tile` .. tile + blocks - 1, pairs_rows rows each */
  size_t (*pairs_scratch)(const fg_pair_sums_request *r);
  void (*pairs)(const fg_pair_sums_request *r, size_t tile, unsigned blocks, double *part, void *scratch,
                size_t each);
  int pairs_rows;
  /* Sums over pairs: sizes in bytes of the prepared columns, of so many boxes and of the scratch of one block. */
  size_t (*softmin_columns_bytes)(const fg_softmin_request *r);
  size_t (*softmin_boxes_bytes)(const fg_softmin_request *r, size_t count);
  size_t (*softmin_scratch)(const fg_softmin_request *r);
  void (*softmin_prepare)(const fg_softmin_request *r, void *columns, void *boxes, void *row_boxes);
  void (*softmin)(const fg_softmin_request *r, const void *columns, const void *boxes, const void *row_boxes,
                  size_t first, unsigned blocks, void *scratch);
} fg_cuda_table;

extern const fg_cuda_table fg_cuda_table_double, fg_cuda_table_single;

const fg_cuda_table *fg_cuda_table_of(fg_precision precision);
/* How many blocks run at once for `tiles` of them: at least 1, else as FG_SCRATCH_MOST allows. */
unsigned fg_cuda_blocks_at_once(size_t tiles, size_t each);
/* Scratch of a block in whole lines of 256 bytes. */
size_t fg_cuda_share(size_t bytes);

/* Turn the status of a CUDA call into ours: "cudaMemcpyAsync of 800 bytes on device 0 failed: ... (700)". */
fg_code fg_cuda_check(cudaError_t rc, const char *call, size_t bytes, fg_status *st);
/* Did the kernel start? */
fg_code fg_cuda_started(const char *kernel, size_t blocks, size_t n, fg_status *st);
/* The same for one whose end is met by the next call that waits, which then names it. */
fg_code fg_cuda_left(const char *kernel, size_t blocks, size_t n, fg_status *st);
/* What lacked memory names the kernel: coefficients and copies for other devices do not know whose they are. Returns rc. */
fg_code fg_cuda_named(fg_code rc, const char *kernel, fg_status *st);
/* A failure that a slot has no status for. Returns its code. */
fg_code fg_cuda_missed(fg_code code, const fg_status *why);
/* Did the kernel start, and wait for its end: "the kernel simulate (16 blocks of 256 threads ...) did not run: ...". */
fg_code fg_cuda_finish(const char *kernel, size_t blocks, size_t n, fg_status *st);

/* cuda/vector.cu */
fg_code fg_cuda_vec_map(fg_engine *e, fg_vec_map op, size_t n, double a, fg_buf x, double b, fg_buf y,
                        fg_buf z);
double fg_cuda_vec_reduce(fg_engine *e, fg_vec_reduce op, size_t n, fg_buf x, fg_buf y);
double fg_cuda_vec_particle_norm(fg_engine *e, size_t n, size_t d, int tail, fg_buf x, fg_buf w);
/* Launch a kernel that does nothing: fails when this build has no code for the device. */
fg_code fg_cuda_probe(fg_status *st);

/* cuda/work.cu */
fg_code fg_cuda_evaluate(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_evaluate_request *request, fg_status *st);
fg_code fg_cuda_simulate(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_simulate_request *request, fg_status *st);
fg_code fg_cuda_ode_rhs(fg_engine *e, const fg_field *field, const fg_ode_request *request, fg_status *st);
fg_code fg_cuda_ode_jvp(fg_engine *e, const fg_field *field, const fg_ode_request *request, fg_status *st);

/* cuda/wide_blas.cu: handles of cuBLAS on one device, kept from call to call. */
fg_wide_pool *fg_wide_pool_create(fg_cuda_device *on); /* NULL: no memory */
void fg_wide_pool_destroy(fg_wide_pool *pool);         /* on the device, before its arenas */

/* cuda/pairs.cu */
fg_code fg_cuda_pair_sums(fg_engine *e, fg_threads *threads, const fg_pair_sums_request *request,
                          fg_status *st);
/* cuda/softmin.cu */
fg_code fg_cuda_softmin(fg_engine *e, fg_threads *threads, const fg_softmin_request *request, fg_status *st);
/* cuda/ensemble.cu */
fg_code fg_cuda_ensemble(fg_engine *e, fg_threads *threads, const fg_field *field,
                         const fg_ensemble_request *request, fg_status *st);
/* cuda/price.cu */
fg_code fg_cuda_price(fg_engine *e, fg_threads *threads, const fg_price_request *request, fg_status *st);
/* cuda/train.cu, cuda/points.cu */
fg_code fg_cuda_paths(fg_engine *e, fg_threads *threads, const fg_field *field,
                      const fg_paths_request *request, fg_status *st);
fg_code fg_cuda_objective(fg_engine *e, fg_threads *threads, const fg_field *field,
                          fg_objective_request *request, fg_status *st);
fg_code fg_cuda_optimise(fg_engine *e, fg_threads *threads, const fg_field *field,
                         fg_optimise_request *request, fg_status *st);
fg_code fg_cuda_points(fg_engine *e, fg_threads *threads, const fg_field *field, fg_points_request *request,
                       fg_status *st);

/* cuda/slices.cu */
fg_code fg_cuda_slices(fg_engine *e, fg_threads *threads, const fg_slices_request *request, fg_status *st);
fg_code fg_cuda_slice_ways(fg_engine *e, fg_threads *threads, const fg_slice_ways_request *request,
                           fg_status *st);

#endif
