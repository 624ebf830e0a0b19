#!/usr/bin/env python3
"""Data for a logistic regression: make_data.py > data.csv

200 rows of four features on different scales, the second correlated with the first, the last without influence.
"""
import math
import random

COEFFICIENTS = (1.5, -1.0, 0.5, 0.0)
INTERCEPT = -0.5

draw = random.Random(1)
print("size,height,age,noise,label")
for _ in range(200):
    z = [draw.gauss(0, 1) for _ in range(4)]
    z[1] = 0.6 * z[0] + 0.8 * z[1]
    margin = INTERCEPT + sum(c * x for c, x in zip(COEFFICIENTS, z))
    label = int(draw.random() < 1 / (1 + math.exp(-margin)))
    print(f"{20 + 5 * z[0]:.4f},{1.7 + 0.1 * z[1]:.4f},{40 + 12 * z[2]:.3f},{z[3]:.4f},{label}")
