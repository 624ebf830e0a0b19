#!/usr/bin/env python3
"""Make tests/parity/fixtures/points.safetensors and points.txt: losses at points (denoising score matching, Fokker-Planck
residuals in log, centred and score form) with their gradients, by PyTorch's automatic differentiation in float64.

    /usr/bin/python3 tests/parity/make_points_fixtures.py       (Debian: python3-torch)

points.txt holds one line per case: `case NAME form=potential|vector activation=softplus|gelu|silu|tanh beta= threshold=
time=first|last width= layers= d= n= group= process=ou|vp`, and points.safetensors for each
    NAME@weights     all weights, layer by layer [out, in] then bias [out]; inputs (t, x) or (x, t)   (float32 values)
    NAME@x [n, d]  NAME@t [n / group]  NAME@goal [n, d]  NAME@weight [n]                              (float32 values)
    NAME@KIND.loss [1]  NAME@KIND.value [n]  NAME@KIND.gradient   for KIND denoising residual centred score
The processes are ou (rate 1, diff 1) and vp (beta = 0.1 + 9.9 t, T = 1).
"""
import json
import os
import struct

import torch
from torch import nn

torch.manual_seed(20261126)
torch.set_default_dtype(torch.float64)
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
CASES = [  # name form activation beta threshold time width layers d n group process
    ("gap", "potential", "softplus", 100, 20, "first", 80, 4, 2, 96, 1, "ou"),
    ("one", "potential", "softplus", 5, 40, "first", 20, 3, 1, 48, 4, "ou"),
    ("five", "potential", "tanh", 1, 0, "last", 24, 3, 5, 48, 4, "vp"),
    ("ten", "potential", "silu", 1, 0, "first", 24, 3, 10, 48, 8, "vp"),
    ("two", "potential", "gelu", 1, 0, "last", 32, 3, 2, 48, 4, "vp"),
    ("arrow1", "vector", "softplus", 5, 40, "first", 20, 3, 1, 48, 1, "ou"),
    ("arrow2", "vector", "softplus", 100, 40, "first", 40, 3, 2, 48, 1, "ou"),
    ("arrow5", "vector", "gelu", 1, 0, "last", 24, 3, 5, 48, 4, "vp"),
    ("arrow10", "vector", "tanh", 1, 0, "first", 24, 3, 10, 32, 4, "vp"),
]


def single(x):
    return x.float().double()


def coefficients(process, t):
    """a and g^2"""
    if process == "ou":
        return torch.ones_like(t), torch.ones_like(t)
    beta = 0.1 + 9.9 * t
    return beta / 2, beta


class Net(nn.Module):
    def __init__(self, activation, beta, threshold, time, widths):
        super().__init__()
        self.linear = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.time = time
        self.act = {
            "softplus": nn.Softplus(beta, threshold),
            "gelu": nn.GELU(),
            "silu": nn.SiLU(),
            "tanh": nn.Tanh(),
        }[activation]
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(single(p))

    def forward(self, x, t):
        h = torch.cat([t, x] if self.time == "first" else [x, t], 1)
        for layer in self.linear[:-1]:
            h = self.act(layer(h))
        return self.linear[-1](h)


def grad(y, x):
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


def score_of(net, form, x, t):
    return grad(net(x, t), x) if form == "potential" else net(x, t)


def log_residual(net, x, t, a, g2):
    phi = net(x, t)
    s, phi_t = grad(phi, x), grad(phi, t)
    lap = sum(grad(s[:, k], x)[:, k] for k in range(x.shape[1]))
    return phi_t[:, 0] - a * x.shape[1] - a * (x * s).sum(1) - g2 / 2 * (lap + s.square().sum(1))


def score_residual(net, x, t, a, g2):
    s = net(x, t)
    div = sum(grad(s[:, k], x)[:, k] for k in range(x.shape[1]))
    psi = g2 / 2 * (div + s.square().sum(1)) + a * (x * s).sum(1)
    s_t = torch.cat([grad(s[:, k], t) for k in range(x.shape[1])], 1)
    return s_t - grad(psi, x)


def run(case, store):
    name, form, activation, beta, threshold, time, width, layers, d, n, group, process = case
    net = Net(activation, beta, threshold, time, [d + 1] + (layers - 1) * [width] + [1 if form == "potential" else d])
    x = single(1.5 * torch.randn(n, d)).requires_grad_()
    high = 10.0 if process == "ou" else 0.9
    short = single(0.1 + (high - 0.1) * torch.rand(n // group))
    t = short.repeat_interleave(group)[:, None].clone().requires_grad_()
    goal, weight = single(torch.randn(n, d)), single(0.5 + torch.rand(n))
    a, g2 = (c[:, 0].detach() for c in coefficients(process, t))
    store[f"{name}@weights"] = torch.cat([p.detach().flatten() for p in net.parameters()])
    for key, value in (("x", x), ("t", short), ("goal", goal), ("weight", weight)):
        store[f"{name}@{key}"] = value.detach()

    def put(kind, loss, value):
        gradient = torch.autograd.grad(loss, list(net.parameters()), retain_graph=True, allow_unused=True)
        flat = [torch.zeros_like(p) if g is None else g for g, p in zip(gradient, net.parameters())]
        store[f"{name}@{kind}.loss"] = loss.detach().reshape(1)
        store[f"{name}@{kind}.value"] = value.detach()
        store[f"{name}@{kind}.gradient"] = torch.cat([g.flatten() for g in flat])

    off = (score_of(net, form, x, t) - goal).square().mean(1)
    put("denoising", (weight * off).mean(), off)
    if form == "potential":
        r = log_residual(net, x, t, a, g2)
        put("residual", r.square().mean(), r)
        if group > 1:
            centred = r.reshape(-1, group) - r.reshape(-1, group).mean(1, keepdim=True)
            put("centred", centred.square().sum(1).mean() / (group - 1), centred.flatten())
    else:
        e = score_residual(net, x, t, a, g2).square().mean(1)
        put("score", e.mean(), e)
    return (
        f"case {name} form={form} activation={activation} beta={beta} threshold={threshold} time={time} "
        f"width={width} layers={layers} d={d} n={n} group={group} process={process}"
    )


def write(path, store):
    header, at = {}, 0
    for key, value in store.items():
        kept = value.float().double().equal(value)  # exact in float32: stored so
        data = value.numpy().astype("<f4" if kept else "<f8").tobytes()
        header[key] = {"dtype": "F32" if kept else "F64", "shape": list(value.shape), "data_offsets": [at, at + len(data)]}
        store[key] = data
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(store.values()))


store = {}
lines = [run(case, store) for case in CASES]
write(os.path.join(FOLDER, "points.safetensors"), store)
with open(os.path.join(FOLDER, "points.txt"), "w") as file:
    file.write("\n".join(lines) + "\n")
