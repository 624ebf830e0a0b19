#!/usr/bin/env python3
"""Euler-Maruyama on a potential network 3-80-80-80-1 (softplus, beta 100) in PyTorch, for bench_simulate.

    simulate_torch.py PARTICLES STEPS THREADS [REPETITIONS]

The score is the gradient by autograd (as users write it) and by a hand-written reverse sweep without a graph
(the fastest that we found). Prints seconds for all steps, median over repetitions, one line each. Weights are
random: the time does not depend on them.
"""
import os
import sys
import time

particles, steps, threads = (int(a) for a in sys.argv[1:4])
repetitions = int(sys.argv[4]) if len(sys.argv) > 4 else 3
os.environ.setdefault("OMP_NUM_THREADS", str(threads))

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

torch.set_num_threads(threads)
torch.manual_seed(0)
BETA = 100.0
net = [torch.nn.Linear(3, 80), torch.nn.Linear(80, 80), torch.nn.Linear(80, 80), torch.nn.Linear(80, 1)]
W = [layer.weight.detach() for layer in net]
B = [layer.bias.detach() for layer in net]
WT = [w.t().contiguous() for w in W]


def score_autograd(x, t):
    x = x.requires_grad_(True)
    h = torch.cat([torch.full((len(x), 1), t), x], 1)
    for layer in net[:-1]:
        h = F.softplus(layer(h), beta=BETA)
    return torch.autograd.grad(net[-1](h).sum(), x)[0]


@torch.no_grad()
def score_by_hand(x, t):
    h = torch.cat([torch.full((len(x), 1), t), x], 1)
    slopes = []
    for w, b in zip(WT[:-1], B[:-1]):
        a = torch.addmm(b, h, w)
        slopes.append(torch.sigmoid(a * BETA))
        h = F.softplus(a, beta=BETA)
    g = W[-1] * slopes[-1]
    for w, slope in zip(reversed(W[1:-1]), reversed(slopes[:-1])):
        g = torch.mm(g, w).mul_(slope)
    return torch.mm(g, W[0])[:, 1:]


def run(score):
    h = 0.0125
    x = torch.randn(particles, 2) * 0.5**0.5
    began = time.perf_counter()
    for k in range(steps):
        s = score(x.detach(), 10 - k * h)
        x = x + (x + s) * h + h**0.5 * torch.randn_like(x)
    return time.perf_counter() - began


x = torch.randn(100, 2)
gap = (score_autograd(x.clone(), 0.3) - score_by_hand(x, 0.3)).abs().max()
assert gap < 1e-4, gap
for name, score in (("autograd", score_autograd), ("by-hand", score_by_hand)):
    run(score) if steps <= 100 else None
    times = sorted(run(score) for _ in range(repetitions))
    print(f"{name} {times[len(times) // 2]:.3f} seconds (range {times[0]:.3f} .. {times[-1]:.3f})", flush=True)
