#!/usr/bin/env bash
# scripts/load_in_pytorch.py: the networks of the training fixtures, written as `flowgap export` writes them, loaded
# and compared with the controls in the fixtures; refusals; small trainings that the command exports, with the score of
# `flowgap evaluate`. Skipped (77) where there is no PyTorch or no command.
set -euo pipefail
flowgap=$(realpath "$1")/flowgap source=$2
[ -x "$flowgap" ] || { echo "no $flowgap: the command was not built"; exit 77; }
python=$(command -v /usr/bin/python3 || command -v python3 || true)
[ -n "$python" ] && "$python" -c 'import torch' 2>/dev/null || { echo "no PyTorch"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fixtures=$source/tests/parity/fixtures
PYTHONPATH=$source/scripts PYTHONDONTWRITEBYTECODE=1 "$python" - "$folder" "$fixtures" <<'PYTHON'
import contextlib, csv, io, json, struct, subprocess, sys
import torch
from load_in_pytorch import Control, LoadError, __file__ as script, check, load, read_safetensors

folder, fixtures = sys.argv[1:3]
stored, _ = read_safetensors(f"{fixtures}/train.safetensors")
NAMES = {"l0": "base_model.input_embed", "e0": "base_model.timestep_embed.hidden_layer.0",
         "e1": "base_model.timestep_embed.out_layer", "l1": "base_model.hidden_layer.0",
         "l2": "base_model.hidden_layer.1", "l3": "base_model.out_layer", "f0": "score_model.hidden_layer.0",
         "f1": "score_model.hidden_layer.1", "f2": "score_model.hidden_layer.2", "f3": "score_model.out_layer"}


def export(case, key):
    """The state and the metadata of one case."""
    state = {f"{to}.{part}": stored[f"{key['weights']}/{stem}.{part}"] for stem, to in NAMES.items()
             for part in ("weight", "bias") if key["score"] != "none" or stem[0] != "f"}
    state["base_model.timestep_embed.timestep_phase"] = stored[key["weights"] + "/phase"][None]
    if key["score"] != "none":
        state["score_model.timestep_phase"] = stored[key["weights"] + "/factor_phase"][None]
    meta = {"format": "flowgap-control-1", "method": key["method"], "form": key["field"], "dimension": key["d"],
            "score": key["score"], "clip": key["clip"], "process.kind": key["process"], "target.kind": key["target"],
            "prior.variance": key["prior_variance"]}
    meta.update({"process." + k: key[k] for k in ("horizon", "beta_min", "beta_max", "scale", "diff", "pin")})
    return state, meta


def write(path, state, meta):
    header, body = {"__metadata__": meta}, b""
    for name, tensor in state.items():
        block = tensor.float().contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [len(body), len(body) + len(block)]}
        body += block
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)


count = 0
for line in open(f"{fixtures}/train.txt"):
    kind, case, *pairs = line.split()
    if kind != "case":
        continue
    key = dict(pair.split("=") for pair in pairs)
    state, meta = export(case, key)
    write(f"{folder}/{case}.safetensors", state, meta)
    x, want = stored[case + "@x0"], stored[case + "@u0"]
    with open(f"{folder}/points.csv", "w") as file:  # the first step: t = T
        file.write("t," + ",".join(f"x{j + 1}" for j in range(x.shape[1])) + "\n")
        file.writelines(",".join(map(repr, [float(key["horizon"]), *row])) + "\n" for row in x.tolist())
    with contextlib.redirect_stdout(io.StringIO()) as out:
        check(load(f"{folder}/{case}.safetensors"), f"{folder}/points.csv")
    rows = list(csv.DictReader(out.getvalue().splitlines()))
    got = torch.tensor([[float(row[f"u{j + 1}"]) for j in range(x.shape[1])] for row in rows], dtype=torch.float64)
    # the same float32 weights on both sides, all else in double
    if not (got - want).abs().max() <= 1e-12 * want.abs().max():
        sys.exit(f"{case}: u differs by {(got - want).abs().max():.1e}")
    count += 1
assert count == 21, count
command = [sys.executable, script, f"{folder}/wells_dds_kl.safetensors", "--check", f"{folder}/points.csv"]
printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
assert printed == out.getvalue(), printed

# g and S at a time other than T: u = sum of its parts
state, meta = export("dis_kl", dict(pair.split("=") for line in open(f"{fixtures}/train.txt")
                                    if line.startswith("case dis_kl ") for pair in line.split()[2:]))
module = Control(state, meta).double()
x, r = torch.tensor([[1.0, -2.0]], dtype=torch.float64), torch.tensor([0.25], dtype=torch.float64)
g = (0.1 + 9.9 * 0.75) ** 0.5
target = torch.distributions.Normal(torch.tensor([0.0, -0.0]).double(), 0.3**0.5)  # the other blobs are far away
near = torch.autograd.functional.jacobian(lambda y: target.log_prob(y).sum(), x)
want = module.base_model(x, r) + g * module.score_model(r) * (0.25 * near - 0.75 * x)
assert (module.control(x, 0.25) - want).abs().max() < 1e-2 * want.abs().max()
assert torch.equal(module.score(x, 0.25), module.control(x, 0.25) / g)

for change, text in ((lambda s, m: m.pop("form"), "lacks form"), (lambda s, m: m.update(format="x"), "format is x"),
                     (lambda s, m: s.pop("base_model.out_layer.weight"), "no tensor base_model.out_layer.weight"),
                     (lambda s, m: m.update({"target.kind": "rings"}), "not built in")):
    s, m = dict(state), dict(meta)
    change(s, m)
    try:
        Control(s, m)
    except LoadError as error:
        assert text in str(error), error
    else:
        sys.exit(f"should have been refused: {text}")
open(f"{folder}/bad", "wb").write(b"\xff" * 9)
bad = subprocess.run([sys.executable, script, f"{folder}/bad"], capture_output=True, text=True)
assert bad.returncode == 1 and "no safetensors file" in bad.stderr, bad
print(count, "controls agree")
PYTHON

# ---- trained, exported, loaded; flowgap evaluates the same weights
cat >"$folder/tiny.yaml" <<'END'
train: {steps: 20, batch: 64, time_steps: 10, evaluate_paths: 100, precision: double}
compare: {exact_points: 50, replicates: 2}
END
cat >"$folder/gmm9.yaml" <<'END'
target: {kind: gmm9, variance: 0.5}
END
cat >"$folder/blobs.yaml" <<'END'
target: {kind: blobs}
END
cat >"$folder/well.yaml" <<'END'
target: {kind: many_well, dimension: 3, wells: 2, separation: 3, shift: 0.5}
END
cat >"$folder/mixture.yaml" <<'END'
target: {kind: mixture, means: [[1, -1], [-2, 0.5]], weights: [0.3, 0.7], variance: 0.4}
END
cat >"$folder/funnel.yaml" <<'END'
target: {kind: funnel, dimension: 3, nu: 2}
END

# train NAME TARGET KEY=VALUE...: NAME.run and NAME.safetensors
train() {
  local name=$1 target=$2 key
  local words=()
  shift 2
  for key; do words+=(--set "$key"); done
  cat "$folder/$target.yaml" "$folder/tiny.yaml" >"$folder/$name.yaml"
  "$flowgap" train "$folder/$name.yaml" --out "$folder/$name.run" --quiet "${words[@]}"
  "$flowgap" export "$folder/$name.run" --out "$folder/$name.safetensors" --quiet
}

vp=(process.kind=vp process.scale=1.5 prior.kind=truncated prior.variance=2.25)
pinned=(train.method=pis process.kind=pinned process.horizon=2 prior.kind=point)
for form in vector potential; do
  train dis-$form gmm9 train.control=$form "${vp[@]}"
  train dds-$form blobs train.control=$form train.method=dds "${vp[@]}" train.integrator=exponential
  train pis-$form mixture train.control=$form "${pinned[@]}" process.diff=1.2
done
train dis-none funnel train.score=none process.kind=ou process.rate=0.7 process.horizon=3
train dis-factorless gmm9 train.time_factor=false process.kind=ve process.sigma_min=0.1
train dis-target funnel train.score=target process.kind=bm
train pis-later well "${pinned[@]}" process.pin=2.5 prior.kind=gaussian
train single gmm9 train.precision=single train.ema=0.9 "${vp[@]}"
train single-pis mixture train.precision=single train.control=potential "${pinned[@]}"
PYTHONPATH=$source/scripts PYTHONDONTWRITEBYTECODE=1 "$python" - "$folder" "$flowgap" <<'PYTHON'
import csv, glob, subprocess, sys
import torch
from load_in_pytorch import load

folder, flowgap = sys.argv[1:]
torch.manual_seed(7)
count = 0
for path in sorted(glob.glob(f"{folder}/*.run")):
    module, points = load(path[:-4] + ".safetensors"), f"{folder}/points.csv"
    pin = module.horizon  # generative time runs from the pin; elsewhere this is the horizon
    t = torch.linspace(0, 0.75, 20, dtype=torch.float64) * pin
    x = 2 * torch.randn(20, module.d, dtype=torch.float64)
    with open(points, "w") as file:
        file.write("t," + ",".join(f"x{j + 1}" for j in range(module.d)) + "\n")
        file.writelines(",".join(map(repr, [time, *row])) + "\n" for time, row in zip(t.tolist(), x.tolist()))
    out = subprocess.run([flowgap, "evaluate", path, points], check=True, capture_output=True, text=True).stdout
    rows = list(csv.DictReader(out.splitlines()))
    got = torch.tensor([[float(row[f"s{j + 1}"]) for j in range(module.d)] for row in rows], dtype=torch.float64)
    want = module.score(x, pin - t).detach()
    # a training in single precision exports float32, rounded to 6e-8 from the double weights of the checkpoint; else
    # both sides do the same in double
    limit = 1e-6 if "/single" in path else 1e-12
    off = ((got - want).norm(dim=1) / want.norm(dim=1)).max()
    if not off <= limit:
        sys.exit(f"{path.split('/')[-1]}: the score differs from flowgap's by {off:.1e} of its length")
    count += 1
assert count == 12, count
print(count, "trainings agree")
PYTHON

# ---- score models: an nn.Sequential by the metadata
cat >"$folder/score.yaml" <<'END'
target: {kind: blobs}
prior: {kind: gaussian, variance: 1}
process: {kind: vp}
train: {method: dsm, steps: 20, batch: 64, hidden: [12, 9, 9], evaluate_paths: 100}
END
score() { # NAME KEY=VALUE...
  local name=$1 key words=()
  shift
  for key; do words+=(--set "$key"); done
  "$flowgap" train "$folder/score.yaml" --out "$folder/$name.score" --quiet "${words[@]}"
  "$flowgap" export "$folder/$name.score" --out "$folder/$name.safetensors" --quiet
}
score potential model.form=potential model.activation=softplus model.beta=5
score noise model.form=vector model.output=noise model.activation=gelu 'model.inputs=[x, t]' train.ema=0.9
score fourier model.form=vector model.activation=tanh model.embedding=fourier train.frequencies=6
PYTHONPATH=$source/scripts PYTHONDONTWRITEBYTECODE=1 "$python" - "$folder" "$flowgap" <<'PYTHON'
import csv, json, subprocess, sys
import torch
from torch import nn
from load_in_pytorch import LoadError, load, read_safetensors

folder, flowgap = sys.argv[1:]
torch.manual_seed(8)
for name in ("potential", "noise", "fourier"):
    state, meta = read_safetensors(f"{folder}/{name}.safetensors")
    activation = {"softplus": lambda: nn.Softplus(float(meta["model.beta"]), float(meta["model.threshold"])),
                  "gelu": nn.GELU, "tanh": nn.Tanh}[meta["model.activation"]]
    maps = []
    for stem in range(0, 2 * len(state), 2):
        if f"{stem}.weight" in state:
            maps += [nn.Linear(*reversed(state[f"{stem}.weight"].shape)), activation()]
    net = nn.Sequential(*maps[:-1]).double()
    net.load_state_dict(state)
    t = torch.rand(20, 1, dtype=torch.float64) * 0.9 + 0.1
    x = torch.randn(20, 2, dtype=torch.float64, requires_grad=True)
    if meta["model.embedding"] == "fourier":
        arcs = t * torch.tensor(json.loads(meta["model.frequencies"]), dtype=torch.float64) + torch.tensor(
            json.loads(meta["model.phases"]), dtype=torch.float64)
        inputs = torch.cat([x, arcs.sin(), arcs.cos()], dim=1)
    else:
        inputs = torch.cat([t, x] if meta["model.inputs"] == "[t, x]" else [x, t], dim=1)
    want = net(inputs)
    if meta["model.form"] == "potential":
        want, = torch.autograd.grad(want.sum(), x)
    if meta["model.output"] == "noise":
        low, high = float(meta["process.beta_min"]), float(meta["process.beta_max"])
        want = -want / (1 - torch.exp(-(low * t + (high - low) * t * t / 2))).sqrt() / float(meta["process.scale"])
    with open(f"{folder}/points.csv", "w") as file:
        file.write("t,x1,x2\n")
        file.writelines(",".join(map(repr, row)) + "\n" for row in torch.cat([t, x], dim=1).tolist())
    out = subprocess.run([flowgap, "evaluate", f"{folder}/{name}.score", f"{folder}/points.csv"], check=True,
                         capture_output=True, text=True).stdout
    got = torch.tensor([[float(row["s1"]), float(row["s2"])] for row in csv.DictReader(out.splitlines())],
                       dtype=torch.float64)
    off = (got - want).abs().max() / want.abs().max()  # the same arithmetic in double on both sides
    if not off <= 1e-12:
        sys.exit(f"{name}: the score differs from flowgap's by {off:.1e}")
try:
    load(f"{folder}/noise.safetensors")
    sys.exit("a score model is taken for a control")
except LoadError as error:
    assert "flowgap-network-1" in str(error) or "lacks" in str(error), error
print("3 score models agree")
PYTHON
