"""Processor seconds and <c, P> of POT's sinkhorn_log on the problems that bench_sinkhorn writes (float64, little endian).

    python3 sinkhorn_pot.py FOLDER       one line per problem: name seconds cost
Only the solver is timed; building the cost matrix is not. POT stops when the Euclidean norm of the error of one marginal is
below 1e-9.
"""
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import ot


def main(folder):
    for file in sorted(os.listdir(folder)):
        size, dimension, euclidean, epsilon = file.split("_")
        size, dimension, epsilon = int(size), int(dimension), float(epsilon)
        x, y = np.fromfile(os.path.join(folder, file)).reshape(2, size, dimension)
        cost = ot.dist(x, y, metric="euclidean" if euclidean == "1" else "sqeuclidean")
        share = np.full(size, 1 / size)
        start = time.process_time()
        plan = ot.bregman.sinkhorn(share, share, cost, epsilon, method="sinkhorn_log", stopThr=1e-9, numItermax=10**5)
        print(file, "%.6g" % (time.process_time() - start), "%.17g" % (plan * cost).sum(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
