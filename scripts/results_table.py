#!/usr/bin/env python3
"""Print one row of docs/results.md for each training run: scripts/results_table.py RUN...

RUN is a run directory of `flowgap train`, of one seed or (--seeds) of several. Standard library only."""
import json
import os
import statistics
import sys


def runs_of(folder):
    """The results.json of each seed."""
    with open(os.path.join(folder, "results.json")) as file:
        top = json.load(file)
    if "runs" not in top:
        return [top]
    found = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name, "results.json")
        if name.startswith("seed-") and os.path.exists(path):
            with open(path) as file:
                found.append(json.load(file))
    return found


def spread(values, digits):
    values = [v for v in values if v is not None]
    if not values:
        return "–"
    mean = statistics.fmean(values)
    if len(values) == 1:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {statistics.stdev(values):.{digits}f}"


def row(folder):
    runs = runs_of(folder)
    samplers = [r["sampler"] for r in runs]
    train = runs[0]["train"]

    def error(s, *path):
        for key in path:
            s = s[key]
        return s - samplers[0]["log_z"] if samplers[0].get("log_z") is not None else None

    columns = [
        os.path.basename(os.path.normpath(folder)),
        f'{train["method"]}, {train["objective"]}',
        f'{train["steps"]} × {train["batch"]}',
        str(len(runs)),
        spread([error(s, "log_z_is") for s in samplers], 4),
        f'{statistics.fmean(s["log_z_is_se"] for s in samplers):.4f}',
        spread([s["ess"] for s in samplers], 3),
        spread([error(s, "continuous", "log_z_is") for s in samplers], 4),
        spread([s["continuous"]["ess"] for s in samplers], 3),
        spread([s.get("moments", {}).get("sd_error") for s in samplers], 3),
        spread([s["modes"]["least_share"] if s.get("modes") else None for s in samplers], 3),
        spread([s["w2"]["value"] if s.get("w2") else None for s in samplers], 2),
        spread([s["w2"]["floor"] if s.get("w2") else None for s in samplers], 2),
        str(sum(s["lost"] for s in samplers)),
        spread([r["wall_seconds"] for r in runs], 0),
    ]
    return "| " + " | ".join(columns) + " |"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for folder in sys.argv[1:]:
        print(row(folder))
