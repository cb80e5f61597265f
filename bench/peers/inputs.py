# SPDX-License-Identifier: MIT
"""The inputs of the peer benchmarks: random graphs, and Cora from a file or a random stand-in of the same size.

Needs numpy only. Nothing here depends on a random state: an edge or a value is a function of its position, so a program
in another language gets the same graph from the same four lines.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np


def splitmix64(counter):
    """SplitMix64 (Steele, Lea, Flood 2014) of an array of uint64 counters: 64 random bits each."""
    with np.errstate(over="ignore"):
        z = (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def random_edges(nodes, edges):
    """Edge e goes from splitmix64(2e) % nodes to splitmix64(2e + 1) % nodes; int64 [2, edges], nothing is removed."""
    ends = splitmix64(np.arange(2 * edges, dtype=np.uint64)) % np.uint64(nodes)
    return ends.astype(np.int64).reshape(-1, 2).T.copy()


def uniform(shape, stream=0):
    """float32 in [-1, 1): element i of stream s is the top 24 bits of splitmix64(s * 2^40 + i), scaled."""
    counter = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(stream << 40)
    bits = (splitmix64(counter) >> np.uint64(40)).astype(np.float32)
    return (bits * np.float32(2.0**-23) - np.float32(1.0)).reshape(shape)


def read_safetensors(path):
    """All tensors of a safetensors file, by name. ValueError if the file is shorter than its header says."""
    floats = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
    kinds = floats | {"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}
    raw = Path(path).read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    if len(raw) < start:
        raise ValueError(f"{path}: the header ends at byte {start}, the file at byte {len(raw)}")
    tensors = {}
    for name, entry in json.loads(raw[8:start]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            if start + end > len(raw):
                raise ValueError(f"{path}: tensor {name} ends at byte {start + end}, the file at byte {len(raw)}")
            values = np.frombuffer(raw[start + begin : start + end], dtype=kinds[entry["dtype"]])
            tensors[name] = values.reshape(entry["shape"])
    return tensors


@dataclass
class NodeDataset:
    source: str
    x: np.ndarray  # float32 [nodes, features], rows sum to 1
    y: np.ndarray  # int64 [nodes]
    edge_index: np.ndarray  # int64 [2, edges], both directions
    train: np.ndarray  # int64, indices of the training nodes


def cora():
    """Cora from $WEFT_DATA_DIR/cora/cora.safetensors, or a random graph of its size when the variable is not set."""
    nodes, edges, features, nonzeros, classes = 2708, 10556, 1433, 49216, 7
    folder = os.environ.get("WEFT_DATA_DIR")
    if folder:
        file = read_safetensors(Path(folder) / "cora" / "cora.safetensors")
        rows = np.repeat(np.arange(nodes), np.diff(file["x_indptr"]))
        x = np.zeros((nodes, features), np.float32)
        x[rows, file["x_indices"].astype(np.int64)] = file.get("x_values", 1.0)
        source = "Cora"
        y, edge_index, train = (file[key].astype(np.int64) for key in ("y", "edge_index", "train_idx"))
    else:
        order = np.argsort(splitmix64(np.arange(nodes * features, dtype=np.uint64)), kind="stable")
        x = np.zeros(nodes * features, np.float32)
        x[order[:nonzeros]] = 1.0
        x = x.reshape(nodes, features)
        one_way = random_edges(nodes, edges // 2)
        edge_index = np.concatenate([one_way, one_way[::-1]], axis=1)
        source = "random graph of the size of Cora"
        y, train = np.arange(nodes) % classes, np.arange(20 * classes)
    x /= np.maximum(x.sum(axis=1, keepdims=True), 1.0)
    return NodeDataset(source, x, y, edge_index, train)
