#!/usr/bin/env python3
"""Write a PyTorch score model as safetensors and YAML for flowgap.

    export_pytorch.py demo OUT.yaml                 train a small score model (10 s) and export it
    export_pytorch.py FILE.py:NAME OUT.yaml [...]   NAME is a module, a class or a function that makes one

or from Python:  from export_pytorch import export;  export(module, "out.yaml", form="potential")

flowgap reads multilayer perceptrons: linear maps with one activation between them. The export runs the module
once to see which nn.Linear comes when, rebuilds the network from what it is about to write, and refuses a module
whose outputs differ from that. docs/from-pytorch.md walks through it.
"""
import argparse
import importlib
import importlib.util
import inspect
import json
import math
import os
import struct
import sys

try:
    import torch
    from torch import nn
except ImportError:
    sys.exit(f"export_pytorch: {sys.executable} has no torch: apt-get install python3-torch, or pip install torch")

ACTIVATIONS = {
    "softplus": lambda z, beta, threshold: nn.functional.softplus(z, beta, threshold),
    "gelu": lambda z, *_: nn.functional.gelu(z),
    "silu": lambda z, *_: nn.functional.silu(z),
    "tanh": lambda z, *_: torch.tanh(z),
    "sine": lambda z, *_: torch.sin(z),
}


class ExportError(Exception):
    pass


def write_safetensors(path, tensors):
    """8 bytes of header length, a JSON header, the entries; all little-endian float32 or float64."""
    header, blocks, at = {}, [], 0
    for name, tensor in tensors.items():
        wide = tensor.dtype == torch.float64
        block = tensor.detach().cpu().to(torch.float64 if wide else torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F64" if wide else "F32", "shape": list(tensor.shape),
                        "data_offsets": [at, at + len(block)]}
        blocks.append(block)
        at += len(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def call(module, style, x, t):
    """The module as a function of x [n, d] and t [n, 1]."""
    if style == "t-x":
        return module(torch.cat([t, x], 1))
    if style == "x-t":
        return module(torch.cat([x, t], 1))
    first, second = (x, t) if style == "x,t" else (t, x)
    try:
        return module(first, second)
    except (RuntimeError, IndexError):  # some modules want t as [n]
        return module(*(a[:, 0] if a is t else a for a in (first, second)))


def trace(module, run):
    """Names of the nn.Linear in the order in which they run, and the activation modules between them."""
    linears, activations, hooks = [], [], []
    kinds = {nn.Softplus: "softplus", nn.GELU: "gelu", nn.SiLU: "silu", nn.Tanh: "tanh"}
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear):
            hooks.append(part.register_forward_pre_hook(lambda _m, _i, name=name: linears.append(name)))
        elif type(part) in kinds:
            hooks.append(part.register_forward_pre_hook(
                lambda m, _i: activations.append((kinds[type(m)], getattr(m, "beta", 1), getattr(m, "threshold", 20)))))
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return linears, activations


def rebuilt(module, model, x, t):
    """What flowgap will compute from the settings `model` and these weights."""
    parts = dict(module.named_modules())
    r = model["horizon"] - t if model.get("time_reversed") else t
    act = ACTIVATIONS[model["activation"]]
    if model.get("embedding"):
        wave = torch.tensor(model["frequencies"], dtype=x.dtype)
        angle = r * wave + torch.tensor(model["phases"] or [0.0], dtype=x.dtype)
        waves = torch.cat([angle.sin(), angle.cos()], 1)
    h = {"none": lambda: torch.cat([r, x] if model["inputs"] == ["t", "x"] else [x, r], 1),
         "fourier": lambda: torch.cat([x, waves], 1), "embedded": lambda: x}[model.get("embedding", "none")]()
    for k, name in enumerate(model["layers"]):
        h = parts[name](h)
        if k == 0 and model.get("embedding") == "embedded":
            first, second = (parts[stem] for stem in model["embedding_layers"])
            h = h + second(nn.functional.gelu(first(waves)))
        if k + 1 < len(model["layers"]):
            h = act(h, model.get("beta", 1), model.get("threshold", 20))
    return h


def describe(module, style, form, output, activation, embedding, time_reversed, horizon, dimension):
    """The settings model.* of the module."""
    x, t = torch.randn(5, dimension).to(next(module.parameters())), torch.rand(5, 1).to(next(module.parameters()))
    try:
        linears, seen = trace(module, lambda: call(module, style, x, t))
    except (TypeError, RuntimeError, IndexError) as error:
        raise ExportError(f"the module cannot be called as --call {style} in dimension {dimension}: {error}") from error
    if not linears:
        raise ExportError("the module runs no nn.Linear, so it is no multilayer perceptron")
    if len(set(linears)) != len(linears):
        raise ExportError(f"a linear map runs more than once ({', '.join(linears)}): flowgap reads plain perceptrons")
    embedding = dict(embedding or {})
    apart = embedding.get("layers", [])
    if activation is None:
        if len(set(seen)) != 1:
            raise ExportError("the activation cannot be told from the module (it should be one kind, as nn modules): "
                              "name it, for example --activation silu")
        activation = seen[0]
    kind, beta, threshold = activation if isinstance(activation, tuple) else (activation, 1, 20)
    model = {"kind": "network", "form": form, "layers": [n for n in linears if n not in apart], "activation": kind}
    if form == "vector":
        model["output"] = output
    if kind == "softplus":
        model.update(beta=float(beta), threshold=float(threshold))
    if embedding:
        model.update(inputs=["x"], embedding=embedding["kind"], frequencies=list(embedding["frequencies"]),
                     phases=list(embedding.get("phases", [])))
        if apart:
            model["embedding_layers"] = list(apart)
    else:
        model["inputs"] = ["t", "x"] if style in ("t-x", "t,x") else ["x", "t"]
    if time_reversed:
        model["time_reversed"] = True
    return dict(model, horizon=horizon)


def check(module, style, model, dimension):
    """The module against the rebuilt network, in double: what is not the same shows."""
    copy = module.double()
    x, t = torch.randn(64, dimension).double() * 2, torch.rand(64, 1).double() * model["horizon"]
    with torch.no_grad():
        ours, theirs = rebuilt(copy, model, x, t), call(copy, style, x, t)
    theirs = theirs.reshape(ours.shape) if theirs.numel() == ours.numel() else theirs
    if ours.shape != theirs.shape:
        raise ExportError(f"the module gives {list(theirs.shape)}, its linear maps alone give {list(ours.shape)}")
    wrong = (ours - theirs).abs().max().item() / max(1.0, theirs.abs().max().item())
    if not wrong < 1e-7:  # a module may hold its frequencies as float32
        raise ExportError(f"the module is not the plain perceptron {model['layers']} with activation "
                          f"{model['activation']}: outputs differ by {wrong:.1e} relative. Scale inputs and outputs "
                          "inside the linear maps; skip connections, normalisation and other layers are not read")


def export(module, path, form="potential", style="t-x", dimension=2, output="score", activation=None, embedding=None,
           time_reversed=False, process=None, target=None, flow=None):
    """Write PATH (YAML) and the weights beside it, same name with .safetensors.

    form       potential: one output Phi, score = grad Phi; vector: `dimension` outputs
    style      how the module is called: "t-x" or "x-t" one tensor [n, d+1], "t,x" or "x,t" two arguments
    output     vector form: score (s = net), noise (s = -net / sqrt(v(t))), control (s = net / g(t))
    activation a name of ACTIVATIONS or ("softplus", beta, threshold); None: from the nn modules
    embedding  {"kind": "fourier" or "embedded", "frequencies": [...], "phases": [...], "layers": [two names]}
    process, target, flow   rows of the settings as dictionaries
    """
    process = process or {"kind": "ou", "rate": 1, "diff": 1, "horizon": 4}
    horizon = float(process.get("horizon", 10 if process.get("kind", "ou") == "ou" else 1))
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    before, dtype = module.training, next(module.parameters()).dtype
    module.eval()
    try:
        model = describe(module, style, form, output, activation, embedding, time_reversed, horizon, dimension)
        check(module, style, model, dimension)
    finally:
        module.to(dtype)
        module.train(before)
    del model["horizon"]
    weights = os.path.splitext(path)[0] + ".safetensors"
    stems = model["layers"] + model.get("embedding_layers", [])
    write_safetensors(weights, {n: t for n, t in state.items() if n.rsplit(".", 1)[0] in stems})
    model["file"] = os.path.basename(weights)
    rows = {"process": process, "target": target, "model": model, "flow": flow}
    with open(path, "w", encoding="utf-8") as file:
        file.write("# Written by scripts/export_pytorch.py; `flowgap help settings` explains every key.\n")
        for name, entries in rows.items():
            if not entries:
                continue
            file.write(f"{name}:\n")  # JSON values are YAML
            file.writelines(f"  {key}: {json.dumps(value)}\n" for key, value in entries.items())
    return weights


def demo(path):
    """A potential network for nine blobs, trained by denoising score matching for a few seconds."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(),
                        nn.Linear(64, 1))
    adam, steps, horizon = torch.optim.Adam(net.parameters(), 3e-3), 1500, 4.0
    centres = 0.65 * torch.tensor([[2., 2], [2, -2], [-2, 2], [-2, -2], [0, 0], [4, 0], [-4, 0], [0, 4], [0, -4]])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for step in range(steps):
        x0 = centres[torch.randint(9, (512,))] + 0.65 * math.sqrt(0.2) * torch.randn(512, 2)
        t = horizon * torch.rand(512, 1) ** 2 + 1e-3
        v = -torch.expm1(-2 * t) / 2
        noise = torch.randn(512, 2)
        x = (torch.exp(-t) * x0 + v.sqrt() * noise).requires_grad_()
        score, = torch.autograd.grad(net(torch.cat([t, x], 1)).sum(), x, create_graph=True)
        loss = (v.sqrt() * score + noise).square().sum(1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
        if step % 250 == 0 or step + 1 == steps:
            print(f"step {step:5d}  loss {loss.item():.3f}", file=sys.stderr)
    return export(net, path, process={"kind": "ou", "rate": 1, "diff": 1, "horizon": horizon},
                  target={"kind": "blobs"}, flow={"sde": {"method": "heun", "grid": [[4, 1, 60], [1, 0, 200]]}})


def load(name, weights):
    place, _, attribute = name.rpartition(":")
    if not place:
        raise ExportError(f"{name}: write FILE.py:NAME or package.module:NAME")
    if place.endswith(".py"):
        spec = importlib.util.spec_from_file_location("exported", place)
        source = importlib.util.module_from_spec(spec)
        sys.path.insert(0, os.path.dirname(os.path.abspath(place)))
        spec.loader.exec_module(source)
    else:
        source = importlib.import_module(place)
    module = getattr(source, attribute, None)
    if module is None:
        raise ExportError(f"{place} has no {attribute}")
    if inspect.isclass(module) or inspect.isfunction(module):
        module = module()
    if weights:
        state = torch.load(weights, map_location="cpu")
        for key in ("state_dict", "model", "model_state_dict"):
            state = state[key] if isinstance(state, dict) and isinstance(state.get(key), dict) else state
        module.load_state_dict(state)
    return module


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", help="demo, FILE.py:NAME or package.module:NAME")
    parser.add_argument("out", help="YAML file to write; the weights go beside it")
    parser.add_argument("--weights", help="a file of torch.save with the state_dict to load")
    parser.add_argument("--form", choices=["potential", "vector"], default="potential")
    parser.add_argument("--output", choices=["score", "noise", "control"], default="score")
    parser.add_argument("--call", choices=["t-x", "x-t", "t,x", "x,t"], default="t-x",
                        help="one tensor with t first or last, or two arguments (default t-x)")
    parser.add_argument("--dimension", type=int, default=2)
    parser.add_argument("--activation", choices=list(ACTIVATIONS), help="where the module calls it as a function")
    parser.add_argument("--time-reversed", action="store_true", help="the network was trained in generative time T - t")
    parser.add_argument("--process", default='{"kind": "ou", "horizon": 10}', help="JSON, the rows process.*")
    parser.add_argument("--target", help="JSON, the rows target.*, for example '{\"kind\": \"gmm9\"}'")
    a = parser.parse_args()
    try:
        if a.module == "demo":
            weights = demo(a.out)
        else:
            weights = export(load(a.module, a.weights), a.out, a.form, a.call, a.dimension, a.output, a.activation,
                             None, a.time_reversed, json.loads(a.process), json.loads(a.target) if a.target else None)
    except (ExportError, OSError, ValueError, RuntimeError, ImportError) as error:
        sys.exit(f"export_pytorch: {error}")
    print(f"wrote {a.out} and {weights}")


if __name__ == "__main__":
    main()
