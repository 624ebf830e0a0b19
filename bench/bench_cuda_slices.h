/* Part of bench_cuda.c: sorts along lines. */
#ifndef BENCH_CUDA_SLICES_H
#define BENCH_CUDA_SLICES_H

static fg_buf bench_place(bench *b, size_t bytes, const void *host)
{
  fg_buf buf;
  fg_status st;
  need(b->engine->ops->alloc(b->engine, bytes, &buf, &st), &st);
  if (host) need(b->engine->ops->upload(b->engine, buf, 0, host, bytes, &st), &st);
  return buf;
}

/* Costs alone of equal masses; or with masses, gradients and orders. */
static void slices(bench *b, bench_case_id id, int everything)
{
  const size_t n = part(b, BENCH_POINTS), lines = part(b, BENCH_LINES);
  int64_t *mass = malloc(n * sizeof *mass);
  fg_slices_request r = {.n = n, .m = n, .d = BENCH_D, .directions = lines, .alike = !everything};
  bench_times times = {0};
  fg_status st;
  if (!mass) exit(1);
  for (size_t i = 0; i < n; i++) r.total += mass[i] = 1 + (int64_t)(i % 7);
  r.x = b->x;
  r.y = b->y;
  r.mass_x = r.mass_y = bench_place(b, n * sizeof *mass, mass);
  r.direction = b->z;
  r.cost = bench_place(b, lines * sizeof(double), NULL);
  if (everything) {
    r.gradient = bench_place(b, lines * BENCH_D * sizeof(double), NULL);
    r.order = bench_place(b, lines * n * sizeof(uint32_t), NULL);
  }
  BENCH_REPEAT(b, times, need(b->engine->ops->slices(b->engine, b->engine->threads, &r, &st), &st))
  finite(b, r.cost, lines, "slices");
  if (everything) finite(b, r.gradient, lines * BENCH_D, "slices, gradient");
  free(mass);
  fg_buf *const held[] = {&r.mass_x, &r.cost, &r.gradient, &r.order};
  for (int k = 0; k < 4; k++) b->engine->ops->free(b->engine, held[k]);
  put(b, id, (double)(n * lines) / ((double)BENCH_POINTS * BENCH_LINES), &times);
}

static void slice_ways(bench *b, bench_case_id id)
{
  const size_t n = part(b, BENCH_DEALT) < 2 ? 2 : part(b, BENCH_DEALT), lines = part(b, BENCH_LINES);
  uint64_t *side = malloc(n * sizeof *side);
  fg_slice_ways_request r = {.n = n, .d = BENCH_D, .directions = lines, .ways = FG_SLICE_WAYS};
  bench_times times = {0};
  fg_status st;
  if (!side) exit(1);
  for (size_t i = 0; i < n; i++) side[i] = i % 2 ? UINT64_MAX : 0;
  r.x = b->x;
  r.direction = b->z;
  r.side = bench_place(b, n * sizeof *side, side);
  r.cost = bench_place(b, lines * FG_SLICE_WAYS * sizeof(double), NULL);
  BENCH_REPEAT(b, times, need(b->engine->ops->slice_ways(b->engine, b->engine->threads, &r, &st), &st))
  finite(b, r.cost, lines * FG_SLICE_WAYS, "slice_ways");
  free(side);
  b->engine->ops->free(b->engine, &r.side);
  b->engine->ops->free(b->engine, &r.cost);
  put(b, id, (double)(n * lines) / ((double)BENCH_DEALT * BENCH_LINES), &times);
}

#endif
