#include "model/network_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fg_network_list(const fg_tensors *tensors, char *text, size_t room)
{
  size_t used = 0;
  snprintf(text, room, "no tensors");
  for (size_t k = 0; k < tensors->count; ++k) {
    const fg_tensor *t = &tensors->tensor[k];
    char shape[64] = "";
    size_t at = 0;
    for (int j = 0; j < t->rank && j < 2; ++j)
      at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%zu", j ? ", " : "", t->shape[j]);
    int n = snprintf(text + used, room - used, "%s%.60s [%s%s]", used ? ", " : "", t->name, shape,
                     t->rank > 2 ? ", ..." : "");
    if (n < 0 || (size_t)n >= room - used) {
      text[used] = 0; /* drop what did not fit whole */
      break;
    }
    used += (size_t)n;
  }
  return text;
}

static bool is_apart(const char *stem, size_t length, const char *const *apart, size_t count)
{
  for (size_t k = 0; k < count; ++k)
    if (strlen(apart[k]) == length && !strncmp(apart[k], stem, length)) return true;
  return false;
}

/* Tensors "<stem>.weight" of rank 2. */
static fg_code collect(const char *path, const fg_tensors *tensors, const char *const *apart,
                       size_t apart_count, fg_linear *found, size_t *count, fg_status *st)
{
  *count = 0;
  for (size_t k = 0; k < tensors->count; ++k) {
    const fg_tensor *t = &tensors->tensor[k];
    size_t length = strlen(t->name);
    if (length < 8 || strcmp(t->name + length - 7, ".weight") != 0 || t->rank != 2) continue;
    if (is_apart(t->name, length - 7, apart, apart_count)) continue;
    if (*count == FG_LAYERS_MAX || length - 7 >= sizeof found->stem)
      return FG_FAIL(
          st, FG_USAGE,
          "%s: holds more than %d linear maps, or one with a long name: name those to use in model.layers",
          path, FG_LAYERS_MAX);
    fg_linear *linear = &found[(*count)++];
    memcpy(linear->stem, t->name, length - 7);
    linear->stem[length - 7] = 0;
    linear->out = t->shape[0];
    linear->in = t->shape[1];
  }
  return FG_OK;
}

/* The number that ends a stem such as "net.12", -1 if there is none; *prefix is what precedes it. */
static long trailing_number(const char *stem, size_t *prefix)
{
  size_t length = strlen(stem), digits = 0;
  while (digits < length && digits < 9 && stem[length - 1 - digits] >= '0' &&
         stem[length - 1 - digits] <= '9')
    ++digits;
  *prefix = length - digits;
  if (!digits || (*prefix && stem[*prefix - 1] != '.')) return -1;
  return strtol(stem + *prefix, NULL, 10);
}

/* nn.Sequential numbers its members: sort by number, when all share the rest of the name. */
static bool sort_by_number(fg_linear *maps, size_t count)
{
  size_t prefix, first;
  if (!count || trailing_number(maps[0].stem, &first) < 0) return false;
  for (size_t k = 1; k < count; ++k)
    if (trailing_number(maps[k].stem, &prefix) < 0 || prefix != first ||
        strncmp(maps[k].stem, maps[0].stem, first) != 0)
      return false;
  for (size_t k = 1; k < count; ++k) /* insertion: at most twelve */
    for (size_t j = k;
         j && trailing_number(maps[j - 1].stem, &prefix) > trailing_number(maps[j].stem, &prefix); --j) {
      fg_linear swap = maps[j];
      maps[j] = maps[j - 1];
      maps[j - 1] = swap;
    }
  return true;
}

typedef struct search {
  const fg_linear *maps;
  const fg_ends *ends; /* NULL: any */
  size_t count;
  size_t chain[FG_LAYERS_MAX], first[FG_LAYERS_MAX]; /* in hand; the first one found */
  bool used[FG_LAYERS_MAX];
  int found; /* stops at 2 */
} search;

static bool ends_fit(const search *s)
{
  const fg_ends *ends = s->ends;
  size_t in = s->maps[s->chain[0]].in, out = s->maps[s->chain[s->count - 1]].out;
  if (!ends) return true;
  if (in <= ends->time || (ends->dimension && in - ends->time != ends->dimension)) return false;
  return out == (ends->potential ? 1 : in - ends->time);
}

static void extend(search *s, size_t depth)
{
  if (depth == s->count) {
    if (!ends_fit(s)) return;
    if (!s->found++) memcpy(s->first, s->chain, sizeof s->first);
    return;
  }
  for (size_t k = 0; k < s->count && s->found < 2; ++k) {
    if (s->used[k] || (depth && s->maps[k].in != s->maps[s->chain[depth - 1]].out)) continue;
    s->used[k] = true;
    s->chain[depth] = k;
    extend(s, depth + 1);
    s->used[k] = false;
  }
}

static const char *join(const fg_linear *maps, const size_t *chain, size_t count, char *text, size_t room)
{
  size_t used = 0;
  text[0] = 0;
  for (size_t k = 0; k < count && used + 140 < room; ++k)
    used += (size_t)snprintf(text + used, room - used, "%s%s", k ? ", " : "", maps[chain[k]].stem);
  return text;
}

fg_code fg_network_order(const char *path, const fg_tensors *tensors, const char *const *apart,
                         size_t apart_count, const fg_ends *ends, fg_linear order[FG_LAYERS_MAX],
                         size_t *count, fg_status *st)
{
  char text[600];
  fg_linear maps[FG_LAYERS_MAX];
  FG_TRY(collect(path, tensors, apart, apart_count, maps, count, st));
  if (!*count)
    return FG_FAIL(st, FG_USAGE, "%s: no linear map was found (a tensor NAME.weight of rank 2); it holds %s",
                   path, fg_network_list(tensors, text, sizeof text));
  if (sort_by_number(maps, *count)) {
    memcpy(order, maps, sizeof maps);
    return FG_OK;
  }
  search s = {.maps = maps, .ends = ends, .count = *count};
  extend(&s, 0);
  if (!s.found) { /* a chain whose ends do not fit is worth a message about the ends, which the caller has */
    s.ends = NULL;
    extend(&s, 0);
  }
  if (s.found == 0)
    return FG_FAIL(st, FG_USAGE,
                   "%s: its linear maps do not follow one another; name those of the network, in order, "
                   "in model.layers; it holds %s",
                   path, fg_network_list(tensors, text, sizeof text));
  if (s.found > 1)
    return FG_FAIL(st, FG_USAGE,
                   "%s: the shapes of its linear maps fit more than one order; name them in order, for "
                   "example model.layers: [%s]",
                   path, join(maps, s.first, *count, text, sizeof text));
  for (size_t k = 0; k < *count; ++k) order[k] = maps[s.first[k]];
  return FG_OK;
}
