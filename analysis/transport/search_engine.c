/* Questions to all pairs, answered by an engine: points stay there for the life of the search, duals go, pairs come. */
#include <stdlib.h>

#include "analysis/transport/search_panel.h"

fg_code fg_side_upload(fg_engine *engine, fg_side *side, fg_status *st)
{
  const size_t d = side->d, bytes = side->n * d * sizeof(double);
  double *rows = malloc(bytes);
  fg_code rc = FG_OK;
  if (!rows) return FG_FAIL(st, FG_MEMORY, "no memory for %zu points of dimension %zu", side->n, d);
  for (size_t p = 0; p < side->n; p++)
    for (size_t k = 0; k < d; k++) rows[p * d + k] = side->panel[fg_side_offset(side, p) + k * FG_PANEL];
  FG_GO(engine->ops->alloc(engine, bytes, &side->rows, st), done);
  FG_GO(engine->ops->alloc(engine, side->n * sizeof(double), &side->duals, st), done);
  FG_GO(engine->ops->upload(engine, side->rows, 0, rows, bytes, st), done);
done:
  free(rows);
  return rc;
}

void fg_side_release(fg_engine *engine, fg_side *side)
{
  engine->ops->free(engine, &side->rows);
  engine->ops->free(engine, &side->duals);
}

fg_code fg_side_send_duals(fg_engine *engine, const fg_side *side, fg_status *st)
{
  return engine->ops->upload(engine, side->duals, 0, side->dual, side->n * sizeof *side->dual, st);
}

fg_code fg_side_price(fg_engine *engine, fg_threads *threads, const fg_cost_rule *rule, const fg_side *from,
                      const fg_side *against, size_t k, bool bounded, double *key, uint32_t *who,
                      uint32_t *filled, const fg_progress *progress, fg_status *st)
{
  const fg_engine_ops *ops = engine->ops;
  const size_t keys = from->n * k * sizeof *key, places = from->n * k * sizeof *who;
  fg_price_request r = {.n = from->n,
                        .m = against->n,
                        .d = from->d,
                        .k = k,
                        .cap = rule->cap,
                        .scale = rule->scale,
                        .whole = rule->rounding > 0,
                        .bounded = bounded,
                        .x = from->rows,
                        .y = against->rows,
                        .v = against->duals,
                        .progress = progress};
  fg_code rc = FG_OK;
  if (bounded) r.u = from->duals;
  if (key) FG_GO(ops->alloc(engine, keys, &r.key, st), done);
  if (who) FG_GO(ops->alloc(engine, places, &r.who, st), done);
  FG_GO(ops->price(engine, threads, &r, st), done);
  if (key) FG_GO(ops->download(engine, key, r.key, 0, keys, st), done);
  if (who) FG_GO(ops->download(engine, who, r.who, 0, places, st), done);
  for (size_t p = 0; who && p < from->n; p++) {
    filled[p] = 0;
    while (filled[p] < k && who[p * k + filled[p]] != UINT32_MAX) filled[p]++;
  }
done:
  ops->free(engine, &r.key);
  ops->free(engine, &r.who);
  return rc;
}
