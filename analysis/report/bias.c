#include "analysis/report/sections.h"

fg_code fg_report_bias(const fg_report *r, fg_status *st)
{
  if (!r->plots->bias) return FG_OK;
  return fg_report_figure(
      r, "bias", "What more particles would change",
      "<span>estimate on fewer rows, with standard error</span><span class=\"muted\">at the right, open: at "
      "infinitely many rows, with interval</span>",
      "Estimated W2 between ODE and SDE against the rows that enter, with its extrapolation",
      "A finite sample makes every distance too large. A flat line has converged; the rest of a falling one "
      "is bias, "
      "and the open circle is what remains without it.",
      st);
}
