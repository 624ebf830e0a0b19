"""Writes kernel_fixtures.h: MMD^2 and energy distance (U-statistics, weighted) and the median distance, from whole matrices
of NumPy and SciPy.

    /usr/bin/python3 tests/parity/make_kernel_fixtures.py        (Debian: python3-numpy, python3-scipy, python3-pot)

Points come from the generator of make_transport_fixtures.py, so that Python and C hold the same bits.
"""
import os
import numpy as np
import scipy
from scipy.spatial.distance import cdist, pdist
from make_transport_fixtures import Generator, points


def within(kernel, w):
    k = kernel.copy()
    np.fill_diagonal(k, 0)
    pairs = np.outer(w, w)
    np.fill_diagonal(pairs, 0)
    return (k * pairs).sum() / pairs.sum()


def between(kernel, v, w):
    return (kernel * np.outer(v, w)).sum() / (v.sum() * w.sum())


def distances(seed, n, m, d, weighted, clusters, bandwidth):
    g = Generator(seed)
    x, y = points(g, n, d, clusters), points(g, m, d, clusters)
    v, w = (g.array(n), g.array(m)) if weighted else (np.ones(n), np.ones(m))
    every = np.sort(pdist(np.concatenate([x, y])))
    h = every[len(every) // 2] if bandwidth == 0 else bandwidth

    def gaussians(a, b):
        square = cdist(a, b, "sqeuclidean")
        return sum(np.exp(-square / (2 * (s * h) ** 2)) for s in (0.5, 1, 2)) / 3

    mmd = within(gaussians(x, x), v) + within(gaussians(y, y), w) - 2 * between(gaussians(x, y), v, w)
    energy = 2 * between(cdist(x, y), v, w) - within(cdist(x, x), v) - within(cdist(y, y), w)
    return h, mmd, energy


# seed, n, m, d, weighted, clusters, bandwidth (0: the median)
CASES = [(41, 40, 40, 2, 0, 0, 0), (42, 30, 47, 3, 1, 0, 0.4), (43, 25, 31, 1, 1, 0, 0), (44, 60, 60, 10, 0, 0, 0),
         (45, 300, 250, 2, 1, 1, 3), (46, 200, 400, 5, 0, 1, 0), (47, 150, 90, 1, 0, 1, 2)]

if __name__ == "__main__":
    out = ["/* Written by make_kernel_fixtures.py with NumPy %s and SciPy %s. */" % (np.__version__, scipy.__version__),
           "static const struct {", "  unsigned seed;", "  size_t n, m, d;", "  int weighted, clusters;",
           "  double given, bandwidth, mmd, energy;", "} fixture_kernel[] = {"]
    out += ["    {%d, %d, %d, %d, %d, %d, %g, %.17g, %.17g, %.17g}," % (*c, *distances(*c)) for c in CASES]
    out += ["};", ""]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernel_fixtures.h"), "w") as f:
        f.write("\n".join(out))
