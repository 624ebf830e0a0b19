#!/usr/bin/env python3
"""Make tests/parity/fixtures/train.safetensors and train.txt: paths of samplers (DIS, PIS, DDS) with their losses and
gradients by PyTorch's automatic differentiation in float64, and runs of torch.optim.Adam.

    /usr/bin/python3 tests/parity/make_train_fixtures.py       (Debian: python3-torch)

train.txt holds one line per item: `kind name key=value key=value ...`, keys in a fixed order for each kind.

  weights W    a control network, shared by cases:
                   W/l0 .. W/l3 .weight [out, in] .bias [out]     x -> out, GELU between; outputs = d or 1 (potential)
                   W/e0 W/e1                                      embedding e(r), added to the output of l0
                   W/f0 .. W/f3                                   time factor tau(r)
                   W/frequency W/phase, W/factor_frequency W/factor_phase: angle = frequency r + phase, features are
                   the sines, then the cosines; r = T - t. All but the frequencies are trained.
               Weights and phases are float32 values, stored as such; all the rest is float64.
  case C       one batch; its tensors (n paths, N steps; form 0 is continuous, 1 discrete):
                   C@x0 [n, d]     X_0 (float32 values)     C@times [N + 1]   t_0 = T .. t_N
                   C@step [N, 8]   keep push spread time root drift back back_variance
                   C@ends [2, 4]   per form: start start_precision end end_precision
                   C@u0 C@z0 [n, d]   control and normals of the first step
                   C@xn [n, d]     X_N                      C@rnd [2, n]      rnd of both forms, with the Ito term
                   C@loss [1]      of the case's objective and form
                   C@grad/l0.weight, C@grad/phase, ...      its gradients, named as in the network
               keys: weights method (dis pis dds) process (vp pinned) horizon beta_min beta_max scale | diff pin (0:
               not of this process) prior_variance (0: a point) integrator form objective field (vector potential)
               score (none target interpolated; none: no tau) clip detach_score group target (gmm9: variance 0.3;
               many_well: 5 wells, separation 4) d n steps seed stream first.
               The normals are those of the engines: coordinate j of path i at step k is normal j of
               (seed, stream, first + i, k), kernels/formula/random.h.
  adam A       50 steps of Adam on 40 numbers from w_j = sin(0.7 j), with the gradient at step k = 0, 1, ..
                   g_i = scale_k ( sum_j A_ij w_j + sin(0.5 (k + 1) + 0.2 i) ),
                   A_ij = 0.5 [i = j] + 0.1 cos(0.3 (i + 1) (j + 1)),  i and j from 0,
                   scale_k = 0.01 if k is odd, else 1        (so that clipping is at work in half of the steps)
               clipped to norm max_norm by clip_grad_norm_ (it divides by norm + 1e-6), weight decay, betas 0.9 0.999,
               epsilon 1e-8, rates by schedule: constant | step: rate factor^floor(k / every) | exponential:
               rate end_ratio^(k/K) | cosine: rate (end_ratio + (1 - end_ratio) (1 + cos(pi k/K)) / 2), K = 50;
               average = ema average + (1 - ema) w after each step, from w.
                   A@weights A@average [5, 40] after steps 10, 20 .. 50     A@norm A@rate [50]

Nothing here is taken from the C code but the definition of its random numbers: the densities come from
torch.distributions, the score and all gradients from autograd.
"""
import json
import math
import os
import struct

import numpy as np
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

torch.manual_seed(20240923)
torch.set_default_dtype(torch.float64)
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
WIDTH, FREQUENCIES, EMBEDDING_WIDTH, FACTOR_WIDTH, FACTOR_FREQUENCIES = 24, 10, 16, 12, 6
PATHS, STEPS = 32, 8


# ---- random numbers ------------------------------------------------------------------------------


def philox(seed, stream, particle, step, block):
    """Philox4x32-10 for an array of particles: four arrays of words (held in 64 bits)."""
    low = np.uint64(0xFFFFFFFF)
    full = lambda v: np.full(particle.shape, v, np.uint64)
    c = [full(block), full(step), particle & low, (particle >> np.uint64(32)) & np.uint64(0xFFFF) | full(stream << 16)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        high0, high1 = p0 >> np.uint64(32), p1 >> np.uint64(32)
        c = [high1 ^ c[1] ^ np.uint64(k0), p1 & low, high0 ^ c[3] ^ np.uint64(k1), p0 & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def normals(seed, stream, first, n, step, d):
    """[n, d]: normal j of particle first + i; Box-Muller on u = (word + 1/2) / 2^32."""
    particle, columns = np.arange(first, first + n, dtype=np.uint64), []
    for block in range((d + 3) // 4):
        u = [(w.astype(np.float64) + 0.5) / 2.0**32 for w in philox(seed, stream, particle, step, block)]
        for a, b in ((u[0], u[1]), (u[2], u[3])):
            radius = np.sqrt(-2 * np.log(a))
            columns += [radius * np.cos(2 * np.pi * b), radius * np.sin(2 * np.pi * b)]
    return torch.from_numpy(np.stack(columns[:d], 1))


# ---- the control network -------------------------------------------------------------------------


class Network:
    def __init__(self, name, d, outputs):
        self.name, self.d, self.outputs, self.tensors = name, d, outputs, {}
        sizes = {"l": [d, WIDTH, WIDTH, WIDTH, outputs], "e": [2 * FREQUENCIES, EMBEDDING_WIDTH, WIDTH],
                 "f": [2 * FACTOR_FREQUENCIES] + 3 * [FACTOR_WIDTH] + [1]}
        for stem, widths in sizes.items():
            for k, (a, b) in enumerate(zip(widths, widths[1:])):
                bound = 2.2 / math.sqrt(a)  # PyTorch's own 1 would leave outputs that hardly vary
                self.tensors[f"{stem}{k}.weight"] = self.single((torch.rand(b, a) * 2 - 1) * bound)
                self.tensors[f"{stem}{k}.bias"] = self.single(torch.rand(b) - 0.5)
        self.tensors["f3.bias"] = Network.single(torch.tensor([0.3]))
        self.tensors["phase"] = self.single(torch.randn(FREQUENCIES))
        self.tensors["factor_phase"] = self.single(torch.randn(FACTOR_FREQUENCIES))
        self.frequency = torch.linspace(0.1, 100, FREQUENCIES)
        self.factor_frequency = torch.linspace(0.1, 100, FACTOR_FREQUENCIES)

    @staticmethod
    def single(tensor):
        return tensor.float().double()

    def linear(self, stem, h):
        return torch.nn.functional.linear(h, self.tensors[stem + ".weight"], self.tensors[stem + ".bias"])

    def chain(self, stems, h):
        for k, stem in enumerate(stems):
            h = self.linear(stem, torch.nn.functional.gelu(h) if k else h)
        return h

    @staticmethod
    def waves(r, frequency, phase):
        return torch.cat([torch.sin(r * frequency + phase), torch.cos(r * frequency + phase)])

    def base(self, x, r):
        h = self.linear("l0", x) + self.chain(["e0", "e1"], self.waves(r, self.frequency, self.tensors["phase"]))
        for k in range(1, 4):
            h = self.linear(f"l{k}", torch.nn.functional.gelu(h))
        return h

    def factor(self, r):
        waves = self.waves(r, self.factor_frequency, self.tensors["factor_phase"])
        return self.chain(["f0", "f1", "f2", "f3"], waves)

    def line(self):
        return (f"weights {self.name} d={self.d} outputs={self.outputs} width={WIDTH} layers=4 "
                f"frequencies={FREQUENCIES} embedding_width={EMBEDDING_WIDTH} factor_layers=4 factor_width={FACTOR_WIDTH} "
                f"factor_frequencies={FACTOR_FREQUENCIES}\n")


# ---- targets and processes -----------------------------------------------------------------------


def gmm9(_d):
    means = torch.tensor([[a, b] for a in (-5.0, 0.0, 5.0) for b in (-5.0, 0.0, 5.0)])
    parts = Independent(Normal(means, math.sqrt(0.3)), 1)
    return MixtureSameFamily(Categorical(torch.ones(9)), parts).log_prob


def many_well(_d):
    return lambda x: -((x.square() - 4).square()).sum(1)


TARGETS = {"gmm9": gmm9, "many_well": many_well}


class VP:
    """a = beta/2, g^2 = scale^2 beta, beta linear."""
    name, diff, pin = "vp", 0, 0

    def __init__(self, beta_min=0.1, beta_max=10.0, horizon=1.0, scale=1.0):
        self.beta_min, self.beta_max, self.horizon, self.scale = beta_min, beta_max, horizon, scale

    def beta(self, t):
        return self.beta_min + (self.beta_max - self.beta_min) * t / self.horizon

    def integral(self, s, t):  # of beta
        return (t - s) * (self.beta(s) + self.beta(t)) / 2

    def a(self, t):
        return self.beta(t) / 2

    def g(self, t):
        return self.scale * math.sqrt(self.beta(t))

    def integral_a(self, s, t):
        return self.integral(s, t) / 2

    def transition(self, s, t):
        """X_t | X_s ~ N(m X_s, v), s < t."""
        b = self.integral(s, t)
        return math.exp(-b / 2), -self.scale**2 * math.expm1(-b)


class Pinned:
    """Brownian motion of the reference run backwards: a bridge to 0 at t = pin."""
    name, beta_min, beta_max, scale = "pinned", 0, 0, 0

    def __init__(self, pin, horizon=5.0, diff=math.sqrt(0.2)):
        self.pin, self.horizon, self.diff = pin, horizon, diff

    def g(self, _t):
        return self.diff

    def transition(self, s, t):
        left = (self.pin - t) / (self.pin - s)
        return left, self.diff**2 * (t - s) * left


def log_normal(x, mean, variance):
    return Normal(mean, math.sqrt(variance)).log_prob(x).sum(1)


# ---- one case ------------------------------------------------------------------------------------


class Case:
    def __init__(self, name, network, method, process, objective, form, integrator="euler", score="interpolated",
                 clip=1e4, detach=0, group=1, prior=None, target="gmm9", times=None, seed=None, first=0):
        self.name, self.network, self.method, self.process = name, network, method, process
        self.objective, self.form, self.integrator, self.score = objective, form, integrator, score
        self.clip, self.detach, self.group, self.target = clip, detach, group, target
        self.potential, self.d = network.outputs == 1, network.d
        self.rho = TARGETS[target](self.d)
        self.prior = process.transition(0, process.horizon)[1] if prior is None else prior
        self.seed, self.stream, self.first = seed if seed is not None else 7 * len(name) + 1, 1, first
        self.times = times or [process.horizon * (1 - k / STEPS) for k in range(STEPS)] + [0.0]
        x0 = torch.randn(PATHS // group, self.d) * math.sqrt(self.prior)
        self.x0 = Network.single(x0.repeat_interleave(group, 0))

    # coefficients of the step t -> s < t
    def mean_rate(self, t):
        """mu = rate x, the drift without control."""
        return 0.0 if self.method == "pis" else self.process.a(t) if self.method == "dis" else -self.process.a(t)

    def coefficients(self, t, s):
        h, g = t - s, self.process.g(t)
        if self.integrator == "exponential":
            b, square = self.process.integral(s, t), self.process.scale**2
            if self.method == "dis":
                keep, push, variance = math.exp(b / 2), 2 * square * math.expm1(b / 2) / g, square * math.expm1(b)
            else:
                keep, push, variance = math.exp(-b / 2), -2 * square * math.expm1(-b / 2) / g, -square * math.expm1(-b)
        else:
            keep, push, variance = 1 + self.mean_rate(t) * h, g * h, g * g * h
        drift = self.d * self.process.integral_a(s, t) if self.method == "dis" else 0.0
        back, back_variance = self.process.transition(s, t)
        return keep, push, math.sqrt(variance), h, math.sqrt(h), drift, back, back_variance

    def reference_variance(self, t):
        return self.process.scale**2 if self.method == "dds" else self.process.diff**2 * (self.process.pin - t)

    def ends(self):
        """start, start_precision, end, end_precision of the continuous and of the discrete form."""
        level = lambda v: -self.d / 2 * math.log(2 * math.pi * v)
        prior = (level(self.prior), 1 / self.prior) if self.prior else (0.0, 0.0)
        if self.method == "dis":
            return [[*prior, 0.0, 0.0]] * 2
        start = (0.0, 0.0)
        if self.prior:
            v = self.reference_variance(self.process.horizon)
            start = (prior[0] - level(v), prior[1] - 1 / v)
        v = self.reference_variance(0)
        return [[*start, level(v), 1 / v], [*prior, 0.0, 0.0]]

    # the control
    def guide(self, x, t):
        """target_weight log rho - prior_weight |x|^2 / 2, whose gradient is S."""
        share = 1 - t / self.process.horizon if self.score == "interpolated" else 1.0
        prior = (1 - share) * x.square().sum(1) / (2 * self.prior) if share < 1 else 0
        return share * self.rho(x) - prior

    def guide_score(self, x, t):
        y = x.detach().requires_grad_() if self.detach or not x.requires_grad else x
        s, = torch.autograd.grad(self.guide(y, t).sum(), y, create_graph=not self.detach)
        return s.detach() if self.detach else s

    def control(self, x, t):
        r, g = self.process.horizon - t, self.process.g(t)
        clip = lambda v: v.clamp(-self.clip, self.clip)
        if not self.potential:
            u = clip(self.network.base(x, r))
            if self.score != "none":
                u = u + g * clip(self.network.factor(r)) * clip(self.guide_score(x, t))
            return u
        y = x if x.requires_grad else x.detach().requires_grad_()
        slope, = torch.autograd.grad(self.network.base(y, r).sum(), y, create_graph=True)
        return g * (slope + self.network.factor(r) * self.guide_score(x, t) if self.score != "none" else slope)

    # paths
    def simulate(self):
        """X_N, rnd of both forms, the Ito term; the path is held fixed for the log-variance objectives."""
        fixed = self.objective.startswith("log_variance")
        x, rnd, ito = self.x0, [0.0, 0.0], 0.0
        if self.prior:
            rnd = [log_normal(x, torch.zeros(1), self.prior)] * 2
            if self.method != "dis":
                rnd[0] = rnd[0] - log_normal(x, torch.zeros(1), self.reference_variance(self.process.horizon))
        for k, (t, s) in enumerate(zip(self.times, self.times[1:])):
            keep, push, spread, h, root, drift, back, back_variance = self.coefficients(t, s)
            z = normals(self.seed, self.stream, self.first, PATHS, k, self.d)
            u = self.control(x, t)
            driver = u.detach() if fixed else u
            mean, step_ito = keep * x + push * u, root * (u * z).sum(1)
            after = keep * x + push * driver + spread * z
            rnd[0] = rnd[0] + (u * (driver - u / 2)).sum(1) * h + step_ito - drift
            rnd[1] = rnd[1] + Normal(mean, spread).log_prob(after).sum(1)
            if back_variance > 0:
                rnd[1] = rnd[1] - log_normal(x, back * after, back_variance)
            ito = ito + step_ito
            if k == 0:
                self.u0, self.z0 = u.detach(), z
            x = after.detach() if fixed else after
        if self.method != "dis":
            rnd[0] = rnd[0] + log_normal(x, torch.zeros(1), self.reference_variance(0))
        end = self.rho(x)
        return x, [r - end for r in rnd], ito

    def loss(self, rnd, ito):
        value = rnd[self.form == "discrete"]
        if self.objective == "kl" and self.form == "continuous":
            value = value - ito
        if self.objective.startswith("kl"):
            return value.mean()
        if self.objective == "log_variance":
            return value.var()
        return value.reshape(-1, self.group).var(1).mean()

    def check(self, rnd):
        """rnd of zero control from the stored coefficients against the densities."""
        class Zero(Case):
            control = lambda self, x, t: torch.zeros_like(x)
        twin = Zero.__new__(Zero)
        twin.__dict__.update(self.__dict__)
        x, expected, _ = twin.simulate()
        got, ends = [0.0, 0.0], self.ends()
        y = self.x0
        for k, (t, s) in enumerate(zip(self.times, self.times[1:])):
            keep, _, spread, _, _, drift, back, v = self.coefficients(t, s)
            z = normals(self.seed, self.stream, self.first, PATHS, k, self.d)
            after = keep * y + spread * z
            got[0] = got[0] - drift
            got[1] = got[1] - z.square().sum(1) / 2 - self.d * math.log(spread)
            if v > 0:
                got[1] = got[1] + (y - back * after).square().sum(1) / (2 * v) + self.d / 2 * math.log(v)
            else:
                got[1] = got[1] - self.d / 2 * math.log(2 * math.pi)
            y = after
        for i, (start, p0, end, p1) in enumerate(ends):
            total = got[i] + start - p0 * self.x0.square().sum(1) / 2 + end - p1 * y.square().sum(1) / 2 - self.rho(y)
            assert torch.allclose(total, expected[i], rtol=1e-10, atol=1e-9), (self.name, i)

    def run(self):
        parameters = {k: v for k, v in self.network.tensors.items() if self.score != "none" or k[0] != "f"}
        for tensor in parameters.values():
            tensor.requires_grad_()
        x, rnd, ito = self.simulate()
        loss = self.loss(rnd, ito)
        # the last bias of a potential moves no control: its gradient is 0
        grads = torch.autograd.grad(loss, parameters.values(), allow_unused=True)
        for tensor in parameters.values():
            tensor.requires_grad_(False)
        self.check(rnd)
        out = {"x0": self.x0, "times": torch.tensor(self.times), "u0": self.u0, "z0": self.z0, "xn": x,
               "step": torch.tensor([self.coefficients(t, s) for t, s in zip(self.times, self.times[1:])]),
               "ends": torch.tensor(self.ends()), "rnd": torch.stack(rnd), "loss": loss[None]}
        for name, grad in zip(parameters, grads):
            out["grad/" + name] = torch.zeros_like(parameters[name]) if grad is None else grad
            assert (grad is None) == (self.potential and name == "l3.bias"), (self.name, name)
            assert out["grad/" + name].isfinite().all() and (grad is None or grad.abs().max() > 0), (self.name, name)
        return {f"{self.name}@{key}": value.detach() for key, value in out.items()}

    def line(self):
        p = self.process
        return (f"case {self.name} weights={self.network.name} method={self.method} process={p.name} "
                f"horizon={p.horizon!r} beta_min={p.beta_min!r} beta_max={p.beta_max!r} scale={p.scale!r} diff={p.diff!r} pin={p.pin!r} "
                f"prior_variance={self.prior!r} integrator={self.integrator} form={self.form} "
                f"objective={self.objective} field={'potential' if self.potential else 'vector'} score={self.score} clip={self.clip!r} "
                f"detach_score={self.detach} group={self.group} target={self.target} d={self.d} n={PATHS} "
                f"steps={len(self.times) - 1} seed={self.seed} stream={self.stream} first={self.first}\n")


def cases(nets):
    v2, p2, v5 = nets
    vp, scaled, slow = VP(), VP(0.2, 1.2, 1.5, 1.3), VP(0.1, 2.0)
    wide, point = Pinned(5.005), Pinned(5.0)
    quadratic = [(1 - k / STEPS) ** 1.5 for k in range(STEPS)] + [0.0]
    small = 0.8  # clips some, not all, of net, tau and S
    yield Case("dis_kl", v2, "dis", vp, "kl", "continuous", prior=1.0)
    yield Case("dis_kl_ito", v2, "dis", scaled, "kl_ito", "continuous", "exponential", detach=1, prior=1.2, first=1000)
    yield Case("dis_kl_discrete", v2, "dis", vp, "kl", "discrete", "exponential", clip=small, prior=1.0)
    yield Case("dis_lv", v2, "dis", vp, "log_variance", "continuous", clip=small, prior=1.0, seed=(5 << 32) + 3)
    yield Case("dis_lv_discrete", v2, "dis", scaled, "log_variance", "discrete", "exponential", "target", prior=1.69,
               times=[1.5 * t for t in quadratic])
    yield Case("dis_lvt_none", v2, "dis", slow, "log_variance_trajectory", "discrete", score="none", group=4, prior=1.0)
    yield Case("dis_potential_kl", p2, "dis", vp, "kl", "continuous", prior=1.0)
    yield Case("dis_potential_kl_detach", p2, "dis", vp, "kl_ito", "discrete", "exponential", detach=1, prior=1.0)
    yield Case("dis_potential_lv_none", p2, "dis", slow, "log_variance", "continuous", score="none", prior=1.0,
               times=quadratic)
    yield Case("pis_kl", v2, "pis", wide, "kl", "continuous", score="target")
    yield Case("pis_lv_discrete", v2, "pis", wide, "log_variance", "discrete", score="target", clip=1.1, first=1 << 33)
    yield Case("pis_point_kl_discrete", v2, "pis", point, "kl_ito", "discrete", score="target", prior=0)
    yield Case("pis_point_lvt", v2, "pis", point, "log_variance_trajectory", "continuous", score="target",
               group=8, prior=0)
    yield Case("pis_potential_kl_discrete", p2, "pis", wide, "kl", "discrete", score="target")
    yield Case("dds_kl", v2, "dds", scaled, "kl", "continuous", "exponential", "target", prior=1.69)
    yield Case("dds_kl_discrete", v2, "dds", slow, "kl", "discrete", score="target", detach=1, prior=1.0)
    yield Case("dds_lvt", v2, "dds", scaled, "log_variance_trajectory", "continuous", "exponential", "target", small,
               group=4, prior=1.4)
    yield Case("dds_potential_lv", p2, "dds", scaled, "log_variance", "discrete", "exponential", "target", prior=1.69)
    yield Case("wells_dis_kl", v5, "dis", vp, "kl", "continuous", "exponential", clip=5.0, prior=1.0,
               target="many_well")
    yield Case("wells_pis_lv", v5, "pis", point, "log_variance", "discrete", score="target", clip=5.0, prior=0,
               target="many_well")
    yield Case("wells_dds_kl", v5, "dds", vp, "kl_ito", "discrete", score="target", clip=5.0, prior=1.0,
               target="many_well")


# ---- the optimiser -------------------------------------------------------------------------------


def adam(name, schedule, rate, decay=1e-7, max_norm=1.0, ema=0.9, factor=1.0, every=1, end_ratio=1.0):
    count, steps = 40, 50
    j = torch.arange(count, dtype=torch.float64)
    matrix = 0.5 * torch.eye(count) + 0.1 * torch.cos(0.3 * torch.outer(j + 1, j + 1))
    w = torch.nn.Parameter(torch.sin(0.7 * j))
    average, rows = w.detach().clone(), {"weights": [], "average": [], "norm": [], "rate": []}
    optimiser = torch.optim.Adam([w], lr=rate, weight_decay=decay)
    shape = {"constant": lambda k: 1.0, "step": lambda k: factor ** (k // every),
             "exponential": lambda k: end_ratio ** (k / steps),
             "cosine": lambda k: end_ratio + (1 - end_ratio) * (1 + math.cos(math.pi * k / steps)) / 2}[schedule]
    for k in range(steps):
        optimiser.param_groups[0]["lr"] = rate * shape(k)
        w.grad = (0.01 if k % 2 else 1.0) * (matrix @ w.detach() + torch.sin(0.5 * (k + 1) + 0.2 * j))
        rows["norm"].append(torch.nn.utils.clip_grad_norm_([w], max_norm))
        optimiser.step()
        average = ema * average + (1 - ema) * w.detach()
        rows["rate"].append(torch.tensor(rate * shape(k)))
        if k % 10 == 9:
            rows["weights"].append(w.detach().clone())
            rows["average"].append(average)
    norm = torch.stack(rows["norm"])
    assert 5 < (norm > max_norm).sum() < 45
    line = (f"adam {name} schedule={schedule} rate={rate!r} decay={decay!r} max_norm={max_norm!r} ema={ema!r} "
            f"factor={factor!r} every={every} end_ratio={end_ratio!r} steps={steps}\n")
    return line, {f"{name}@{key}": torch.stack(value) for key, value in rows.items()}


def write_safetensors(path, tensors):
    header, blocks, at = {}, [], 0
    for name, tensor in tensors.items():
        single = "/" in name and "@" not in name and not name.endswith("frequency")  # float32 values
        array = tensor.detach().to(torch.float32 if single else torch.float64).contiguous().numpy()
        blocks.append(array.tobytes())
        header[name] = {"dtype": "F32" if single else "F64", "shape": list(tensor.shape),
                        "data_offsets": [at, at + len(blocks[-1])]}
        at += len(blocks[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def main():
    torch.set_num_threads(1)
    nets = [Network("vector2", 2, 2), Network("potential2", 2, 1), Network("vector5", 5, 5)]
    tensors, lines = {}, []
    for net in nets:
        lines.append(net.line())
        tensors.update({f"{net.name}/{key}": value for key, value in net.tensors.items()})
        tensors.update({f"{net.name}/frequency": net.frequency, f"{net.name}/factor_frequency": net.factor_frequency})
    for case in cases(nets):
        tensors.update(case.run())
        lines.append(case.line())
    for arguments in (dict(name="adam_constant", schedule="constant", rate=0.005),
                      dict(name="adam_step", schedule="step", rate=0.02, factor=0.5, every=8, ema=0.99),
                      dict(name="adam_exponential", schedule="exponential", rate=0.05, end_ratio=0.02, decay=0.1),
                      dict(name="adam_cosine", schedule="cosine", rate=0.03, end_ratio=0.1, max_norm=2.0)):
        line, rows = adam(**arguments)
        lines.append(line)
        tensors.update(rows)
    path = os.path.join(FOLDER, "train.safetensors")
    write_safetensors(path, tensors)
    with open(os.path.join(FOLDER, "train.txt"), "w", encoding="utf-8") as file:
        file.writelines(lines)
    print(len(lines), "lines,", os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main()
