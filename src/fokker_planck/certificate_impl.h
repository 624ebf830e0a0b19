/* What the two sides of the identity share; private to src/fokker_planck/. */
#ifndef FG_CERTIFICATE_IMPL_H
#define FG_CERTIFICATE_IMPL_H

#include "flowgap/certificate.h"

/* Room for `count` numbers, 0 at first. */
FG_CHECKED fg_code fg_certificate_room(size_t count, double **out, fg_status *st);

FG_CHECKED fg_code fg_identity_check(const fg_model *model, const fg_identity_settings *settings,
                                     fg_status *st);

/* Times and weights of the quadrature; free with fg_rule_clear. */
typedef struct fg_rule {
  size_t count; /* intervals + 1 */
  double *t, *weight, *coarse;
} fg_rule;
FG_CHECKED fg_code fg_rule_make(const fg_identity_settings *settings, const fg_process *process,
                                fg_rule *rule, fg_status *st);
void fg_rule_clear(fg_rule *rule);

#endif
