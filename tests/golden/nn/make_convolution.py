#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reference results of convolutions and pooling: python3 make_convolution.py FOLDER writes convolution.safetensors.

Needs PyTorch. All numbers are float64, and images are [N, C, H, W]. Each case has its options in the metadata and the
tensors x, dy, y and g.x; those of conv2d also weight, g.weight, and bias, g.bias if there is one.
"""
import json
import pathlib
import struct
import sys

import torch
import torch.nn.functional as F

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
tensors, metadata = {}, {}


def save_file(path):
    header, data = {"__metadata__": metadata}, b""
    for name, t in tensors.items():
        raw = t.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": "F64", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def add(case, op, options, function, **inputs):
    leaves = {name: t.requires_grad_() for name, t in inputs.items()}
    y = function(*leaves.values(), **options)
    dy = torch.randn(y.shape)
    gradients = torch.autograd.grad(y, list(leaves.values()), dy)
    for name, t in {**leaves, "y": y, "dy": dy}.items():
        tensors[f"{case}.{name}"] = t
    for name, t in zip(leaves, gradients):
        tensors[f"{case}.g.{name}"] = t
    metadata[case] = json.dumps({"op": op, **options})


def conv(case, x, weight, bias=False, **options):
    full = dict(stride=[1, 1], padding=[0, 0], dilation=[1, 1], groups=1) | options
    inputs = dict(x=torch.randn(x), weight=torch.randn(weight) / 3)
    if bias:
        inputs["bias"] = torch.randn(weight[0])
        function = lambda x, w, b, **o: F.conv2d(x, w, b, **o)
    else:
        function = lambda x, w, **o: F.conv2d(x, w, **o)
    add(case, "conv2d", full, function, **inputs)


conv("plain", (2, 3, 6, 5), (4, 3, 3, 3), True)
conv("same", (3, 5, 8, 8), (7, 5, 3, 3), True, padding=[1, 1])
conv("stride2", (2, 4, 8, 8), (6, 4, 3, 3), stride=[2, 2], padding=[1, 1])
conv("stride_3_2", (2, 3, 10, 9), (5, 3, 2, 3), True, stride=[3, 2], padding=[0, 1])
conv("stride_beyond_kernel", (1, 2, 11, 11), (3, 2, 2, 2), stride=[4, 3])
conv("padding_2_0", (2, 3, 5, 7), (4, 3, 3, 2), True, padding=[2, 0])
conv("dilation_2_3", (2, 2, 11, 12), (3, 2, 3, 3), dilation=[2, 3], padding=[2, 1])
conv("dilation_stride", (1, 3, 12, 13), (2, 3, 3, 2), stride=[2, 3], dilation=[3, 2], padding=[3, 1])
conv("groups2", (2, 6, 5, 5), (8, 3, 3, 3), True, groups=2, padding=[1, 1])
conv("groups3_stride", (2, 9, 7, 6), (6, 3, 3, 3), groups=3, stride=[2, 1], padding=[1, 1])
conv("depthwise", (2, 18, 6, 6), (18, 1, 3, 3), True, groups=18, padding=[1, 1])
conv("depthwise_stride2", (3, 20, 8, 8), (20, 1, 3, 3), groups=20, stride=[2, 2], padding=[1, 1])
conv("depthwise_multiplier", (2, 5, 6, 7), (15, 1, 3, 3), True, groups=5, padding=[1, 1])
conv("depthwise_5x5_dilation", (1, 17, 9, 10), (17, 1, 5, 5), groups=17, dilation=[2, 1], padding=[4, 2])
conv("pointwise", (3, 12, 8, 8), (20, 12, 1, 1), True)
conv("pointwise_stride2", (2, 6, 7, 8), (5, 6, 1, 1), stride=[2, 2])
conv("pointwise_groups", (2, 8, 4, 4), (12, 2, 1, 1), groups=4)
conv("pointwise_padding", (1, 3, 3, 4), (2, 3, 1, 1), True, padding=[1, 2])
conv("larger_than_image", (2, 3, 2, 3), (4, 3, 5, 4), True, padding=[2, 1])
conv("whole_image", (4, 3, 5, 6), (9, 3, 5, 6), True)
conv("one_pixel", (5, 7, 1, 1), (4, 7, 3, 3), padding=[1, 1])
conv("row_kernel", (2, 4, 5, 20), (3, 4, 1, 7), padding=[0, 3])
conv("column_kernel", (2, 4, 20, 5), (3, 4, 7, 1), True, padding=[3, 0])
conv("one_channel", (6, 1, 8, 8), (16, 1, 3, 3), padding=[1, 1])
conv("many_channels", (1, 150, 4, 4), (5, 150, 3, 3), padding=[1, 1])
conv("many_channels_out", (2, 10, 4, 4), (66, 10, 3, 3), True, padding=[1, 1])
conv("wide", (1, 3, 3, 70), (4, 3, 3, 3), True, padding=[1, 1])
conv("no_images", (0, 3, 5, 5), (4, 3, 3, 3), True)


def pool(case, op, x, kernel, ties=False, **options):
    full = dict(stride=kernel, padding=[0, 0], ceil_mode=False) | options
    if op == "avg_pool2d":
        full = dict(count_include_pad=True) | full
    values = torch.randint(-2, 3, x).double() if ties else torch.randn(x)
    add(case, op, dict(kernel_size=kernel) | full, lambda x, **o: getattr(F, op)(x, **o), x=values)


for op in ["max_pool2d", "avg_pool2d"]:
    head = op[:3]
    pool(head + "_2", op, (2, 3, 6, 8), [2, 2])
    pool(head + "_3_stride2_padding1", op, (2, 5, 7, 8), [3, 3], stride=[2, 2], padding=[1, 1])
    pool(head + "_ceil", op, (2, 3, 7, 6), [3, 2], stride=[2, 2], padding=[1, 0], ceil_mode=True)
    pool(head + "_ceil_dropped", op, (1, 2, 4, 5), [2, 2], stride=[3, 4], padding=[1, 1], ceil_mode=True)
    pool(head + "_uneven", op, (1, 17, 5, 9), [2, 4], stride=[1, 3], padding=[1, 2])
    pool(head + "_overlapping_ties", op, (2, 4, 6, 6), [3, 3], ties=True, stride=[1, 1], padding=[1, 1])
    pool(head + "_global", op, (3, 4, 5, 6), [5, 6])
pool("avg_without_padding", "avg_pool2d", (2, 3, 6, 7), [3, 3], stride=[2, 2], padding=[1, 1], count_include_pad=False)
pool("avg_ceil_without_padding", "avg_pool2d", (2, 3, 6, 8), [3, 3], stride=[2, 2], padding=[1, 1], ceil_mode=True,
     count_include_pad=False)

save_file(pathlib.Path(sys.argv[1]) / "convolution.safetensors")
