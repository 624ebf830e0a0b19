/* An estimate as JSON, for programs that link the library alone. */
#include <jansson.h>
#include <stdlib.h>

#include "analysis/compare_results.h"

fg_code fg_estimate_json(fg_estimator estimator, const fg_estimate *estimate, char **text, fg_status *st)
{
  bool bad = false;
  fg_tree one = {json_object(), &bad};
  fg_put_estimate(one, estimator, estimate);
  *text = bad ? NULL : json_dumps(one.object, JSON_COMPACT | JSON_REAL_PRECISION(17));
  json_decref(one.object);
  return *text ? FG_OK : FG_FAIL(st, FG_MEMORY, "no memory for the JSON of an estimate");
}
