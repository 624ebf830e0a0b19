/* Networks too wide for shared memory: products by cuBLAS, between them the shared bodies of kernels/body/.
 *
 * A body is cut at its products. A kernel runs the whole body on one tile a block, but of its loops only those between
 * two cuts (a segment; cuda/wide_tile.cuh has the words): segment 0, product 0, segment 1, ... do together what the body
 * says. Like planes of all tiles lie side by side in the scratch, so that one call of cuBLAS multiplies them all. Which
 * products there are the body itself tells: once per request it runs with all loops off, and lists them. They must be
 * the same at every step; what depends on the step is read from fg_wide_state on the device, so that a step is captured
 * as a graph once and launched again and again. */
#ifndef FG_CUDA_WIDE_CUH
#define FG_CUDA_WIDE_CUH

#include "cuda/cuda_impl.h"

enum {
  FG_WIDE_WIDTH = 128,   /* a network with wider hidden layers goes this way */
  FG_WIDE_THREADS = 256, /* of a block */
  FG_WIDE_MUTE = -1,     /* as a place: before the first segment */
  FG_WIDE_RECORD = -2,   /* as a segment: none; list the products */
  FG_WIDE_NETWORKS = 2,  /* a field's and that of its noising control */
  FG_WIDE_CANCEL_EVERY = 16
};

typedef enum fg_wide_kind {
  FG_WIDE_NONE,   /* a cut without a product */
  FG_WIDE_MATMUL, /* c [rows, columns] = a [rows, inner] b [inner, columns] */
  FG_WIDE_DOT,    /* c [columns, rows] = ( a [rows, inner] b [columns, inner]^T )^T */
  FG_WIDE_OUTER /* c [inner, columns] += sum over the rows of all tiles of a [rows, inner]^T b [rows, columns] */
} fg_wide_kind;

/* One product as a tile sees it. Rows of a are a_step reals apart, those of the others as long as they are. */
typedef struct fg_wide_product {
  fg_wide_kind kind;
  int rows, columns, inner, a_step;
  const void *a, *b;
  void *c;
} fg_wide_product;

/* What changes from launch to launch. */
typedef struct fg_wide_state {
  size_t first; /* particle of the request with which tile 0 begins */
  size_t step;
  size_t from; /* the first path of the tiles that has a weight (objectives) */
} fg_wide_state;

/* Weights of a network: as packed, and with all matrices row by row instead of in panels. */
typedef struct fg_wide_weights {
  const void *packed, *plain;
  size_t core; /* reals of both */
} fg_wide_weights;

/* What every kernel of a request takes. */
typedef struct fg_wide_job {
  int tiles, p; /* particles of a tile */
  int segment;
  void *scratch;
  fg_wide_state *state;
  fg_wide_weights weights[FG_WIDE_NETWORKS];
  void *partial; /* [2][tiles][partial_room] reals: sums of tiles that are to be added up */
  size_t partial_room;
  fg_wide_product *list; /* recording: [2][list_room], of the first two tiles */
  int list_room, *list_count;
} fg_wide_job;

/* The parts of a trajectory: bodies that are run one after another. */
typedef enum fg_wide_part {
  FG_WIDE_BEGIN,
  FG_WIDE_MEET, /* a bridge: its noising control at node 0 */
  FG_WIDE_STEP,
  FG_WIDE_SNAPSHOT, /* number fg_wide_state.from */
  FG_WIDE_END,
  FG_WIDE_FORWARD,  /* KL: a step with X and z kept */
  FG_WIDE_TURN,     /* KL: the end of the paths */
  FG_WIDE_REST,     /* paths without weight to a place of one that has some */
  FG_WIDE_VARIANCE, /* a step of the log-variance */
  FG_WIDE_BACK      /* a step of KL on the way back */
} fg_wide_part;

/* Of an objective, on the device. */
typedef struct fg_wide_gradient {
  const void *rows;
  double *number;
  void *block,
      *noising; /* gradients, laid out as those of a block of tiles in cuda/train.cu but for matrices row by row */
} fg_wide_gradient;

/* What cuda/wide_kernels.cu offers, in one precision. Sizes in reals unless said otherwise. */
typedef struct fg_wide_table {
  size_t real; /* bytes */
  size_t (*core)(const fg_field *f);
  void (*plain)(const fg_field *f, int panels, const void *from, void *to);
  size_t (*partial)(const fg_field *f, const fg_field *noising);
  size_t (*evaluate_scratch)(const fg_field *f, const fg_evaluate_request *r, int p);
  void (*evaluate)(const fg_field *f, const fg_evaluate_request *r, const fg_wide_job *job, unsigned blocks);
  size_t (*ode_scratch)(const fg_field *f, const fg_ode_request *r, int jvp, int p);
  void (*ode)(const fg_field *f, const fg_ode_request *r, int jvp, const fg_wide_job *job, unsigned blocks);
  size_t (*simulate_scratch)(const fg_field *f, const fg_simulate_request *r, int p);
  void (*simulate)(const fg_field *f, const fg_simulate_request *r, const void *rows, fg_wide_part part,
                   const fg_wide_job *job, unsigned blocks);
  size_t (*paths_scratch)(const fg_field *f, const fg_paths_request *r, int p);
  void (*paths)(const fg_field *f, const fg_paths_request *r, const void *rows, fg_wide_part part,
                const fg_wide_job *job, unsigned blocks);
  size_t (*objective_scratch)(const fg_field *f, const fg_objective_request *r, int p);
  void (*objective)(const fg_field *f, const fg_objective_request *r, const fg_wide_gradient *g,
                    fg_wide_part part, const fg_wide_job *job, unsigned blocks);
  void (*advance)(fg_wide_state *state, int by);
} fg_wide_table;

extern const fg_wide_table fg_wide_double, fg_wide_single;

/* ---- cuBLAS (cuda/wide_blas.cu) ------------------------------------------------------------------- */

typedef struct fg_wide_blas fg_wide_blas; /* a handle: one caller's at a time */

/* One of the pool's that nobody has, or a new one, on the calling thread's stream behind what its last owner left under way;
 * opens the library. */
fg_code fg_wide_blas_borrow(fg_wide_pool *pool, fg_wide_blas **blas, fg_status *st);
void fg_wide_blas_return(fg_wide_pool *pool, fg_wide_blas *blas);

/* A product of all tiles: those of tile 0 and the distances to the next tile, in reals. */
typedef struct fg_wide_call {
  fg_wide_product of;
  long long a_tile, b_tile, c_tile;
} fg_wide_call;
/* Do the rows that an outer product sums over lie side by side in all tiles? */
int fg_wide_call_is_whole(int tiles, const fg_wide_call *call);
/* ones [tiles]; room [tiles inner columns]: for sums over tiles that do not lie side by side. */
fg_code fg_wide_multiply(fg_wide_blas *blas, int single, int tiles, const fg_wide_call *call,
                         const void *ones, void *room, fg_status *st);

/* What a body without steps and outer products did the last time, so that it need not be listed, and waited for, again. */
typedef struct fg_wide_key {
  fg_field field;
  int what; /* of the caller */
  size_t n;
  fg_wide_job job; /* places */
} fg_wide_key;

enum { FG_WIDE_MEMOS = 8 };
typedef struct fg_wide_memo {
  struct {
    fg_wide_key key;
    fg_wide_call *calls; /* NULL: none */
    int count;
  } of[FG_WIDE_MEMOS];
  int oldest;
} fg_wide_memo;
fg_wide_memo *fg_wide_blas_memo(fg_wide_blas *blas);

/* ---- a request (cuda/wide.cu) --------------------------------------------------------------------- */

/* Launches one segment, or the recording, of some body: `what` is the caller's. */
typedef void fg_wide_launch(void *what, const fg_wide_job *job, unsigned blocks);

/* A body with its products. by: it is a step, captured as a graph that adds so much to the step's number; 0: it is issued. */
typedef struct fg_wide_plan {
  fg_wide_launch *launch;
  void *what;
  int by;
  const fg_wide_key *key; /* without places; NULL: to be listed each time */
  fg_wide_call *calls;
  int count; /* of calls */
  cudaGraphExec_t graph;
} fg_wide_plan;

enum { FG_WIDE_PLANS = 4 };

typedef struct fg_wide_run {
  const char *name; /* of the slot */
  const fg_wide_table *table;
  fg_wide_blas *blas;
  fg_wide_pool *pool;
  int single;
  fg_wide_job job;
  size_t n, tiles; /* of the request; job.tiles at a time */
  size_t each;     /* reals of scratch of a tile */
  size_t at_once;  /* tiles of a wave; fewer where memory was short */
  size_t taken;    /* tiles that there is scratch for */
  fg_wide_plan *plan[FG_WIDE_PLANS];
  int plans;
  void *ones, *room;
  size_t room_reals;
  fg_cuda_pieces pieces, wave; /* of the request; of a wave */
} fg_wide_run;

typedef size_t fg_wide_scratch(void *what, int p);

/* Particles go into tiles and tiles into waves, which devices share. Shapes and the kind of device alone decide how, so that
 * a wave is the same calls of cuBLAS, and the same bits, whichever device has it: only where memory is short do waves become
 * smaller. Returns the tiles of a wave. scratch_of: reals of a tile of p particles. */
size_t fg_wide_cut(const fg_cuda_device *on, fg_precision precision, size_t n, fg_wide_scratch *scratch_of,
                   void *what, int *p);
/* Has the field, or its noising control, a hidden layer that is too wide? noising may be NULL. */
int fg_wide_is(const fg_field *field, const fg_field *noising);
/* Enters the device, and takes cuBLAS and what is needed besides waves. Field and noising as kernels of this device see them,
 * in host memory. If it fails nothing is left; else end gives all back. */
fg_code fg_wide_begin(fg_wide_run *run, fg_cuda_device *on, const char *name, fg_precision precision,
                      const fg_field *field, const fg_field *noising, size_t n, fg_wide_scratch *scratch_of,
                      void *what, fg_status *st);
/* Forgets the plans too. */
void fg_wide_end(fg_wide_run *run);
/* One of the bodies that waves run: its products are listed, and its graph captured, before a wave begins. */
void fg_wide_add(fg_wide_run *run, fg_wide_plan *plan, fg_wide_launch *launch, void *what, int by);
/* Memory and plans for run->job.tiles tiles: those of `left` that go at once, half as many as long as anything finds no memory. */
fg_code fg_wide_next(fg_wide_run *run, size_t left, fg_status *st);
/* Tiles `tile` to end - 1 in waves, half as large as long as anything finds no memory: particles first .. first + count - 1
 * are run->job.tiles tiles, whose plans are ready. */
typedef fg_code fg_wide_wave(void *what, size_t first, size_t count, fg_status *st);
fg_code fg_wide_waves(fg_wide_run *run, size_t tile, size_t end, fg_wide_wave *wave, void *what,
                      fg_status *st);
/* The same for all units of a part, each of so many tiles, which are reported. */
fg_code fg_wide_units(fg_wide_run *run, fg_cuda_part *part, size_t tiles, fg_wide_wave *wave, void *what,
                      fg_status *st);
fg_code fg_wide_set(fg_wide_run *run, size_t first, size_t step, size_t from, fg_status *st);
/* All segments and products, in order. */
fg_code fg_wide_issue(fg_wide_run *run, const fg_wide_plan *plan, fg_status *st);
/* The same by the graph. */
fg_code fg_wide_step(const fg_wide_plan *plan, fg_status *st);
/* Wait, and say what went wrong with `what`. */
fg_code fg_wide_wait(const fg_wide_run *run, const char *what, fg_status *st);

/* ---- slots (cuda/wide_work.cu, cuda/wide_train.cu) ------------------------------------------------- */

/* A part of a request, whose units are waves; field and request as kernels of its device see them, coefficients too. */
size_t fg_wide_evaluate_cut(const fg_cuda_device *on, const fg_field *field, const fg_evaluate_request *r,
                            int *p);
fg_code fg_wide_evaluate(fg_cuda_part *part, const fg_field *field, const fg_evaluate_request *request,
                         fg_status *st);
size_t fg_wide_simulate_cut(const fg_cuda_device *on, const fg_field *field, const fg_simulate_request *r,
                            int *p);
/* asked: the same in host memory. rows: of all steps, or NULL. */
fg_code fg_wide_simulate(fg_cuda_part *part, const fg_field *field, const fg_simulate_request *request,
                         const fg_simulate_request *asked, const void *rows, fg_status *st);
/* On one device. */
fg_code fg_wide_ode(fg_cuda_device *on, const fg_field *field, const fg_ode_request *request, int jvp,
                    fg_status *st);

/* Paths, or gradients of an objective, of the request in device memory. */
typedef struct fg_wide_trip {
  const fg_field *field, *noising; /* noising: host memory, or NULL */
  const fg_objective_request *request;
  const void *rows;
  double *number;        /* log-variance: weights of the paths; KL: receives what the mean is taken of */
  size_t tiles;          /* of a unit of the part: a wave, or some of them */
  char *block[2];        /* of the part's first unit: where its gradients go, as those of a block of tiles */
  size_t block_bytes[2]; /* from unit to unit */
  int gradient;          /* else paths alone */
  int keep_end;
} fg_wide_trip;
/* Tiles of a wave; request and noising in host memory. */
size_t fg_wide_travel_cut(const fg_cuda_device *on, const fg_field *field, const fg_objective_request *r,
                          int gradient, int *p);
fg_code fg_wide_travel_all(fg_cuda_part *part, const fg_wide_trip *trip, fg_status *st);

#endif
