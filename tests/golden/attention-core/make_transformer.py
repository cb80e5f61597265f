#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Results of PyTorch's attention layers: python3 make_transformer.py FOLDER writes transformer.safetensors.

Needs PyTorch 2.5. All numbers are float64.
"""
import json
import pathlib
import struct
import sys

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
folder = pathlib.Path(sys.argv[1])
tensors, metadata = {}, {}


def save_file(path):
    header, data = {"__metadata__": metadata}, b""
    for name, t in tensors.items():
        raw = t.detach().contiguous().numpy().tobytes()
        dtype = {torch.float64: "F64", torch.int64: "I64"}[t.dtype]
        header[name] = {"dtype": dtype, "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def add(case, options, module, inputs, call):
    """Inputs, parameters, result, the cotangent dy, and the gradients of inputs and parameters."""
    metadata[case] = json.dumps(options)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn_like(p) * (0.3 if p.dim() == 2 else 0.5))
    for name, p in module.named_parameters():
        if "norm" in name and name.endswith("weight"):
            p.data += 1
    inputs = {name: x.requires_grad_() for name, x in inputs.items()}
    y = call(**inputs)
    dy = torch.randn_like(y)
    y.backward(dy)
    tensors.update({f"{case}.{name}": x for name, x in inputs.items()})
    tensors.update({f"{case}.p.{name}": p.data for name, p in module.named_parameters()})
    tensors[f"{case}.y"], tensors[f"{case}.dy"] = y, dy
    tensors.update({f"{case}.g.{name}": x.grad for name, x in inputs.items()})
    tensors.update({f"{case}.g.p.{name}": p.grad for name, p in module.named_parameters()})


def causal_mask(n):
    return torch.ones(n, n, dtype=torch.bool).triu(1)


def padding(lengths, n):
    return torch.arange(n)[None] >= torch.tensor(lengths)[:, None]


# nn.MultiheadAttention
def attention(case, options, shapes, masks={}, **arguments):
    m = nn.MultiheadAttention(12, 3, batch_first=True, **arguments)
    if len(shapes) == 1:
        call = lambda x: m(x, x, x, need_weights=False, **masks)[0]
    else:
        call = lambda q, k, v: m(q, k, v, need_weights=False, **masks)[0]
    add(case, {"layer": "attention", "heads": 3, **options}, m, {n: torch.randn(s) for n, s in shapes.items()}, call)


attention("self", {}, {"x": (2, 5, 12)})
attention("self_no_bias", {"bias": False}, {"x": (2, 5, 12)}, bias=False)
attention("self_causal", {"causal": True}, {"x": (2, 7, 12)}, {"attn_mask": causal_mask(7)})
attention("self_padded", {"key_lengths": [5, 2]}, {"x": (2, 5, 12)}, {"key_padding_mask": padding([5, 2], 5)})
cross = {"q": (2, 4, 12), "k": (2, 6, 12), "v": (2, 6, 12)}
attention("cross", {}, cross)
attention("cross_padded", {"key_lengths": [1, 6]}, cross, {"key_padding_mask": padding([1, 6], 6)})
attention("cross_features", {"key_features": 7, "value_features": 5}, {"q": (2, 4, 12), "k": (2, 6, 7), "v": (2, 6, 5)},
          kdim=7, vdim=5)
attention("cross_features_no_bias", {"key_features": 7, "bias": False},
          {"q": (2, 4, 12), "k": (2, 6, 7), "v": (2, 6, 12)}, kdim=7, bias=False)


# Heads that share keys and values, and rotary embedding, which the module has not.
class Grouped(nn.Module):
    def __init__(self, features, heads, kv_heads):
        super().__init__()
        self.heads, self.kv_heads, self.size = heads, kv_heads, features // heads
        self.in_proj_weight = nn.Parameter(torch.empty((heads + 2 * kv_heads) * self.size, features))
        self.in_proj_bias = nn.Parameter(torch.empty((heads + 2 * kv_heads) * self.size))
        self.out_proj = nn.Linear(features, features)

    def forward(self, x, rotary=False, **masks):
        b, n, _ = x.shape
        packed = F.linear(x, self.in_proj_weight, self.in_proj_bias).view(b, n, -1, self.size).transpose(1, 2)
        q, k, v = packed.split([self.heads, self.kv_heads, self.kv_heads], dim=1)
        if rotary:
            angle = torch.arange(n)[:, None] * 10000.0 ** (-torch.arange(0, self.size, 2) / self.size)
            turn = lambda a: torch.view_as_real(
                torch.view_as_complex(a.reshape(b, -1, n, self.size // 2, 2).contiguous())
                * torch.polar(torch.ones_like(angle), angle)).flatten(-2)
            q, k = turn(q), turn(k)
        o = F.scaled_dot_product_attention(q, k, v, enable_gqa=True, **masks)
        return self.out_proj(o.transpose(1, 2).reshape(b, n, -1))


m = Grouped(16, 4, 2)
add("grouped", {"layer": "attention", "heads": 4, "kv_heads": 2}, m, {"x": torch.randn(2, 5, 16)}, lambda x: m(x))
m2 = Grouped(16, 4, 1)
add("grouped_rotary", {"layer": "attention", "heads": 4, "kv_heads": 1, "rotary": True, "causal": True}, m2,
    {"x": torch.randn(2, 5, 16)}, lambda x: m2(x, rotary=True, is_causal=True))


# nn.TransformerEncoderLayer
def block(case, activation, norm_first, options={}, masks={}, norm=None, hidden=20):
    gates = {"swiglu": lambda h: h[..., :hidden] * F.silu(h[..., hidden:]),
             "gelu_tanh": lambda h: F.gelu(h, approximate="tanh"), "gelu": F.gelu, "relu": F.relu}
    layer = nn.TransformerEncoderLayer(12, 3, hidden, dropout=0.0, activation=gates[activation], batch_first=True,
                                       norm_first=norm_first)
    if activation == "swiglu":
        layer.linear1 = nn.Linear(12, 2 * hidden)
    if norm == "rms":
        layer.norm1, layer.norm2 = nn.RMSNorm(12, eps=1e-5), nn.RMSNorm(12, eps=1e-5)
    add(case, {"layer": "block", "heads": 3, "hidden": hidden, "activation": activation, "norm_first": norm_first,
               "norm": norm or "layer", **options}, layer, {"x": torch.randn(2, 6, 12)}, lambda x: layer(x, **masks))


block("post_relu", "relu", False)
block("post_gelu_causal", "gelu", False, {"causal": True}, {"src_mask": causal_mask(6)})
block("post_padded", "relu", False, {"key_lengths": [3, 6]}, {"src_key_padding_mask": padding([3, 6], 6)})
block("pre_relu", "relu", True)
block("pre_gelu_tanh_causal", "gelu_tanh", True, {"causal": True}, {"src_mask": causal_mask(6)})
block("pre_rms_swiglu_causal", "swiglu", True, {"causal": True}, {"src_mask": causal_mask(6)}, norm="rms")
block("post_rms_gelu", "gelu", False, norm="rms")
save_file(folder / "transformer.safetensors")
