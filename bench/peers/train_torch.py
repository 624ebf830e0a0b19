#!/usr/bin/env python3
"""Training steps of the DIS sampler and sampling with it, in PyTorch at its best on a CPU: the peer of bench_train.

    train_torch.py THREADS [REPETITIONS [WORK ...]]     WORK: lv-gmm9 kl-gmm9 lv-funnel kl-funnel sample-gmm9
                                                        sample-funnel (default: all; 5 repetitions)

A step is: paths (batch 2048, N = 100; gmm9 in d = 2, funnel in d = 10), loss, gradients, clipping to norm 1, Adam, in
float32. The network is the Fourier MLP of width 64 with its time factor. Sampling is 6000 paths of 200 steps
with their weights. Prints `WORK VARIANT seconds (range ..)`, median over repetitions after one that warms up, and per
WORK a line `WORK best seconds`.

What makes it fast beside a plain implementation: the embedding of all times in one batch and not once per particle;
the score of the target as a formula, not by autograd; no graph through the path for log-variance, whose gradient
with respect to the controls is known. Variants of log-variance:
    graph     the graph of the controls is kept while the paths are simulated
    batch     paths without a graph, then all (step, particle) pairs in one batch
    chunk     the same, ten steps at a time (activations stay nearer to the processor)
"""
import math
import os
import sys
import time

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
WORK = sys.argv[3:] or ["lv-gmm9", "kl-gmm9", "lv-funnel", "kl-funnel", "sample-gmm9", "sample-funnel"]
os.environ.setdefault("OMP_NUM_THREADS", str(threads))

import ctypes  # noqa: E402

# keep freed memory: else glibc hands every large tensor back and the kernel clears its pages anew
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
    ctypes.CDLL(None).mallopt(option, 2**30)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import gelu  # noqa: E402

torch.set_num_threads(threads)
torch.set_flush_denormal(True)
torch.manual_seed(0)
WIDTH, CLIP, BETA_MIN, BETA_MAX = 64, 10.0, 0.1, 10.0


class GMM9:
    d, variance = 2, 0.3
    means = torch.tensor([[a, b] for a in (-5.0, 0.0, 5.0) for b in (-5.0, 0.0, 5.0)])
    slope, level = means.t() / variance, -means.square().sum(1) / (2 * variance)
    pulls = means / variance

    def score(self, x):
        return torch.softmax(torch.addmm(self.level, x, self.slope), 1) @ self.pulls - x / self.variance

    def log_rho(self, x):
        logits = torch.addmm(self.level, x, self.slope)
        constant = math.log(9 * 2 * math.pi * self.variance)
        return torch.logsumexp(logits, 1) - x.square().sum(1) / (2 * self.variance) - constant


class Funnel:
    d = 10

    def score(self, x):
        first, rest = x[:, :1], x[:, 1:]
        pull = -rest * torch.exp(-first)
        return torch.cat([-first / 9 - 4.5 - (rest * pull).sum(1, keepdim=True) / 2, pull], 1)

    def log_rho(self, x):
        first, rest = x[:, 0], x[:, 1:].square().sum(1)
        constant = math.log(3) + 5 * math.log(2 * math.pi)
        return -first.square() / 18 - 4.5 * first - rest * torch.exp(-first) / 2 - constant


class Embedding(nn.Module):
    def __init__(self, hidden, out):
        super().__init__()
        self.register_buffer("frequency", torch.linspace(0.1, 100, WIDTH))
        self.phase = nn.Parameter(torch.randn(WIDTH))
        self.hidden = nn.ModuleList([nn.Linear(2 * WIDTH if k == 0 else WIDTH, WIDTH) for k in range(hidden)])
        self.out = nn.Linear(WIDTH, out)

    def forward(self, r):
        angle = r[:, None] * self.frequency + self.phase
        h = torch.cat([torch.sin(angle), torch.cos(angle)], 1)
        for layer in self.hidden:
            h = gelu(layer(h))
        return self.out(h)


class Sampler(nn.Module):
    def __init__(self, target, steps):
        super().__init__()
        self.target, self.d, self.steps = target, target.d, steps
        self.first = nn.Linear(self.d, WIDTH, bias=True)
        self.hidden = nn.ModuleList([nn.Linear(WIDTH, WIDTH) for _ in range(2)])
        self.last = nn.Linear(WIDTH, self.d)
        self.embedding, self.factor = Embedding(1, WIDTH), Embedding(3, 1)
        nn.init.constant_(self.factor.out.bias, 1.0)
        # one step of training would leave zeros zero: small weights, and the time is that of any others
        nn.init.normal_(self.last.weight, std=1e-3)
        self.h = 1.0 / steps
        r = torch.arange(steps) * self.h
        beta = BETA_MAX + (BETA_MIN - BETA_MAX) * r
        self.register_buffer("r", r)
        self.register_buffer("g", beta.sqrt())
        self.keep = (1 + beta * self.h / 2).tolist()
        self.push, self.spread = (self.g * self.h).tolist(), (self.g * math.sqrt(self.h)).tolist()
        self.share = r.tolist()
        self.constant = self.d * (BETA_MIN + BETA_MAX) / 4 + self.d / 2 * math.log(2 * math.pi)

    def times(self):
        """What depends on time alone: rows added to the first layer, and g tau."""
        bias = self.embedding(self.r) + self.first.bias
        return bias, self.g[:, None] * self.factor(self.r).clamp(-CLIP, CLIP)

    def transposed(self):
        """Weights as addmm takes them; views, through which gradients flow."""
        return [layer.weight.t() for layer in (self.first, *self.hidden, self.last)]

    def perceptron(self, h, w):
        for layer, weight in zip(self.hidden, w[1:3]):
            h = torch.addmm(layer.bias, gelu(h), weight)
        return torch.addmm(self.last.bias, gelu(h), w[3]).clamp(-CLIP, CLIP)

    def information(self, x, k):
        a = self.share[k]
        return torch.sub(a * self.target.score(x), x, alpha=1 - a).clamp(-CLIP, CLIP)

    def paths(self, n, keep_graph):
        """X_N, rnd; per step X, z, the control, S. Paths carry no graph; with keep_graph the controls do."""
        x, z = torch.randn(n, self.d), torch.randn(self.steps, n, self.d)
        with torch.set_grad_enabled(keep_graph):
            (bias, scale), w = self.times(), self.transposed()
        rnd = -x.square().sum(1) / 2 - self.constant
        seen = []
        for k in range(self.steps):
            with torch.no_grad():
                s = self.information(x, k)
            with torch.set_grad_enabled(keep_graph):
                u = torch.addcmul(self.perceptron(torch.addmm(bias[k], x, w[0]), w), scale[k], s)
            v = u.detach()
            rnd += (v * (v * (self.h / 2) + z[k] * math.sqrt(self.h))).sum(1)
            seen.append((x, u, s))
            x = torch.add(self.keep[k] * x, v, alpha=self.push[k]).add_(z[k], alpha=self.spread[k])
        return x, rnd - self.target.log_rho(x), z, seen

    def loss_lv(self, n, variant):
        """Gradients of the variance of rnd: d/du_k = 2 (rnd - mean) / (n - 1) sqrt(h) z_k."""
        with torch.no_grad():
            _, rnd, z, seen = self.paths(n, variant == "graph")
            pull = z.mul_((2 * math.sqrt(self.h) / (n - 1)) * (rnd - rnd.mean())[:, None])
        if variant == "graph":
            torch.autograd.backward([u for _, u, _ in seen], list(pull))
            return rnd.var()
        (bias, scale), w = self.times(), self.transposed()
        chunk = self.steps if variant == "batch" else 10
        times = [t.detach().requires_grad_() for t in (bias, scale)]
        for a in range(0, self.steps, chunk):
            x = torch.stack([x for x, _, _ in seen[a:a + chunk]])
            s = torch.stack([s for _, _, s in seen[a:a + chunk]])
            h = torch.add(x.flatten(0, 1).mm(w[0]).view(len(x), n, WIDTH), times[0][a:a + chunk, None])
            u = self.perceptron(h.flatten(0, 1), w).view_as(x) + times[1][a:a + chunk, None] * s
            u.backward(pull[a:a + chunk], retain_graph=a + chunk < self.steps)  # w is shared by the chunks
        torch.autograd.backward([bias, scale], [t.grad for t in times])
        return rnd.var()

    def loss_kl(self, n, _variant):
        x, z = torch.randn(n, self.d), torch.randn(self.steps, n, self.d)
        (bias, scale), w, controls = self.times(), self.transposed(), []
        for k in range(self.steps):
            u = torch.addcmul(self.perceptron(torch.addmm(bias[k], x, w[0]), w), scale[k], self.information(x, k))
            controls.append(u)
            x = torch.add(self.keep[k] * x, u, alpha=self.push[k]).add(z[k], alpha=self.spread[k])
        loss = torch.cat(controls).square().sum() * (self.h / 2 / n) - self.target.log_rho(x).mean()
        loss.backward()
        return loss.detach()

    @torch.inference_mode()
    def sample(self, n):
        """X_N and log weights; one step after the other, nothing kept."""
        x, (bias, scale), w = torch.randn(n, self.d), self.times(), self.transposed()
        log_w = x.square().sum(1) / 2 + self.constant
        for k in range(self.steps):
            z = torch.randn(n, self.d)
            u = torch.addcmul(self.perceptron(torch.addmm(bias[k], x, w[0]), w), scale[k], self.information(x, k))
            log_w -= (u * (u * (self.h / 2)).add_(z, alpha=math.sqrt(self.h))).sum(1)
            x = torch.add(self.keep[k] * x, u, alpha=self.push[k]).add_(z, alpha=self.spread[k])
        return x, log_w + self.target.log_rho(x)


def timed(run):
    run()
    times = []
    for _ in range(repetitions):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return sorted(times)


def agree(sampler):
    """The variants of log-variance give one gradient; it is that of autograd on the variance."""
    grads = []
    for variant in ("graph", "batch", "chunk", "plain"):
        torch.manual_seed(1)
        sampler.zero_grad()
        if variant == "plain":
            _, value, z, seen = sampler.paths(256, True)
            for k, (_, u, _) in enumerate(seen):
                v = u.detach()
                step = lambda c: (c * (v - c / 2)).sum(1) * sampler.h + (c * z[k]).sum(1) * math.sqrt(sampler.h)
                value = value + step(u) - step(v)  # gradients alone
            value.var().backward()
        else:
            sampler.loss_lv(256, variant)
        grads.append(torch.cat([p.grad.flatten() for p in sampler.parameters()]))
    for g in grads[:-1]:
        error = (g - grads[-1]).norm() / grads[-1].norm()
        assert error < 1e-4, error


def main():
    for work in WORK:
        kind, name = work.split("-")
        target = {"gmm9": GMM9, "funnel": Funnel}[name]()
        best = math.inf
        sampler = Sampler(target, 200 if kind == "sample" else 100)
        if kind == "lv":
            agree(sampler)
        for variant in {"lv": ["graph", "batch", "chunk"], "kl": ["graph"], "sample": ["inference"]}[kind]:
            optimiser = torch.optim.Adam(sampler.parameters(), lr=1e-4, weight_decay=1e-7, foreach=True)

            def step():
                optimiser.zero_grad(set_to_none=True)
                loss = (sampler.loss_lv if kind == "lv" else sampler.loss_kl)(2048, variant)
                nn.utils.clip_grad_norm_(sampler.parameters(), 1.0)
                optimiser.step()
                return loss

            times = timed(step if kind != "sample" else lambda: sampler.sample(6000))
            median = times[len(times) // 2]
            best = min(best, median)
            print(f"{work} {variant} {median:.4f} seconds (range {times[0]:.4f} .. {times[-1]:.4f})", flush=True)
        print(f"{work} best {best:.4f} seconds", flush=True)


if __name__ == "__main__":
    main()
