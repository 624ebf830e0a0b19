/* The inside of the laws on a grid; private to src/fokker_planck/.
 *
 * A grid is rows of `cells` cells: one row for d = 1, `cells` of them for d = 2, where a row has one x and all y. So an
 * axis runs along the rows (d = 1: x, d = 2: y), and for d = 2 another across them (x). */
#ifndef FG_FOKKER_PLANCK_LAW_IMPL_H
#define FG_FOKKER_PLANCK_LAW_IMPL_H

#include "flowgap/law.h"
#include "fokker_planck/law_check.h"
#include "solver/sundials_compat.h"

/* fokker_planck/start.c: averages of the prior's density over the cells, p [cells^d], not normalised. */
FG_CHECKED fg_code fg_law_start(const fg_prior *prior, const fg_process *process, const fg_law_grid *grid,
                                double *p, fg_status *st);

/* ---- the operator (fokker_planck/operator.c) --------------------------------------------------- */

/* Through the upper face of a cell c along an axis flows  up[c] p[c] - down[c] p[next], per width of a cell; both are
 * >= 0, and 0 where the axis ends. */
typedef struct fg_law_faces {
  double t; /* NaN: none yet */
  uint64_t used;
  double *along_up, *along_down, *across_up, *across_down; /* [cells^d]; across: NULL for d = 1 */
  double *memory;
} fg_law_faces;

enum { FG_LAW_TIMES = 2 }; /* times whose faces are kept: the solver's, and the one before */

typedef struct fg_law_operator {
  const fg_model *model;
  fg_precision precision;
  fg_threads *threads; /* NULL for small grids */
  size_t d, cells, rows, size;
  double width, low; /* of a cell; the box's lower side */
  double lambda;
  double *x, *score; /* [size, d] */
  double *zero;      /* [cells] */
  fg_law_faces faces[FG_LAW_TIMES];
  uint64_t asked, evaluations; /* evaluations: scores at points */
} fg_law_operator;

FG_CHECKED fg_code fg_law_operator_open(fg_law_operator *op, const fg_model *model, const fg_law_grid *grid,
                                        double lambda, fg_precision precision, fg_status *st);
void fg_law_operator_clear(fg_law_operator *op);
/* The faces at time t; they hold until the next but one call with another t. */
FG_CHECKED fg_code fg_law_faces_at(fg_law_operator *op, double t, const fg_law_faces **faces, fg_status *st);
/* dp = sign A p, where dp/dr = A p in generative time. */
void fg_law_apply(const fg_law_operator *op, const fg_law_faces *faces, double sign, const double *p,
                  double *dp);

/* ---- the preconditioner (fokker_planck/lines.c) ------------------------------------------------- */

/* (I - gamma A_across) (I - gamma A_along), each a set of tridiagonal systems, factored without pivoting: they are
 * M-matrices with columns that sum to 1. Exact for d = 1. */
typedef struct fg_law_lines {
  double *along_pivot, *along_low, *along_high; /* [size] each; see lines.c */
  double *across_pivot, *across_low, *across_high;
  double *memory;
} fg_law_lines;

FG_CHECKED fg_code fg_law_lines_open(fg_law_lines *lines, const fg_law_operator *op, fg_status *st);
void fg_law_lines_clear(fg_law_lines *lines);
void fg_law_lines_factor(fg_law_lines *lines, const fg_law_operator *op, const fg_law_faces *faces,
                         double gamma);
void fg_law_lines_solve(const fg_law_lines *lines, const fg_law_operator *op, const double *r, double *z);

/* ---- vectors of the solver (fokker_planck/vector.c) ---------------------------------------------- */

/* In host memory. NULL when there is none. */
N_Vector fg_law_vector(size_t n, SUNContext context);
double *fg_law_vector_data(N_Vector v);

/* Tasks over blocks of `block` numbers 0 .. count - 1. */
enum { FG_LAW_BLOCK = 16 };
static inline size_t fg_law_blocks(size_t count)
{
  return (count + FG_LAW_BLOCK - 1) / FG_LAW_BLOCK;
}

#endif
