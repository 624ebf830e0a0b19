#!/usr/bin/env bash
# scripts/export_pytorch.py: modules of several kinds exported, then `flowgap evaluate` against PyTorch's own
# values in double. Skipped (77) where there is no PyTorch or no command.
set -euo pipefail
build=$1 source=$2
python=$(command -v /usr/bin/python3 || command -v python3 || true)
[ -x "$build/flowgap" ] || { echo "no command to test"; exit 77; }
[ -n "$python" ] && "$python" -c 'import torch' 2>/dev/null || { echo "no PyTorch"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
PYTHONPATH=$source/scripts PYTHONDONTWRITEBYTECODE=1 exec_flowgap=$build/flowgap "$python" - "$folder" <<'PYTHON'
import csv, math, os, subprocess, sys
import torch
from torch import nn
from export_pytorch import ExportError, export

torch.manual_seed(3)
folder, flowgap = sys.argv[1], os.environ["exec_flowgap"]
POINTS = [(0.5, 0.1, -0.7), (2.0, 1.5, 0.25), (3.5, -2.0, 1.0)]
with open(f"{folder}/points.csv", "w") as file:
    file.write("t,x1,x2\n" + "".join("%r,%r,%r\n" % p for p in POINTS))
t = torch.tensor([[p[0]] for p in POINTS], dtype=torch.double)
x = torch.tensor([p[1:] for p in POINTS], dtype=torch.double)
OU = {"kind": "ou", "rate": 1, "diff": 1, "horizon": 4}
v = -torch.expm1(-2 * t) / 2


class Functional(nn.Module):  # x and t apart, activation as a function
    def __init__(self):
        super().__init__()
        self.first, self.rest, self.last = nn.Linear(3, 9), nn.ModuleList([nn.Linear(9, 9)]), nn.Linear(9, 2)

    def forward(self, x, t):
        h = nn.functional.gelu(self.first(torch.cat([x, t], -1)))
        for layer in self.rest:
            h = nn.functional.gelu(layer(h))
        return self.last(h)


class Fourier(nn.Module):  # the time embedding of PIS and DIS, in generative time
    frequencies, phases = [0.1, 1.3, 4.0], [0.0, 0.5, 1.0]

    def __init__(self):
        super().__init__()
        self.space, self.time = nn.Linear(2, 8), nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 8))
        self.out = nn.Linear(8, 2)

    def forward(self, x, t):
        wave, phase = (torch.tensor(a, dtype=x.dtype) for a in (self.frequencies, self.phases))
        angle = (4 - t) * wave + phase
        h = self.space(x) + self.time(torch.cat([angle.sin(), angle.cos()], 1))
        return self.out(nn.functional.gelu(h))


def compare(name, module, expected, columns, **options):
    export(module, f"{folder}/{name}.yaml", process=OU, **options)
    out = subprocess.run([flowgap, "evaluate", f"{folder}/{name}.yaml", f"{folder}/points.csv"], check=True,
                         capture_output=True, text=True).stdout
    rows = list(csv.DictReader(out.splitlines()))
    for column, want in zip(columns, expected.T):
        for row, value in zip(rows, want.tolist()):
            # the weights are float32 on both sides; what is left is rounding in double
            if not abs(float(row[column]) - value) <= 1e-12 * max(1, abs(value)):
                sys.exit(f"{name}, {column}: flowgap {row[column]}, PyTorch {value!r}")
    print(name, "agrees")


def values(module, function):
    wide = module.double()
    result = function(wide).detach()
    module.float()
    return result


net = nn.Sequential(nn.Linear(3, 16), nn.Softplus(5, 10), nn.Linear(16, 16), nn.Softplus(5, 10), nn.Linear(16, 1))
compare("sequential", net, values(net, lambda m: m(torch.cat([t, x], 1))), ["phi"])
net = Functional()
compare("functional", net, values(net, lambda m: -m(x, t) / v.sqrt()), ["s1", "s2"], form="vector", output="noise",
        style="x,t", activation="gelu")
net = Fourier()
compare("fourier", net, values(net, lambda m: m(x, t)), ["s1", "s2"], form="vector", style="x,t", activation="gelu",
        embedding={"kind": "embedded", "frequencies": net.frequencies, "phases": net.phases,
                   "layers": ["time.0", "time.2"]}, time_reversed=True)


class Skip(Functional):
    def forward(self, x, t):
        return super().forward(x, t) - x


for module, style, text in [(Skip(), "x,t", "not the plain perceptron"), (Functional(), "t-x", "cannot be called"),
                            (nn.Conv1d(1, 1, 1), "t-x", "")]:
    try:
        export(module, f"{folder}/bad.yaml", form="vector", style=style, activation="gelu")
    except ExportError as error:
        assert text in str(error), error
    else:
        sys.exit(f"{type(module).__name__} should have been refused")
assert not os.path.exists(f"{folder}/bad.yaml")
PYTHON
