/* Which settings belong to which kind: a value that nothing reads would change nothing. */
#include <string.h>

#include "base/settings_impl.h"

/* `key` is read while `kind` is one of `words`. */
typedef struct fg_kind_rule {
  const char *key, *kind, *words;
} fg_kind_rule;

static const fg_kind_rule fg_kind_rules[] = {
    {"process.rate", "process.kind", "ou"},
    {"process.diff", "process.kind", "ou bm pinned"},
    {"process.beta_min", "process.kind", "vp"},
    {"process.beta_max", "process.kind", "vp"},
    {"process.scale", "process.kind", "vp"},
    {"process.sigma_min", "process.kind", "ve"},
    {"process.sigma_max", "process.kind", "ve"},
    {"process.pin", "process.kind", "pinned"},
    {"prior.variance", "prior.kind", "gaussian truncated"},
    {"prior.mass", "prior.kind", "truncated"},
    {"target.mean", "target.kind", "gaussian"},
    {"target.variance", "target.kind", "gaussian gmm9 gmm25 mixture"},
    {"target.weights", "target.kind", "mixture"},
    {"target.means", "target.kind", "mixture"},
    {"target.covariances", "target.kind", "mixture"},
    {"target.nu", "target.kind", "funnel"},
    {"target.wells", "target.kind", "many_well"},
    {"target.separation", "target.kind", "double_well many_well"},
    {"target.shift", "target.kind", "double_well many_well"},
    {"target.radii", "target.kind", "rings"},
    {"target.ring_weights", "target.kind", "rings"},
    {"target.ring_sd", "target.kind", "rings"},
    {"target.file", "target.kind", "samples logistic_regression plugin"},
    {"target.dataset", "target.kind", "samples"},
    {"target.prior_sd", "target.kind", "logistic_regression"},
    {"target.intercept", "target.kind", "logistic_regression"},
    {"target.standardise", "target.kind", "logistic_regression"},
    {"model.epsilon", "model.kind", "perturbed"},
    {"model.wave", "model.kind", "perturbed"},
    {"model.length", "model.kind", "perturbed"},
    {"model.decay", "model.kind", "perturbed"},
    {"model.form", "model.kind", "network"},
    {"model.output", "model.kind", "network"},
    {"model.output", "model.form", "vector"},
    {"model.file", "model.kind", "network"},
    {"model.layers", "model.kind", "network"},
    {"model.widths", "model.kind", "network"},
    {"model.inputs", "model.kind", "network"},
    {"model.embedding", "model.kind", "network"},
    {"model.frequencies", "model.embedding", "fourier embedded"},
    {"model.phases", "model.embedding", "fourier embedded"},
    {"model.embedding_layers", "model.embedding", "embedded"},
    {"model.time_reversed", "model.kind", "network"},
    {"model.activation", "model.kind", "network"},
    {"model.beta", "model.kind", "network"},
    {"model.beta", "model.activation", "softplus"},
    {"model.threshold", "model.kind", "network"},
    {"model.threshold", "model.activation", "softplus"},
    {"flow.ode.rtol", "flow.ode.method", "adams bdf dopri5"},
    {"flow.ode.atol", "flow.ode.method", "adams bdf dopri5"},
    {"flow.ode.max_steps", "flow.ode.method", "adams bdf dopri5"},
    {"flow.ode.tile", "flow.ode.method", "adams bdf euler heun"},
    {"flow.ode.grid", "flow.ode.method", "euler heun"},
    {"flow.ode.spacing", "flow.ode.method", "euler heun"},
    {"flow.ode.steps", "flow.ode.method", "euler heun"},
    {"residual.probes", "residual.trace", "auto probes"},
    {"train.time_factor", "train.score", "auto interpolated target"},
    {"train.detach_score", "train.objective", "kl kl_ito"},
    {"train.group", "train.objective", "log_variance_trajectory"},
    {"train.rate_end", "train.schedule", "cosine exponential"},
    {"train.rate_every", "train.schedule", "step"},
    {"train.rate_factor", "train.schedule", "step"},
    {"train.clip", "train.control", "vector"},
    {"train.objective", "train.method", "dis pis dds bridge"},
    {"train.form", "train.method", "dis pis dds bridge"},
    {"train.integrator", "train.method", "dis pis dds bridge"},
    {"train.control", "train.method", "dis pis dds bridge"},
    {"train.score", "train.method", "dis pis dds bridge"},
    {"train.time_factor", "train.method", "dis pis dds bridge"},
    {"train.detach_score", "train.method", "dis pis dds bridge"},
    {"train.activation", "train.method", "dis pis dds bridge"},
    {"train.group", "train.method", "dis pis dds bridge"},
    {"train.time_steps", "train.method", "dis pis dds bridge"},
    {"train.clip", "train.method", "dis pis dds bridge"},
    {"train.path_limit", "train.method", "dis pis dds bridge"},
    {"train.evaluate_steps", "train.method", "dis pis dds bridge"},
    {"train.time_law", "train.method", "dsm"},
    {"train.weighting", "train.method", "dsm"},
    {"train.point_group", "train.method", "dsm"},
    {"train.residual.box", "train.residual.where", "auto box"},
    {"train.residual.sd", "train.residual.where", "gaussian"},
    {"train.residual.paths", "train.residual.where", "auto path"},
    {"train.residual.path_steps", "train.residual.where", "auto path"},
    {"train.residual.refresh", "train.residual.where", "auto path"},
};

static bool fg_is_among(const char *word, const char *words)
{
  size_t length = strlen(word);
  for (const char *at = words; (at = strstr(at, word)); at += length)
    if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return true;
  return false;
}

fg_code fg_settings_check(const fg_settings *settings, const char *group, fg_status *st)
{
  size_t length = strlen(group);
  for (size_t i = 0; i < sizeof fg_kind_rules / sizeof *fg_kind_rules; i++) {
    const fg_kind_rule *rule = &fg_kind_rules[i];
    const char *kind;
    if (strncmp(rule->key, group, length) != 0 || rule->key[length] != '.') continue;
    if (!fg_settings_given(settings, rule->key)) continue;
    FG_TRY(fg_settings_text(settings, rule->kind, &kind, st));
    if (!fg_is_among(kind, rule->words))
      return FG_FAIL(st, FG_USAGE, "%s changes nothing while %s is %s: leave it out (it belongs to: %s)",
                     rule->key, rule->kind, kind, rule->words);
  }
  return FG_OK;
}
