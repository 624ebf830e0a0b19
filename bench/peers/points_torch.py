#!/usr/bin/env python3
"""Losses at points with their gradients in PyTorch at its best on a CPU: the peer of bench_points.

    points_torch.py THREADS [REPETITIONS]     default 5

Network 3-80-80-80-1, softplus 100, float32. residual: mean R^2 of the Fokker-Planck residual at 50,000 points in d = 2
with its gradient; denoising: mean |grad Phi - goal|^2 / 2 at 20,000. Prints `WORK VARIANT seconds (range ..)`, medians
after one that warms up, and per WORK a line `WORK best seconds`.

Variants:
    nested    derivatives by nested automatic differentiation, as published code does it
    jets      values, derivatives and Laplacian carried forward by hand through each layer (one product for all of
              them), one automatic reverse; for denoising: gradient of Phi by hand
    chunk     jets, 5000 points at a time (activations stay nearer to the processor)
"""
import ctypes
import os
import sys
import time

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
os.environ.setdefault("OMP_NUM_THREADS", str(threads))
for option in (-3, -1):  # keep freed memory: else the kernel clears its pages anew each time
    ctypes.CDLL(None).mallopt(option, 2**30)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import linear, softplus  # noqa: E402

torch.set_num_threads(threads)
torch.set_flush_denormal(True)
torch.manual_seed(0)
BETA = 100.0
layers = [nn.Linear(a, b) for a, b in ((3, 80), (80, 80), (80, 80), (80, 1))]
parameters = [p for layer in layers for p in layer.parameters()]


def phi_of(x, t):
    h = torch.cat([t, x], 1)
    for layer in layers[:-1]:
        h = softplus(layer(h), BETA, 20.0)
    return layers[-1](h)


def grad(y, x):
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


def residual_nested(x, t):
    x, t = x.requires_grad_(), t.requires_grad_()
    phi = phi_of(x, t)
    s, phi_t = grad(phi, x), grad(phi, t)
    lap = sum(grad(s[:, k], x)[:, k] for k in range(2))
    return phi_t[:, 0] - 2 - (x * s).sum(1) - 0.5 * (lap + s.square().sum(1))


def residual_jets(x, t):
    """Channels: value, t, x1, x2, Laplacian; [5, n, width]."""
    n = len(x)
    w, b = layers[0].weight, layers[0].bias
    value = linear(torch.cat([t, x], 1), w, b)
    slopes = w.t()[:, None, :].expand(3, n, 80)
    lap = None
    for layer in layers[1:]:
        gate = torch.sigmoid(BETA * value)
        bend = BETA * gate * (1 - gate)
        squares = slopes[1:].square().sum(0)
        lap = bend * squares if lap is None else gate * lap + bend * squares
        h = torch.cat([softplus(value, BETA, 20.0)[None], gate * slopes, lap[None]])
        h = linear(h, layer.weight)
        value, slopes, lap = h[0] + layer.bias, h[1:4], h[4]
    s = slopes[1:, :, 0]
    return slopes[0, :, 0] - 2 - (x.t() * s).sum(0) - 0.5 * (lap[:, 0] + s.square().sum(0))


def score_nested(x, t):
    x = x.requires_grad_()
    return grad(phi_of(x, t), x)


def score_jets(x, t):
    gates, h = [], torch.cat([t, x], 1)
    for layer in layers[:-1]:
        z = layer(h)
        gates.append(torch.sigmoid(BETA * z))
        h = softplus(z, BETA, 20.0)
    d = layers[3].weight * gates[2]
    d = linear(d, layers[2].weight.t()) * gates[1]
    d = linear(d, layers[1].weight.t()) * gates[0]
    return linear(d, layers[0].weight.t())[:, 1:]


def step(loss_of, n, chunk):
    x, t = 7 * torch.rand(n, 2) - 3.5, 10 * torch.rand(n, 1)
    for p in parameters:
        p.grad = None
    for at in range(0, n, chunk):
        (loss_of(x[at : at + chunk], t[at : at + chunk]) / n).backward()


def residual(r_of):
    return lambda x, t: r_of(x.clone(), t.clone()).square().sum()


def denoising(s_of):
    return lambda x, t: (s_of(x.clone(), t) - x).square().sum() / 2


def report(work, n, variants):
    best = None
    for name, loss_of, chunk in variants:
        times = []
        for k in range(repetitions + 1):
            start = time.perf_counter()
            step(loss_of, n, chunk)
            times.append(time.perf_counter() - start)
        times = sorted(times[1:])
        median = times[len(times) // 2]
        print(f"{work} {name} {median:.4f} (range {times[0]:.4f} .. {times[-1]:.4f})", flush=True)
        best = median if best is None else min(best, median)
    print(f"{work} best {best:.4f}", flush=True)


report(
    "residual",
    50000,
    [
        ("nested", residual(residual_nested), 50000),
        ("nested-chunk", residual(residual_nested), 5000),
        ("jets", residual(residual_jets), 50000),
        ("chunk", residual(residual_jets), 5000),
        ("chunk-1000", residual(residual_jets), 1000),
    ],
)
report(
    "denoising",
    20000,
    [
        ("nested", denoising(score_nested), 20000),
        ("jets", denoising(score_jets), 20000),
        ("chunk", denoising(score_jets), 2000),
    ],
)
