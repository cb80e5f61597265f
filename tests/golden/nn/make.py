#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reference results of losses and optimisers: python3 make.py FOLDER writes losses.safetensors and optimizers.safetensors.

Needs PyTorch. All numbers are float64, indices int64.
"""
import json
import pathlib
import struct
import sys

import torch
import torch.nn.functional as F

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
folder = pathlib.Path(sys.argv[1])


def save_file(tensors, path):
    header, data = {}, b""
    for name, t in tensors.items():
        raw = t.detach().contiguous().numpy().tobytes()
        dtype = {torch.float64: "F64", torch.int64: "I64"}[t.dtype]
        header[name] = {"dtype": dtype, "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


# Losses. Case c: c.out, c.grad (of sum(out * r), where out is not a scalar).
losses = {}
x = torch.randn(9, 21) * 3
labels = torch.randint(0, 21, (9,))
labels[4] = -100
weight = torch.rand(21) + 0.1
subset = torch.tensor([7, 0, 4, 2, 7])
r = torch.randn(9)
losses.update({"x": x, "labels": labels, "weight": weight, "subset": subset, "r": r})


def add(case, value, argument, rows=None):
    scale = r[: value.numel()] if value.dim() == 1 else torch.ones(())
    (gradient,) = torch.autograd.grad((value * scale).sum(), argument)
    losses[case + ".out"], losses[case + ".grad"] = value.detach(), gradient


for reduction in ["mean", "sum", "none"]:
    for w in ["", "weight"]:
        for smoothing in [0.0, 0.1, 1.0]:
            for part in ["", "subset"]:
                a = x.clone().requires_grad_()
                rows = subset if part else torch.arange(9)
                options = dict(weight=weight if w else None, reduction=reduction)
                case = ".".join(["ce", reduction, w or "plain", str(int(smoothing * 10)), part or "all"])
                add(case, F.cross_entropy(a[rows], labels[rows], label_smoothing=smoothing, **options), a)
                if smoothing == 0:
                    add(case.replace("ce", "nll").replace(".0.", "."), F.nll_loss(a[rows], labels[rows], **options), a)
a = x.clone().requires_grad_()
add("ce.ignore", F.cross_entropy(a, labels.clamp(min=0), ignore_index=int(labels[0])), a)

u, v = torch.randn(3, 5) * 4, torch.rand(3, 5)
losses.update({"u": u, "v": v})
for reduction in ["mean", "sum"]:
    for name, f in {
        "mse": F.mse_loss,
        "l1": F.l1_loss,
        "bce": F.binary_cross_entropy_with_logits,
        "bce_pos": lambda p, q, reduction: F.binary_cross_entropy_with_logits(
            p, q, reduction=reduction, pos_weight=torch.tensor(2.5)
        ),
    }.items():
        a = u.clone().requires_grad_()
        add(f"{name}.{reduction}", f(a, v, reduction=reduction), a)
save_file(losses, folder / "losses.safetensors")

# Optimisers. The loss is sum((p - target)^2 * scale), of two parameters, for 10 steps; `b` has no gradient in step 3.
optimizers = {}
start = {"a": torch.randn(3, 7), "b": torch.randn(5)}
target = {name: torch.randn_like(p) for name, p in start.items()}
scale = {name: torch.rand_like(p) * 3 for name, p in start.items()}
for name in start:
    optimizers.update({name + ".start": start[name], name + ".target": target[name], name + ".scale": scale[name]})


def run(case, make):
    p = {name: value.clone().requires_grad_() for name, value in start.items()}
    optimizer = make(p)
    for step in range(10):
        optimizer.zero_grad(set_to_none=True)
        names = ["a"] if step == 3 else ["a", "b"]
        sum(((p[n] - target[n]) ** 2 * scale[n]).sum() for n in names).backward()
        optimizer.step()
        for n in p:
            optimizers[f"{case}.{step}.{n}"] = p[n].detach().clone()


def both(p):
    return list(p.values())


run("sgd", lambda p: torch.optim.SGD(both(p), lr=0.05))
run("sgd_decay", lambda p: torch.optim.SGD(both(p), lr=0.05, weight_decay=0.1))
run("sgd_momentum", lambda p: torch.optim.SGD(both(p), lr=0.05, momentum=0.9, dampening=0.2, weight_decay=0.1))
run("sgd_nesterov", lambda p: torch.optim.SGD(both(p), lr=0.05, momentum=0.8, nesterov=True))
run("adam", lambda p: torch.optim.Adam(both(p), lr=0.1))
run("adam_options", lambda p: torch.optim.Adam(both(p), lr=0.1, betas=(0.7, 0.9), eps=0.01, weight_decay=0.3))
run("adamw", lambda p: torch.optim.AdamW(both(p), lr=0.1))
run("adamw_options", lambda p: torch.optim.AdamW(both(p), lr=0.1, betas=(0.7, 0.9), eps=0.01, weight_decay=0.3))
run(
    "groups",
    lambda p: torch.optim.Adam([dict(params=[p["a"]], weight_decay=0.3), dict(params=[p["b"]], lr=0.02)], lr=0.1),
)


def rates(make):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    schedule = make(optimizer)
    values = []
    for _ in range(12):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return torch.tensor(values)


S = torch.optim.lr_scheduler
optimizers["lr.step"] = rates(lambda o: S.StepLR(o, 3, 0.5))
optimizers["lr.exponential"] = rates(lambda o: S.ExponentialLR(o, 0.9))
optimizers["lr.cosine"] = rates(lambda o: S.CosineAnnealingLR(o, 8, 0.1))
optimizers["lr.warmup"] = rates(
    lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.25, 1.0, 4), S.CosineAnnealingLR(o, 8, 0.1)], [4])
)

# Clipping to norm 1.5.
grads = [torch.randn(4, 3), torch.randn(6)]
p = [torch.zeros_like(g, requires_grad=True) for g in grads]
for q, g in zip(p, grads):
    q.grad = g.clone()
optimizers["clip.norm"] = torch.nn.utils.clip_grad_norm_(p, 1.5).reshape(1)
for i, q in enumerate(p):
    optimizers[f"clip.{i}.before"], optimizers[f"clip.{i}.after"] = grads[i], q.grad
save_file(optimizers, folder / "optimizers.safetensors")
