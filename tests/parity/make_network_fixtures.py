#!/usr/bin/env python3
"""Make tests/parity/fixtures/networks.safetensors and networks.txt: small networks with the values that PyTorch's
automatic differentiation gives for them in float64.

    python3 tests/parity/make_network_fixtures.py

One line of networks.txt per case: its name and its settings as one YAML flow mapping. Tensors of a case NAME:
    NAME/<stem>.weight, NAME/<stem>.bias        the network
    NAME@t [n]  NAME@x [n, d]  NAME@v [n, d]    where it is evaluated, and a direction
    NAME@phi NAME@phi_t NAME@score NAME@divergence NAME@residual NAME@jvp
phi, phi_t and residual exist for potentials alone.
The residual is that of dX = -X dt + dW (ou, rate 1, diff 1).
"""
import json
import math
import os
import struct

import torch

torch.manual_seed(20240611)
torch.set_default_dtype(torch.float64)
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
POINTS, HORIZON = 10, 2.0


def softplus(beta, threshold):
    def function(z):
        soft = torch.log1p(torch.exp(-torch.abs(beta * z))) / beta + torch.clamp(z, min=0)
        return torch.where(beta * z > threshold, z, soft) if threshold else soft

    return function


# torch.nn.functional has all of these; softplus is written out so that its second derivative does not
# suffer from exp overflow, and to allow threshold 0 = never linear
ACTIVATIONS = {
    "softplus": softplus(3.0, 20.0),
    "softplus_sharp": softplus(60.0, 0.0),
    "softplus_linear": softplus(60.0, 4.0),  # the linear branch is in use at many points
    "gelu": lambda z: z * 0.5 * (1 + torch.erf(z / math.sqrt(2))),
    "silu": torch.nn.functional.silu,
    "tanh": torch.tanh,
    "sine": torch.sin,
}


class Case:
    def __init__(self, name, form, activation, time, d, hidden, output="score", reverse=False, bias=True):
        self.name, self.form, self.activation, self.time, self.d = name, form, activation, time, d
        self.output, self.reverse = output, reverse
        self.frequencies = torch.linspace(0.3, 2.9, 3)
        self.phases = torch.tensor([0.0, 0.4, -1.1])
        extra = {"first": 1, "last": 1, "fourier": 6, "embedded": 0}[time]
        widths = [d + extra] + hidden + [1 if form == "potential" else d]
        self.linears = [self.linear(a, b, bias) for a, b in zip(widths, widths[1:])]
        self.embed = [self.linear(6, 5, bias), self.linear(5, widths[1], bias)] if time == "embedded" else []

    @staticmethod
    def linear(inputs, outputs, bias):
        # float32 values, as trained weights have: a float build then sees the same network
        w = torch.randn(outputs, inputs).div(math.sqrt(inputs)).float().double()
        b = torch.randn(outputs).mul(0.5).float().double() if bias else None
        return w, b

    @staticmethod
    def apply(linear, h):
        return h @ linear[0].T + (0 if linear[1] is None else linear[1])

    def network(self, x, t):
        """One point: x [d], t scalar."""
        r = HORIZON - t if self.reverse else t
        waves = r * self.frequencies + self.phases
        waves = torch.cat([torch.sin(waves), torch.cos(waves)])
        h = {"first": lambda: torch.cat([r[None], x]), "last": lambda: torch.cat([x, r[None]]),
             "fourier": lambda: torch.cat([x, waves]), "embedded": lambda: x}[self.time]()
        for k, linear in enumerate(self.linears):
            h = self.apply(linear, h)
            if k == 0 and self.embed:
                h = h + self.apply(self.embed[1], ACTIVATIONS["gelu"](self.apply(self.embed[0], waves)))
            if k + 1 < len(self.linears):
                h = ACTIVATIONS[self.activation](h)
        return h

    def score(self, x, t):
        if self.form == "potential":
            return torch.autograd.functional.jacobian(lambda y: self.network(y, t)[0], x, create_graph=True)
        net = self.network(x, t)
        if self.output == "noise":  # ou: v = (1 - exp(-2 t)) / 2
            return -net / torch.sqrt(-torch.expm1(-2 * t) / 2)
        return net  # score, and control with g = 1

    def evaluate(self, x, t, v):
        out = {"score": self.score(x, t).detach()}
        jacobian = torch.autograd.functional.jacobian(lambda y: self.score(y, t), x)
        out["divergence"] = torch.trace(jacobian)
        out["jvp"] = jacobian @ v
        if self.form == "potential":
            out["phi"] = self.network(x, t)[0]
            out["phi_t"] = torch.autograd.functional.jacobian(lambda s: self.network(x, s)[0], t)
            s = out["score"]
            out["residual"] = out["phi_t"] - self.d - x @ s - 0.5 * (out["divergence"] + s @ s)
        return out

    def tensors(self):
        yield from ((f"{self.name}/l{k}", linear) for k, linear in enumerate(self.linears))
        yield from ((f"{self.name}/e{k}", linear) for k, linear in enumerate(self.embed))

    def yaml(self):
        kind, beta, threshold = self.activation, 1.0, 20.0
        if kind.startswith("softplus"):
            beta, threshold = {"softplus": (3.0, 20.0), "softplus_sharp": (60.0, 0.0),
                               "softplus_linear": (60.0, 4.0)}[kind]
            kind = "softplus"
        stems = [f"{self.name}/l{k}" for k in range(len(self.linears))]
        entries = {"kind": "network", "form": self.form, "activation": kind, "beta": beta, "threshold": threshold,
                   "layers": stems, "time_reversed": self.reverse, "file": "networks.safetensors"}
        if self.form == "vector":
            entries["output"] = self.output
        if self.time in ("first", "last"):
            entries["inputs"] = ["t", "x"] if self.time == "first" else ["x", "t"]
        else:
            entries.update(inputs=["x"], embedding=self.time, frequencies=self.frequencies.tolist(),
                           phases=self.phases.tolist())
        if self.embed:
            entries["embedding_layers"] = [f"{self.name}/e0", f"{self.name}/e1"]
        return json.dumps(entries)


def write_safetensors(path, tensors):
    header, blocks, at = {}, [], 0
    for name, tensor in tensors.items():
        single = "/" in name and "@" not in name  # weights hold float32 values
        array = tensor.detach().to(torch.float32 if single else torch.float64).contiguous().numpy()
        blocks.append(array.tobytes())
        header[name] = {"dtype": "F32" if single else "F64", "shape": list(tensor.shape),
                        "data_offsets": [at, at + len(blocks[-1])]}
        at += len(blocks[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def cases():
    times = ["first", "last", "fourier", "embedded"]
    # every activation with every time input, in both forms; widths that are no multiple of a vector
    for a, activation in enumerate(a for a in ACTIVATIONS if a != "softplus_linear"):
        for k, time in enumerate(times):
            output = ["score", "noise", "control"][(a + k) % 3]
            tag = f"{activation}_{time}"
            yield Case(f"p_{tag}", "potential", activation, time, 1 + (a + k) % 3, [9, 7], reverse=(a + k) % 2 == 1)
            yield Case(f"v_{tag}", "vector", activation, time, 1 + (a + k + 1) % 3, [7, 9], output,
                       reverse=(a + k) % 2 == 0)
    yield Case("p_deep", "potential", "silu", "first", 2, [5, 6, 7, 5, 4])
    yield Case("p_shallow", "potential", "tanh", "last", 4, [17])
    yield Case("p_linear", "potential", "tanh", "first", 3, [])
    yield Case("v_linear", "vector", "tanh", "fourier", 3, [])
    yield Case("p_no_bias", "potential", "gelu", "embedded", 2, [6, 6], bias=False)
    yield Case("v_no_bias", "vector", "sine", "last", 5, [6, 6], bias=False)
    yield Case("p_wide", "potential", "softplus", "first", 2, [33, 20])
    yield Case("p_threshold", "potential", "softplus_linear", "first", 2, [16, 16])


def main():
    tensors, lines = {}, []
    for case in cases():
        t = torch.rand(POINTS) * (HORIZON - 0.05) + 0.05
        x, v = torch.randn(POINTS, case.d) * 1.5, torch.randn(POINTS, case.d)
        rows = [case.evaluate(x[i], t[i], v[i]) for i in range(POINTS)]
        for stem, (w, b) in case.tensors():
            tensors[f"{stem}.weight"] = w
            if b is not None:
                tensors[f"{stem}.bias"] = b
        tensors.update({f"{case.name}@t": t, f"{case.name}@x": x, f"{case.name}@v": v})
        for key in rows[0]:
            tensors[f"{case.name}@{key}"] = torch.stack([row[key] for row in rows])
        lines.append(f"{case.name} {case.yaml()}\n")
    write_safetensors(os.path.join(FOLDER, "networks.safetensors"), tensors)
    with open(os.path.join(FOLDER, "networks.txt"), "w", encoding="utf-8") as file:
        file.writelines(lines)
    print(len(lines), "cases,", os.path.getsize(os.path.join(FOLDER, "networks.safetensors")), "bytes")


if __name__ == "__main__":
    main()
