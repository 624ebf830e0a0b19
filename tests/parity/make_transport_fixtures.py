"""Writes transport_fixtures.h: W2^2 from POT (network simplex) and SciPy (Bures).

    /usr/bin/python3 tests/parity/make_transport_fixtures.py     (Debian: python3-pot, python3-scipy)

Points come from a linear congruential generator in whole numbers, so that Python and C hold the same bits and
only the answers are stored.
"""
import os
import numpy as np
import ot
import scipy.linalg


class Generator:
    def __init__(self, seed):
        self.state = seed

    def unit(self):
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        return (self.state >> 33) / 2.0**31

    def array(self, *shape):
        return np.array([self.unit() for _ in range(int(np.prod(shape)))]).reshape(shape)


def points(g, n, d, clusters):
    """uniform in [0,1)^d, or around the corners of a 3 x 3 x ... lattice of side 5"""
    x = g.array(n, d)
    if clusters:
        x = x + 5 * np.floor(3 * g.array(n, d))
    return x


def exact(seed, n, m, d, weighted, clusters):
    g = Generator(seed)
    x, y = points(g, n, d, clusters), points(g, m, d, clusters)
    a, b = np.ones(n), np.ones(m)
    if weighted:
        a, b = g.array(n), g.array(m)
    cost = ((x[:, None, :] - y[None, :, :]) ** 2).sum(-1)
    return ot.emd2(a / a.sum(), b / b.sum(), cost, numItermax=10**8)


def grid(seed, bins, counts):
    g = Generator(seed)
    p, q = g.array(bins * bins) ** 2, g.array(bins * bins) ** 2
    if counts:
        p, q = np.floor(50 * p), np.floor(70 * q)
    node = np.linspace(-3.5, 3.5, bins)
    at = np.stack(np.meshgrid(node, node, indexing="ij"), -1).reshape(-1, 2)
    cost = ((at[:, None, :] - at[None, :, :]) ** 2).sum(-1)
    return ot.emd2(p / p.sum(), q / q.sum(), cost, numItermax=10**8)


def gaussian(seed, d):
    g = Generator(seed)
    mp, mq, a, b = g.array(d), g.array(d), g.array(d, d), g.array(d, d)
    p, q = a @ a.T, b @ b.T
    root = scipy.linalg.sqrtm(p)
    cross = scipy.linalg.sqrtm(root @ q @ root)
    return ((mp - mq) ** 2).sum() + np.trace(p + q - 2 * np.real(cross))


def sliced(seed, n, m, d, weighted, clusters, directions):
    """mean and largest over given directions (rows in C, columns here)"""
    g = Generator(seed)
    x, y = points(g, n, d, clusters), points(g, m, d, clusters)
    a = b = None
    if weighted:
        a, b = g.array(n), g.array(m)
        a, b = a / a.sum(), b / b.sum()
    theta = g.array(directions, d) - 0.5
    log = ot.sliced_wasserstein_distance(x, y, a, b, n_projections=directions, projections=theta.T, log=True)[1]
    return log["projected_emds"].mean(), log["projected_emds"].max()


EXACT = [(1, 40, 40, 2, 0, 0), (2, 30, 47, 3, 1, 0), (3, 25, 31, 1, 1, 0), (4, 60, 60, 10, 0, 0),
         (5, 300, 250, 2, 1, 1), (6, 1000, 1000, 2, 0, 1), (7, 700, 900, 2, 0, 0), (8, 400, 400, 6, 1, 0),
         (9, 4, 700, 2, 1, 0), (10, 500, 300, 1, 0, 1), (36, 900, 700, 10, 1, 0), (37, 400, 1100, 10, 1, 1),
         (38, 1500, 1500, 2, 1, 1), (39, 1000, 1000, 10, 0, 0), (40, 1200, 350, 4, 1, 1), (41, 800, 1200, 20, 0, 0)]
GRID = [(11, 8, 0), (12, 16, 1), (13, 33, 0), (14, 40, 1), (15, 48, 0)]
GAUSSIAN = [(21, 1), (22, 2), (23, 7)]
SLICED = [(31, 50, 50, 2, 0, 0, 20), (32, 400, 400, 2, 0, 1, 7), (33, 300, 170, 3, 0, 1, 30), (34, 90, 260, 10, 1, 0, 25),
          (35, 500, 500, 5, 1, 1, 12)]

if __name__ == "__main__":
    out = ["/* Written by make_transport_fixtures.py with POT %s and SciPy %s. */" % (ot.__version__, scipy.__version__),
           "static const struct {", "  unsigned seed;", "  size_t n, m, d;", "  int weighted, clusters;",
           "  double squared;", "} fixture_exact[] = {"]
    out += ["    {%d, %d, %d, %d, %d, %d, %.17g}," % (*c, exact(*c)) for c in EXACT]
    out += ["};", "", "static const struct {", "  unsigned seed;", "  size_t bins;", "  int counts;",
            "  double squared;", "} fixture_grid[] = {"]
    out += ["    {%d, %d, %d, %.17g}," % (*c, grid(*c)) for c in GRID]
    out += ["};", "", "static const struct {", "  unsigned seed;", "  size_t d;", "  double squared;",
            "} fixture_gaussian[] = {"]
    out += ["    {%d, %d, %.17g}," % (*c, gaussian(*c)) for c in GAUSSIAN]
    out += ["};", "", "static const struct {", "  unsigned seed;", "  size_t n, m, d;", "  int weighted, clusters;",
            "  size_t directions;", "  double squared, max_squared;", "} fixture_sliced[] = {"]
    out += ["    {%d, %d, %d, %d, %d, %d, %d, %.17g, %.17g}," % (*c, *sliced(*c)) for c in SLICED]
    out += ["};", ""]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "transport_fixtures.h"), "w") as f:
        f.write("\n".join(out))
