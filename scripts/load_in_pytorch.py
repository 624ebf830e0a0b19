#!/usr/bin/env python3
"""Load a sampler that flowgap trained into PyTorch.

    flowgap export RUN --out weights.safetensors
    load_in_pytorch.py weights.safetensors                      what the file holds
    load_in_pytorch.py weights.safetensors --check points.csv   the control u at points (columns t or r, x1, x2, ..)

or from Python:
    from load_in_pytorch import load
    module = load("weights.safetensors")           # a torch.nn.Module
    u = module.control(x, r)                       # x [n, d], r = T - t a number or [n]; u [n, d]
    s = module.score(x, r)                         # the score that flowgap simulates with
A target that is none of gaussian, gmm9, blobs, mixture without covariances, funnel, double_well and many_well needs
load(path, target_score=f), f(x) = grad log rho(x) [n, d].
Reads safetensors with the standard library; needs torch alone.

train-names: tensors (float32, or float64 of a training in double; row-major; d dimensions, width C, F frequencies,
out = d or, for a potential, 1)
    base_model.input_embed.weight [C, d]  .bias [C]
    base_model.timestep_embed.timestep_phase [1, F]
    base_model.timestep_embed.hidden_layer.0.weight [C, 2F]  .bias [C]
    base_model.timestep_embed.out_layer.weight [C, C]  .bias [C]
    base_model.hidden_layer.0.weight [C, C]  .bias [C]         and .1, one per further hidden map
    base_model.out_layer.weight [out, C]  .bias [out]
  and, where the control has score information, the time factor tau:
    score_model.timestep_phase [1, F]
    score_model.hidden_layer.0.weight [C, 2F]  .bias [C],  .1 and .2 [C, C]
    score_model.out_layer.weight [1, C]  .bias [1]
These are the names and shapes of the state_dict of `generative_ctrl` in github.com/juliusberner/sde_sampler (LerpCtrl,
ScoreCtrl, ClippedCtrl, PotentialCtrl), whose frequencies, linspace(0.1, 100, F), are not stored either. What
differs there: ScoreCtrl (its PIS) multiplies S by tau without g, so give it scale_score = g; its DDS trains the whole
drift g s, ours u = g s - g s_ref; its PotentialCtrl has no S. LerpCtrl (DIS) is the same.

train-names: __metadata__ in the header, all strings; the dotted ones are flowgap's settings, resolved
    format             flowgap-control-1
    method             dis, pis, dds, bridge (its generative control, which combines as that of dis)
    form               vector, potential
    dimension          d
    score              none, target, interpolated
    clip               of net, tau and S in the vector form; inf: none
    frequency_first, frequency_last    of the F frequencies, evenly spaced (0.1 and 100)
    process.kind, process.horizon and the numbers of that kind (beta_min beta_max scale; rate diff; pin diff of pinned)
    prior.variance     of the Gaussian prior; 0: a point
    target.kind and the settings of that kind (target.variance, target.nu, ...; lists as JSON)
"""
import argparse
import csv
import json
import math
import sys

try:
    import torch
    from torch import nn
except ImportError:
    sys.exit(f"load_in_pytorch: {sys.executable} has no torch: apt-get install python3-torch, or pip install torch")


class LoadError(Exception):
    pass


def read_safetensors(path):
    """Tensors by name, and the metadata."""
    kinds = {"F32": torch.float32, "F64": torch.float64}
    with open(path, "rb") as file:
        data = file.read()
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise LoadError(f"{path} is no safetensors file")
    try:
        header = json.loads(data[8:8 + size])
    except ValueError as error:
        raise LoadError(f"{path} is no safetensors file: {error}") from error
    metadata, tensors, body = header.pop("__metadata__", {}), {}, data[8 + size:]
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] not in kinds or end > len(body):
            raise LoadError(f"{path}: tensor {name} is {entry['dtype']} at {begin} to {end} of {len(body)} bytes")
        flat = torch.frombuffer(bytearray(body[begin:end]), dtype=kinds[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, metadata


def linear_of(state, stem):
    try:
        out, inputs = state[stem + ".weight"].shape
    except KeyError:
        raise LoadError(f"there is no tensor {stem}.weight: was the file written by `flowgap export`?") from None
    return nn.Linear(inputs, out)


def linears_of(state, stem):
    count = sum(name.startswith(stem + ".") and name.endswith(".weight") for name in state)
    return nn.ModuleList([linear_of(state, f"{stem}.{k}") for k in range(count)])


class TimeEmbedding(nn.Module):
    """Sines and cosines of (c_j r + phase_j), then linear maps with GELU between."""

    def __init__(self, state, stem, first, last):
        super().__init__()
        count = state[stem + ".timestep_phase"].numel()
        self.timestep_phase = nn.Parameter(torch.zeros(1, count))
        self.hidden_layer = linears_of(state, stem + ".hidden_layer")
        self.out_layer = linear_of(state, stem + ".out_layer")
        frequencies = torch.linspace(first, last, count, dtype=torch.float64)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, r):
        angle = r.reshape(-1, 1) * self.frequencies + self.timestep_phase
        h = torch.cat([torch.sin(angle), torch.cos(angle)], 1).to(self.out_layer.weight.dtype)
        for layer in self.hidden_layer:
            h = nn.functional.gelu(layer(h))
        return self.out_layer(h)


class FourierPerceptron(nn.Module):
    def __init__(self, state, stem, first, last):
        super().__init__()
        self.input_embed = linear_of(state, stem + ".input_embed")
        self.timestep_embed = TimeEmbedding(state, stem + ".timestep_embed", first, last)
        self.hidden_layer = linears_of(state, stem + ".hidden_layer")
        self.out_layer = linear_of(state, stem + ".out_layer")

    def forward(self, x, r):
        h = self.input_embed(x) + self.timestep_embed(r)
        for layer in self.hidden_layer:
            h = layer(nn.functional.gelu(h))
        return self.out_layer(nn.functional.gelu(h))


def mixture_score(means, variance, weights=None):
    def score(x):
        mu = torch.tensor(means, dtype=x.dtype)
        log_weights = torch.tensor(weights, dtype=x.dtype).log() if weights else 0
        away = mu - x[:, None, :]
        share = torch.softmax(log_weights - away.square().sum(2) / (2 * variance), 1)
        return (share[..., None] * away).sum(1) / variance

    return score


def many_well_score(wells, separation, shift):
    def score(x):
        u = x[:, :wells] - shift
        return torch.cat([-4 * u * (u * u - separation), -x[:, wells:]], 1)

    return score


def funnel_score(nu):
    def score(x):
        first, rest = x[:, :1], x[:, 1:]
        narrow = torch.exp(-first)
        top = -first / nu**2 - rest.shape[1] / 2 + rest.square().sum(1, keepdim=True) * narrow / 2
        return torch.cat([top, -rest * narrow], 1)

    return score


def target_score_of(meta, d):
    """grad log rho from the settings target.*, or None."""
    kind = meta.get("target.kind", "none")
    value = lambda key, default: json.loads(meta.get("target." + key, str(default)))
    if kind == "gaussian":
        return mixture_score([[value("mean", 0.0)] * d], value("variance", 1.0))
    if kind == "gmm9":
        return mixture_score([[a, b] for a in (-5.0, 0.0, 5.0) for b in (-5.0, 0.0, 5.0)], value("variance", 0.3))
    if kind == "blobs":
        corners = [[2, 2], [2, -2], [-2, 2], [-2, -2], [0, 0], [4, 0], [-4, 0], [0, 4], [0, -4]]
        return mixture_score([[0.65 * a, 0.65 * b] for a, b in corners], 0.65**2 * 0.2)
    if kind == "mixture" and not value("covariances", []):
        means = torch.tensor(value("means", []), dtype=torch.float64).reshape(-1, d).tolist()
        return mixture_score(means, value("variance", 1.0), value("weights", []))
    if kind == "funnel":
        return funnel_score(value("nu", 3.0))
    if kind in ("double_well", "many_well"):
        many = kind == "many_well"
        return many_well_score(value("wells", min(5, d)) if many else 1, value("separation", 4.0 if many else 2.0),
                               value("shift", 0.0))
    return None


class Control(nn.Module):
    """u(x, r) of a sampler; `base_model` and `score_model` are its parts, `meta` the metadata of the file."""

    def __init__(self, state, meta, target_score=None):
        super().__init__()
        missing = [key for key in ("format", "method", "form", "dimension", "score", "process.kind", "process.horizon")
                   if key not in meta]
        if missing:
            raise LoadError(f"the file's metadata lacks {', '.join(missing)}: write it with `flowgap export`")
        if meta["format"] != "flowgap-control-1":
            raise LoadError(f"the file's format is {meta['format']}; this script reads flowgap-control-1")
        first, last = (float(meta.get("frequency_" + k, v)) for k, v in (("first", "0.1"), ("last", "100")))
        self.meta, self.d = meta, int(meta["dimension"])
        self.horizon, self.clip = float(meta["process.horizon"]), float(meta.get("clip", "inf"))
        self.base_model = FourierPerceptron(state, "base_model", first, last)
        self.score_model = None
        if meta["score"] != "none":
            self.score_model = TimeEmbedding(state, "score_model", first, last)
            self.target_score = target_score or target_score_of(meta, self.d)
            if self.target_score is None:
                raise LoadError(f"the score of target {meta.get('target.kind', 'none')} is not built in: "
                                "call load(path, target_score=function)")
        self.double().load_state_dict(state)  # a module of float32 would round the tensors of a double training

    def number(self, key):
        if key not in self.meta:
            raise LoadError(f"the file's metadata lacks {key}")
        return float(self.meta[key])

    def diffusion(self, r):
        """g at t = T - r."""
        kind, t = self.meta["process.kind"], self.horizon - r
        if kind == "vp":
            low, high = self.number("process.beta_min"), self.number("process.beta_max")
            return self.number("process.scale") * torch.sqrt(low + (high - low) * t / self.horizon)
        if kind in ("ou", "bm", "pinned"):
            return torch.full_like(t, self.number("process.diff"))
        if kind == "ve":
            low, high = self.number("process.sigma_min"), self.number("process.sigma_max")
            rate = math.log(high / low)
            return low * torch.exp(rate * t / self.horizon) * math.sqrt(2 * rate / self.horizon)
        raise LoadError(f"process.kind is {kind}: ou, vp, ve, bm and pinned are known")

    def information(self, x, r):
        """S = grad log rho, or its interpolation with the prior's."""
        score = self.target_score(x)
        if self.meta["score"] == "interpolated":
            share = r.reshape(-1, 1) / self.horizon
            score = share * score - (1 - share) * x / self.number("prior.variance")
        return score

    def times(self, x, r):
        return torch.as_tensor(r, dtype=torch.float64).expand(len(x)).to(x.dtype)

    def control(self, x, r):
        r = self.times(x, r)
        g, limit = self.diffusion(r).reshape(-1, 1), lambda v: v.clamp(-self.clip, self.clip)
        if self.meta["form"] == "vector":
            u = limit(self.base_model(x, r))
            if self.score_model is not None:
                u = u + g * limit(self.score_model(r)) * limit(self.information(x, r))
            return u
        keep = torch.is_grad_enabled() and (x.requires_grad or any(p.requires_grad for p in self.parameters()))
        with torch.enable_grad():
            y = x if x.requires_grad else x.detach().requires_grad_()
            s, = torch.autograd.grad(self.base_model(y, r).sum(), y, create_graph=keep)
        if self.score_model is not None:
            s = s + self.score_model(r) * self.information(x, r)
        return g * s

    forward = control

    def score(self, x, r):
        """s with g s = u + g s_ref: s_ref = 0 (dis), -x / scale^2 (dds), -x / (g^2 (pin - t)) (pis)."""
        times = self.times(x, r)
        g = self.diffusion(times).reshape(-1, 1)
        s = self.control(x, r) / g
        if self.meta["method"] == "dds":
            return s - x / self.number("process.scale") ** 2
        if self.meta["method"] == "pis":
            return s - x / (g * g * (self.number("process.pin") - self.horizon + times).reshape(-1, 1))
        return s


def load(path, target_score=None, dtype=torch.float64):
    """The control in a file of `flowgap export`, as a module; float64 as flowgap evaluates it."""
    state, meta = read_safetensors(path)
    return Control(state, meta, target_score).to(dtype)


def check(module, path):
    """The rows of a CSV file with u1, u2, .. behind them."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [f"x{j + 1}" for j in range(module.d)]
    if not rows or not set(names) <= rows[0].keys() or not {"t", "r"} & rows[0].keys():
        raise LoadError(f"{path} needs rows with the columns t (or r), {', '.join(names)}")
    x = torch.tensor([[float(row[name]) for name in names] for row in rows], dtype=torch.float64)
    r = torch.tensor([float(row["r"]) if "r" in row else module.horizon - float(row["t"]) for row in rows],
                     dtype=torch.float64)
    with torch.no_grad():
        u = module.control(x, r)
    print(",".join([*rows[0], *(f"u{j + 1}" for j in range(module.d))]))
    for row, values in zip(rows, u.tolist()):
        print(",".join([*row.values(), *(repr(v) for v in values)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="a file of `flowgap export RUN --out weights.safetensors`")
    parser.add_argument("--check", metavar="POINTS.csv", help="print the control at the points of a CSV file")
    a = parser.parse_args()
    try:
        module = load(a.weights)
        if a.check:
            check(module, a.check)
            return
    except (LoadError, OSError, ValueError, RuntimeError) as error:
        sys.exit(f"load_in_pytorch: {error}")
    for key, value in sorted(module.meta.items()):
        print(f"{key}: {value}")
    for name, tensor in module.state_dict().items():
        print(f"{name} {list(tensor.shape)}")


if __name__ == "__main__":
    main()
