#!/usr/bin/env python3
"""SciPy's RK45 on a batched PyTorch model, for bench_ode.

    ode_scipy_torch.py FOLDER WEIGHTS HORIZON T_END THREADS

FOLDER holds x0.f64 and want.f64, [n, 2] float64; WEIGHTS is a safetensors file or `random`. Prints, for the
gradient by autograd and written by hand, over a few tolerances:
    wall-seconds processor-seconds evaluations rms-error largest-error label
Median of three runs after one that warms up. The hand-written gradient is kinder to PyTorch than autograd.
"""
import json
import os
import sys
import time

folder, weights_file, horizon, t_end, threads = sys.argv[1:6]
horizon, t_end, threads = float(horizon), float(t_end), int(threads)
os.environ.setdefault("OMP_NUM_THREADS", str(threads))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from scipy.integrate import solve_ivp  # noqa: E402

torch.set_num_threads(threads)
WIDTHS = [3, 80, 80, 80, 1]
BETA = 100.0


def random_layers():
    state, layers = 1, []

    def uniform():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 11) * 2.0**-53

    for inputs, outputs in zip(WIDTHS, WIDTHS[1:]):
        bound = 1 / np.sqrt(inputs)
        w = [bound * (2 * uniform() - 1) for _ in range(inputs * outputs)]
        b = [bound * (2 * uniform() - 1) for _ in range(outputs)]
        layers.append((np.array(w).reshape(outputs, inputs), np.array(b)))
    return layers


def read_layers(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()

    def tensor(name):
        entry = header[name]
        begin, end = entry["data_offsets"]
        kind = {"F32": np.float32, "F64": np.float64}[entry["dtype"]]
        return np.frombuffer(data[begin:end], kind).reshape(entry["shape"]).astype(np.float64)

    return [(tensor(s + ".weight"), tensor(s + ".bias")) for s in ("input", "hidden1", "hidden2", "output")]


layers = random_layers() if weights_file == "random" else read_layers(weights_file)
W = [torch.from_numpy(np.ascontiguousarray(w)) for w, _ in layers]
B = [torch.from_numpy(np.ascontiguousarray(b)) for _, b in layers]
softplus = torch.nn.Softplus(beta=BETA, threshold=20)


def score_autograd(t, x):
    x = x.clone().requires_grad_(True)
    a = torch.cat([torch.full((len(x), 1), t, dtype=torch.float64), x], 1)
    for w, b in zip(W[:-1], B[:-1]):
        a = softplus(torch.addmm(b, a, w.T))
    return torch.autograd.grad(torch.addmm(B[-1], a, W[-1].T).sum(), x)[0]


def score_by_hand(t, x):
    with torch.no_grad():
        a = torch.cat([torch.full((len(x), 1), t, dtype=torch.float64), x], 1)
        slopes = []
        for w, b in zip(W[:-1], B[:-1]):
            z = torch.addmm(b, a, w.T)
            slopes.append(torch.sigmoid(BETA * z))
            a = softplus(z)
        g = W[-1] * slopes[-1]
        for w, s in zip(W[-2:0:-1], slopes[-2::-1]):
            g = (g @ w) * s
        return (g @ W[0])[:, 1:]


def run(score, x0, rtol):
    def rhs(t, y):  # ou with rate 1 and diff 1
        x = torch.from_numpy(y.reshape(-1, 2))
        return (-x - 0.5 * score(float(t), x)).numpy().ravel()

    return solve_ivp(rhs, (horizon, t_end), x0.ravel(), method="RK45", rtol=rtol, atol=rtol)


x0 = np.fromfile(os.path.join(folder, "x0.f64")).reshape(-1, 2)
want = np.fromfile(os.path.join(folder, "want.f64"))
for label, score in (("autograd", score_autograd), ("by-hand", score_by_hand)):
    for rtol in (1e-6, 1e-7):
        solution = run(score, x0, rtol)
        walls, cpus = [], []
        for _ in range(3):
            wall, cpu = time.perf_counter(), time.process_time()
            solution = run(score, x0, rtol)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        error = solution.y[:, -1] - want
        print(f"{np.median(walls):.4f} {np.median(cpus):.4f} {solution.nfev} {np.sqrt(np.mean(error**2)):.3e} "
              f"{np.abs(error).max():.3e} {label} rtol {rtol:g}", flush=True)
