/* What a grid of densities must be, for those who must know before anything is computed. */
#ifndef FG_FOKKER_PLANCK_LAW_CHECK_H
#define FG_FOKKER_PLANCK_LAW_CHECK_H

#include "flowgap/law.h"

/* FG_USAGE unless the grid, and the dimension of the model on it (NULL: any), can be used. */
FG_CHECKED fg_code fg_law_check(const fg_law_grid *grid, const fg_model *model, fg_status *st);

#endif
