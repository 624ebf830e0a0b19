"""Seconds and W2^2 of POT's emd2 and sliced_wasserstein_distance on the problems that bench_transport writes (float64,
little endian).

    python3 transport_pot.py FOLDER       one line per problem: name seconds squared
Only the solver is timed; building the cost matrix is not. One thread, as emd2 is serial.
"""
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import ot


def solve(name, a, b, cost, runs):
    report(name, lambda: ot.emd2(a, b, cost, numItermax=10**8), runs)


def sliced(x, y, directions):
    count = len(directions)
    return ot.sliced_wasserstein_distance(x, y, n_projections=count, projections=directions.T) ** 2


def report(name, distance, runs):
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        squared = distance()
        seconds.append(time.perf_counter() - start)
    print(name, "%.6g" % sorted(seconds)[len(seconds) // 2], "%.17g" % squared, flush=True)


def main(folder):
    for file in sorted(os.listdir(folder)):
        kind, size, dimension, runs = file.split("-")[:4]
        size, dimension, runs = int(size), int(dimension), int(runs)
        data = np.fromfile(os.path.join(folder, file))
        if kind in ("exact", "weighted"):
            points, rest = data[:2 * size * dimension], data[2 * size * dimension:]
            x, y = points.reshape(2, size, dimension)
            a, b = rest.reshape(2, size) if kind == "weighted" else np.ones((2, size))
            solve(file, a / a.sum(), b / b.sum(), ot.dist(x, y), runs)
        elif kind == "sliced":
            rows = data.reshape(-1, dimension)
            report(file, lambda: sliced(rows[:size], rows[size:2 * size], rows[2 * size:]), runs)
        else:
            p, q = data.reshape(2, size * size)
            node = np.linspace(-3.5, 3.5, size)
            at = np.stack(np.meshgrid(node, node, indexing="ij"), -1).reshape(-1, 2)
            i, j = p > 0, q > 0  # POT works on the occupied bins
            cost = np.ascontiguousarray(ot.dist(at[i], at[j]))
            solve(file, p[i] / p.sum(), q[j] / q.sum(), cost, runs)


if __name__ == "__main__":
    main(sys.argv[1])
