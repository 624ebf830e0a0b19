"""MMD and energy distance from whole matrices of SciPy's cdist, on the rows that bench_kernel_distance writes (float64,
little endian: x, then y).

    python3 kernel_scipy.py FILE ROWS DIMENSION BANDWIDTH RUNS        prints: kind seconds value
One thread; medians.
"""
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
from scipy.spatial.distance import cdist


def statistic(kernel, x, y):
    n = len(x)
    mean = lambda a: (kernel(a, a).sum() - n * kernel(a[:1], a[:1])[0, 0]) / (n * (n - 1))
    return mean(x) + mean(y) - 2 * kernel(x, y).mean()


def main(file, rows, dimension, bandwidth, runs):
    x, y = np.fromfile(file).reshape(2, rows, dimension)

    def gaussians(a, b):
        square = cdist(a, b, "sqeuclidean")
        return sum(np.exp(square * (-0.5 / (s * bandwidth) ** 2)) for s in (0.5, 1, 2)) / 3

    for kind, value in (("mmd", lambda: statistic(gaussians, x, y)), ("energy", lambda: -statistic(cdist, x, y))):
        seconds = []
        for _ in range(runs):
            start = time.perf_counter()
            got = value()
            seconds.append(time.perf_counter() - start)
        print(kind, "%.6g" % sorted(seconds)[runs // 2], "%.17g" % got, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
