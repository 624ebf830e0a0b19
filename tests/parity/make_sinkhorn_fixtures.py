"""Writes sinkhorn_fixtures.h: entropic transport from POT (log domain, to 1e-12 of the marginals).

    /usr/bin/python3 tests/parity/make_sinkhorn_fixtures.py     (Debian: python3-pot, python3-scipy)

Points come from the generator of make_transport_fixtures.py, so that Python and C hold the same bits and only the answers
are stored.
"""
import os
import numpy as np
import ot
import scipy.special

from make_transport_fixtures import Generator, points


def costs(x, y, squared):
    gap = ((x[:, None, :] - y[None, :, :]) ** 2).sum(-1)
    return gap if squared else np.sqrt(gap)


def between(x, a, y, b, squared, epsilon):
    """min <c, P> + epsilon KL(P | a b), and <c, P>"""
    cost = costs(x, y, squared)
    plan = ot.bregman.sinkhorn(a, b, cost, epsilon, method="sinkhorn_log", stopThr=1e-12, numItermax=20000)
    assert abs(plan.sum(0) - b).sum() < 1e-10 and abs(plan.sum(1) - a).sum() < 1e-10
    kept = plan > 0
    kl = (plan[kept] * np.log(plan[kept] / np.outer(a, b)[kept])).sum()
    moved = (plan * cost).sum()
    return moved + epsilon * kl, moved


def within(x, a, squared, epsilon):
    """of a sample and itself, where POT's two potentials only swing: the mean of f and its image converges"""
    scaled = -costs(x, x, squared) / epsilon + np.log(a)[None, :]
    f = np.zeros(len(a))
    for _ in range(5000):
        image = -scipy.special.logsumexp(scaled + f[None, :], axis=1)
        if abs(image - f).max() < 1e-13:
            break
        f = (f + image) / 2
    assert abs(image - f).max() < 1e-11
    return epsilon * (a * (f + image)).sum()


def case(seed, n, m, d, weighted, clusters, squared, epsilon):
    g = Generator(seed)
    x, y = points(g, n, d, clusters), points(g, m, d, clusters)
    a, b = np.ones(n), np.ones(m)
    if weighted:
        a, b = g.array(n), g.array(m)
    a, b = a / a.sum(), b / b.sum()
    value, cost = between(x, a, y, b, squared, epsilon)
    return value, cost, within(x, a, squared, epsilon), within(y, b, squared, epsilon)


CASES = [(41, 50, 50, 2, 0, 0, 1, 0.05), (42, 60, 45, 3, 1, 0, 1, 0.02), (43, 80, 90, 2, 1, 1, 1, 6.0),
         (44, 70, 40, 1, 0, 0, 1, 0.03), (45, 50, 60, 10, 1, 0, 1, 0.2), (46, 50, 50, 2, 0, 0, 0, 0.02),
         (47, 100, 80, 2, 1, 1, 0, 1.0), (48, 60, 60, 5, 1, 0, 0, 0.05), (49, 300, 250, 2, 0, 1, 1, 4.0)]

if __name__ == "__main__":
    out = ["/* Written by make_sinkhorn_fixtures.py with POT %s. */" % ot.__version__,
           "static const struct {", "  unsigned seed;", "  size_t n, m, d;", "  int weighted, clusters, squared;",
           "  double epsilon, between, cost, within_x, within_y;", "} fixture_sinkhorn[] = {"]
    out += ["    {%d, %d, %d, %d, %d, %d, %d, %.17g, %.17g, %.17g, %.17g, %.17g}," % (*c, *case(*c)) for c in CASES]
    out += ["};", ""]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sinkhorn_fixtures.h"), "w") as f:
        f.write("\n".join(out))
