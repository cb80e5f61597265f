# SPDX-License-Identifier: MIT
"""Times PyTorch and torch_geometric on the CPU on the inputs of weft's own benchmarks.

Optional: nothing in weft needs Python. To get the peers:

    python3 -m venv peers && peers/bin/pip install torch torch_geometric e3nn sphericart
    peers/bin/python bench/peers/peers.py --threads 2 --filter '^spmm' --json out.json

(a CPU build of torch is enough, and smaller).
WEFT_DATA_DIR=<folder with cora/cora.safetensors> makes the epochs run on Cora, else on a random graph of its size.

An entry has the name of the C++ benchmark it is compared with; what was timed is in its field `peer`.
Everything is float32. `name_backward` is the forward pass and the gradients of what is listed, for a given gradient of
the result:

    spmm/NxExF               y_i = sum_{e -> i} w_e x_src(e), random graph; backward: gradient of x
    spmm_weighted/NxExF      backward only: gradients of x and of w
    chain/n                  relu(a * b + c) * d - e; backward: all five gradients
    bias_gelu/RxC            gelu(x + b), tanh form; backward: x and b
    softmax, log_softmax     along the last axis; backward: x
    attention, attention_causal/hH_nN_dD
                             scaled_dot_product_attention of H heads, N queries and keys of depth D; and the chain of
                             matmul, softmax, matmul; backward: q, k and v
    matmul/MxKxN             [M, K] x [K, N]; backward: both
    conv3x3, conv1x1, depthwise3x3, conv3x3_stride2/NxCxHxWxO
                             conv2d of [N, C, H, W] to O channels, padding 1 of 3x3, no bias; _channels_last has x and
                             weight in torch.channels_last; backward: x and weight
    gat, gatv2, transformer/NxE/HxC
                             GATConv, GATv2Conv, TransformerConv, 64 channels in, H heads of C; backward: x and all
                             parameters, as of all layers
    gcn, sage_mean, sage_max/NxExF
                             GCNConv, SAGEConv, F channels to F
    gine, edge_conv/NxExF    GINEConv with features of the edges as wide as the nodes', EdgeConv with a maximum; the
                             network is Linear, ReLU, Linear of width F
    pna/NxExF                PNAConv, mean, min, max, std times identity, amplification, attenuation, one tower
    rgcn/NxExF               RGCNConv, 8 relations, mean
    hgt/NxE/HxC              HGTConv, the nodes in two types, the edges in four relations, those between their types
    spherical_harmonics/NxlL SphericalHarmonics of e3nn (where it is installed), scripted, degrees 0 to L of N points,
                             normalized, `integral`; backward: the points. Of sphericart (where it is installed) the
                             array of values, and as backward the arrays of values and of all their derivatives: what
                             is left, to multiply the derivatives with a gradient, is not timed
    spherical_harmonics_fused/NxlL
                             the same of e3nn; weft's results stay in the cache, for what goes on with them
    convolution, radial_convolution/lIYO_cC_eE
                             TensorProduct of e3nn (uvu), scripted, between index_select and index_add: C copies of
                             degrees 0 to I, harmonics to Y, results to O, E edges; backward: features, harmonics and
                             weights. Of radial_convolution the weights, which weft makes on the way, are given
    so3_linear/cC_nN         Linear of e3nn, C copies of degrees 0 to 3, N rows; backward: rows and weights
    symmetric_contraction/cC_nN
                             the contraction with dense couplings of MACE (class Contraction below), scripted, of N
                             nodes of three elements, C channels of degrees 0 to 3, up to three at a time, to 0e+1o;
                             backward: features and weights; _force: forward and the gradient of the features
    gate/cC_nN               Gate of e3nn, scripted: silu of C scalars, C copies of degrees 1 to 3 times a sigmoid each
    s2_activation/lL_nN      S2Activation of e3nn, not scripted, which e3nn 0.6 fails at: tanh of functions of degrees 0
                             to L on the smallest grid
    fully_connected_tensor_product/cC_nN
                             C copies of degrees 0 to 2 with one copy of them, to the same; backward: all operands
    gaunt_product/lL_nN      N products of functions on the sphere, degrees up to L to 2 L: values on a Gauss-Legendre grid
                             by matrix products with the harmonics, there and back; einsum with all integrals of three
                             harmonics; and FullTensorProduct of e3nn, scripted, which has a result for each coupling.
                             backward: both functions
    neighbor_sampling/NxE    1024 seeds, 15 neighbours of each, then 10 of each of these, per batch; 10 batches
                             (only where torch-sparse or pyg-lib is installed; give these an environment of their own,
                             since torch_geometric's layers change with them)
    gcn_epoch, gat_epoch     one training step (forward, loss on the training nodes, backward, Adam) with the published
                             hyper-parameters and dropout, features dense as in torch_geometric's own examples
    gcn_epoch_without_dropout, gat_epoch_without_dropout
                             the same with dropout 0: torch draws its masks serially, with a fast path for some
                             processors only, so that an epoch on a small graph may be mostly random numbers

The peer "torch_geometric sparse" gets the graph as a CSR matrix and keeps its normalisation. Its GCNConv adds a self
loop also to a node that has one, which the others do not: the work is the same, the values of those few rows are not.

What is given has the same numbers and the same order on both sides; the results are shown by their norm and their
product with random numbers (`probes`), which ratios.py compares with weft's.

Two things would otherwise decide the numbers unseen. What ran before in a process changes where the C library finds
memory: every entry therefore runs in a fresh process. And glibc gives large blocks back to the system at once, so that
every large temporary is paid for in page faults, often with more time than the operation itself: --allocator default is
what a user of torch gets, --allocator recycling makes glibc keep the memory. Entries carry the
allocator and the faults per call.
"""

import argparse
import ctypes
import json
import multiprocessing
import os
import re
import resource
import statistics
import sys
import time
import warnings
from dataclasses import dataclass
from typing import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn import Linear, ReLU, Sequential

import inputs

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")
warnings.filterwarnings("ignore", category=FutureWarning, message=".*torch.jit")

try:
    import torch_geometric
    from torch_geometric.data import Data
    from torch_geometric.loader import NeighborLoader
    from torch_geometric.nn import (EdgeConv, GATConv, GATv2Conv, GCNConv, GINEConv, HGTConv, PNAConv, RGCNConv,
                                    SAGEConv, TransformerConv)
except ImportError:
    torch_geometric = None
try:
    import e3nn.nn
    from e3nn import o3
    from e3nn.util.jit import script
    from opt_einsum_fx import optimize_einsums_full
except ImportError:
    o3 = None
try:
    import sphericart
except ImportError:
    sphericart = None

TORCH_SPARSE_MM = "torch sparse.mm"
TORCH_SDPA = "torch sdpa"
TORCH_NAIVE = "torch naive"
TORCH_INDEX_ADD = "torch index_add"
TORCH = "torch"
GEOMETRIC = "torch_geometric"
GEOMETRIC_CACHED = "torch_geometric cached"
E3NN = "e3nn scripted"
E3NN_EAGER = "e3nn"
MACE = "mace dense scripted"
SPHERICART = "sphericart"
TORCH_GRID = "torch grid"
TORCH_EINSUM = "torch einsum"
GEOMETRIC_SPARSE = "torch_geometric sparse"  # cached where the layer has it, the graph as a CSR matrix
COMPARED = (TORCH_SDPA, TORCH_NAIVE, E3NN, E3NN_EAGER, MACE, SPHERICART)  # whose weights are given, so that results can be compared
ALLOCATORS = ("default", "recycling")


@dataclass
class Case:
    name: str
    peer: str
    build: Callable  # makes the inputs and returns the function to time
    compared: Callable = lambda result: result  # what weft computes, of what that function returns


def tensor(shape, stream, grad=False):
    return torch.from_numpy(inputs.uniform(shape, stream)).requires_grad_(grad)


def forward(function):
    """Times only the value: no tape is written."""

    def run():
        with torch.no_grad():
            return function()

    return run


def backward(function, leaves):
    """Times the value and the gradients of `leaves`, for a fixed gradient of the result."""
    with torch.no_grad():
        upstream = tensor(function().shape, stream=99)
    return lambda: torch.autograd.grad(function(), leaves, upstream)


def both(name, peer, make):
    """The entries `name` and `name_backward`; make(grad) returns the function and its leaves."""
    head, _, size = name.partition("/")
    return [
        Case(name, peer, lambda: forward(make(False)[0])),
        Case(f"{head}_backward/{size}", peer, lambda: backward(*make(True))),
    ]


def spmm_index_add(nodes, edges, channels, weight_grad):
    def make(grad):
        src, dst = torch.from_numpy(inputs.random_edges(nodes, edges))
        x, w = tensor((nodes, channels), 1, grad), tensor((edges, 1), 2, grad and weight_grad)

        def function():
            return torch.zeros(nodes, channels).index_add_(0, dst, x.index_select(0, src) * w)

        return function, [x, w] if weight_grad else [x]

    return make


def csr(nodes, src, dst, weight):
    """The adjacency with one row per destination, int32 indices; edges keep their order inside a row."""
    order = torch.argsort(dst, stable=True)
    rows = torch.zeros(nodes + 1, dtype=torch.int64)
    rows[1:] = torch.bincount(dst, minlength=nodes).cumsum(0)
    return torch.sparse_csr_tensor(rows.int(), src[order].int(), weight[order], (nodes, nodes), check_invariants=False)


def spmm_sparse(nodes, edges, channels, weight_grad):
    def make(grad):
        src, dst = torch.from_numpy(inputs.random_edges(nodes, edges))
        x, w = tensor((nodes, channels), 1, grad), tensor((edges,), 2)
        adjacency = csr(nodes, src, dst, w).requires_grad_(grad and weight_grad)
        return lambda: torch.sparse.mm(adjacency, x), [x, adjacency] if weight_grad else [x]

    return make


def chain(n):
    def make(grad):
        leaves = [tensor((n,), stream, grad) for stream in range(5)]
        a, b, c, d, e = leaves
        return lambda: torch.relu(a * b + c) * d - e, leaves

    return make


def bias_gelu(rows, columns):
    def make(grad):
        x, b = tensor((rows, columns), 1, grad), tensor((columns,), 2, grad)
        return lambda: F.gelu(x + b, approximate="tanh"), [x, b]

    return make


def row_function(function, rows, columns):
    def make(grad):
        x = tensor((rows, columns), 1, grad)
        return lambda: function(x, -1), [x]

    return make


def scaled_attention(heads, n, depth, causal):
    def make(grad):
        leaves = [tensor((1, heads, n, depth), stream, grad) for stream in (1, 2, 3)]
        return lambda: F.scaled_dot_product_attention(*leaves, is_causal=causal), leaves

    return make


def naive_attention(heads, n, depth):
    def make(grad):
        q, k, v = leaves = [tensor((1, heads, n, depth), stream, grad) for stream in (1, 2, 3)]
        return lambda: torch.softmax(q @ k.transpose(-1, -2) * depth**-0.5, -1) @ v, leaves

    return make


def matmul(m, k, n):
    def make(grad):
        a, b = tensor((m, k), 1, grad), tensor((k, n), 2, grad)
        return lambda: a @ b, [a, b]

    return make


def evo_norm_b0(x, gamma, beta, v):
    """As timm writes it, with the statistics of the batch in training."""
    batch = x.var(dim=(0, 2, 3), unbiased=False).view(1, -1, 1, 1)
    instance = x.var(dim=(2, 3), unbiased=False, keepdim=True)
    other = v.view(1, -1, 1, 1) * x + (instance + 1e-3).sqrt()
    return x / torch.max((batch + 1e-3).sqrt(), other) * gamma.view(1, -1, 1, 1) + beta.view(1, -1, 1, 1)


def evo_norm_s0(x, gamma, beta, v):
    n, c, h, w = x.shape
    deviation = (x.reshape(n, 32, -1).var(dim=2, unbiased=False, keepdim=True) + 1e-5).sqrt()
    y = x * torch.sigmoid(v.view(1, -1, 1, 1) * x)
    y = (y.reshape(n, 32, -1) / deviation).view(n, c, h, w)
    return y * gamma.view(1, -1, 1, 1) + beta.view(1, -1, 1, 1)


IMAGE_NORMS = {
    "group_norm_silu": lambda x, gamma, beta, v: F.silu(F.group_norm(x, 32, gamma, beta)),
    "evo_norm_s0": evo_norm_s0,
    "batch_norm_relu": lambda x, gamma, beta, v: F.relu(F.batch_norm(x, None, None, gamma, beta, training=True)),
    "evo_norm_b0": evo_norm_b0,
}


def image_norm(function, shape):
    def make(grad):
        c = shape[1]
        x, gamma, beta = tensor(shape, 1, grad), torch.ones(c).requires_grad_(grad), torch.zeros(c).requires_grad_(grad)
        v = torch.ones(c).requires_grad_(grad)
        leaves = [x, gamma, beta] + ([v] if function in (evo_norm_b0, evo_norm_s0) else [])
        return lambda: function(x, gamma, beta, v), leaves

    return make


def row_norm(function, rows, columns):
    def make(grad):
        x, gamma = tensor((rows, columns), 1, grad), torch.ones(columns).requires_grad_(grad)
        beta = torch.zeros(columns).requires_grad_(grad)
        leaves = [x, gamma, beta] if function is F.layer_norm else [x, gamma]
        return lambda: function(x, (columns,), *leaves[1:]), leaves

    return make


def conv2d(size, kernel, stride, groups, memory_format):
    batch, channels, height, width, out = size

    def make(grad):
        x = tensor((batch, channels, height, width), 1).to(memory_format=memory_format).requires_grad_(grad)
        w = tensor((out, channels // groups, kernel, kernel), 2).to(memory_format=memory_format).requires_grad_(grad)
        return lambda: F.conv2d(x, w, stride=stride, padding=kernel // 2, groups=groups), [x, w]

    return make


def spherical_harmonics(points, lmax):
    def make(grad):
        irreps = o3.Irreps.spherical_harmonics(lmax)
        function = script(o3.SphericalHarmonics(irreps, normalize=True, normalization="integral"))
        x = tensor((points, 3), 1, grad)
        return lambda: function(x), [x]

    return make


def sphericart_harmonics(points, lmax):
    """Both entries. sphericart's polar axis is z, e3nn's is y: its x, y, z are their z, x, y."""
    x = lambda: np.ascontiguousarray(inputs.uniform((points, 3), 1)[:, [2, 0, 1]])

    def values():
        function, at = sphericart.SphericalHarmonics(lmax), x()
        return lambda: function.compute(at)

    def derivatives():
        function, at = sphericart.SphericalHarmonics(lmax), x()
        return lambda: function.compute_with_gradients(at)

    def gradient(result):
        return np.einsum("nc,nxc->nx", inputs.uniform(result[0].shape, 99), result[1])[:, [1, 2, 0]]

    return [
        Case(f"spherical_harmonics/{points}xl{lmax}", SPHERICART, values),
        Case(f"spherical_harmonics_backward/{points}xl{lmax}", SPHERICART, derivatives, gradient),
    ]


def natural_irreps(copies, lmax):
    return o3.Irreps([(copies, (l, (-1) ** l)) for l in range(lmax + 1)])


def convolution(l_in, l_harmonics, l_out, copies, edges):
    """Of bench/so3/products_bench.cpp: nodes with 50 edges each, gathered, multiplied and added by index_add."""

    def make(grad):
        features, harmonics = natural_irreps(copies, l_in), o3.Irreps.spherical_harmonics(l_harmonics)
        terms, instructions = [], []
        for i, (mul, a) in enumerate(features):
            for j, (_, b) in enumerate(harmonics):
                for ir in a * b:
                    if ir in natural_irreps(1, l_out):
                        instructions.append((i, j, len(terms), "uvu", True))
                        terms.append((mul, ir))
        out, p, _ = o3.Irreps(terms).sort()
        instructions = [(i, j, p[k], mode, train) for i, j, k, mode, train in instructions]
        product = script(
            o3.TensorProduct(features, harmonics, out, instructions, shared_weights=False, internal_weights=False)
        )
        nodes = edges // 50
        edge = torch.arange(edges)
        destination = edge // 50
        source = (destination + nodes + edge % 50 - 25) % nodes
        x, y = tensor((nodes, features.dim), 1, grad), tensor((edges, harmonics.dim), 2, grad)
        w = tensor((edges, product.weight_numel), 3, grad)

        def function():
            return x.new_zeros(nodes, out.dim).index_add_(0, destination, product(x[source], y, w))

        return function, [x, y, w]

    return make


def so3_linear(copies, rows):
    def make(grad):
        irreps = natural_irreps(copies, 3)
        function = script(o3.Linear(irreps, irreps, internal_weights=False, shared_weights=True))
        x, w = tensor((rows, irreps.dim), 1, grad), tensor((4 * copies * copies,), 2, grad)
        return lambda: function(x, w), [x, w]

    return make


def fully_connected_tensor_product(copies, rows):
    def make(grad):
        irreps, one = natural_irreps(copies, 2), natural_irreps(1, 2)
        product = o3.FullyConnectedTensorProduct(irreps, one, irreps, internal_weights=False, shared_weights=True)
        function = script(product)
        x, y = tensor((rows, irreps.dim), 1, grad), tensor((rows, one.dim), 2, grad)
        w = tensor((product.weight_numel,), 3, grad)
        return lambda: function(x, y, w), [x, y, w]

    return make


def gate(copies, rows):
    def make(grad):
        irreps, gated = natural_irreps(copies, 3), natural_irreps(copies, 3)[1:]
        module = e3nn.nn.Gate(irreps[:1], [F.silu], o3.Irreps([(3 * copies, (0, 1))]), [torch.sigmoid], gated)
        x = tensor((rows, module.irreps_in.dim), 1, grad)
        function = script(module)
        return lambda: function(x), [x]

    return make


def s2_activation(lmax, rows):
    def make(grad):
        irreps = o3.Irreps.spherical_harmonics(lmax)
        function = e3nn.nn.S2Activation(irreps, torch.tanh, (2 * (lmax + 1), 2 * lmax + 1))
        x = tensor((rows, irreps.dim), 1, grad)
        return lambda: function(x), [x]

    return make


def coupling_basis(irreps, ir, order):
    """All couplings of `order` copies of the irreps to ir: [2l + 1, dim, ..., dim, paths], the U of MACE."""
    found = [(term.ir, torch.eye(irreps.dim)[s]) for term, s in zip(irreps, irreps.slices())]
    for _ in range(order - 1):
        longer = []
        for left, coupling in found:
            for term, s in zip(irreps, irreps.slices()):
                for out in left * term.ir:
                    c = torch.zeros(out.dim, *coupling.shape[1:], irreps.dim)
                    c[..., s] = out.dim**0.5 * torch.einsum(
                        "j...,ijl->i...l", coupling, o3.wigner_3j(out.l, left.l, term.ir.l)
                    )
                    longer.append((out, c))
        found = sorted(longer, key=lambda pair: pair[0])
    return torch.stack([coupling for out, coupling in found if out == ir], dim=-1)


class Contraction(torch.nn.Module):
    """Products of up to `correlation` features of one channel, to one irrep, as mace.modules.symmetric_contraction
    contracts them (Batatia et al., arXiv 2206.07697): the couplings of the largest order with the weights of each
    node's element and one factor, then order by order with the next; each einsum optimised for ten nodes."""

    def __init__(self, irreps, ir, correlation, elements, channels):
        super().__init__()
        self.correlation = correlation
        paths = []
        for order in range(1, correlation + 1):
            basis = coupling_basis(irreps, ir, order)
            paths.append(basis.shape[-1])
            self.register_buffer(f"u{order}", basis.squeeze(0))
        self.paths = paths
        free, dim = "wxvnzrt", irreps.dim
        vector = min(ir.l, 1)
        x, y = torch.randn(10, channels, dim), torch.randn(10, elements)

        def optimized(equation, *examples):
            traced = torch.fx.symbolic_trace({
                2: lambda p, q: torch.einsum(equation, p, q),
                3: lambda p, q, r: torch.einsum(equation, p, q, r),
                4: lambda p, q, r, s: torch.einsum(equation, p, q, r, s),
            }[len(examples)])
            return torch.jit.script(optimize_einsums_full(traced, examples))

        weights = lambda order: torch.randn(elements, paths[order - 1], channels)
        basis = lambda order: getattr(self, f"u{order}")
        kept = free[: correlation + vector - 1]
        self.first = optimized(f"{kept}ik,ekc,bci,be->bc{kept}", basis(correlation), weights(correlation), x, y)
        self.weighting, self.features = torch.nn.ModuleList(), torch.nn.ModuleList()
        for order in range(correlation - 1, 0, -1):
            kept, left = free[: order + vector], free[: order + vector - 1]
            self.weighting.append(optimized(f"{kept}k,ekc,be->bc{kept}", basis(order), weights(order), y))
            example = torch.randn(10, channels, *[2 * ir.l + 1] * vector, *[dim] * order)
            self.features.append(optimized(f"bc{left}i,bci->bc{left}", example, x))

    def forward(self, x, y, weights):
        """x [nodes, channels, dim], y [nodes, elements], weights [elements, paths, channels] by order."""
        weights = weights.split(self.paths, dim=1)
        out = self.first(getattr(self, f"u{self.correlation}"), weights[-1], x, y)
        for weighting, features, order in zip(self.weighting, self.features, range(self.correlation - 1, 0, -1)):
            out = features(weighting(getattr(self, f"u{order}"), weights[order - 1], y) + out, x)
        return out.flatten(1)


def symmetric_contraction(channels, nodes, weight_grad):
    def make(grad):
        elements, irreps = 3, natural_irreps(1, 3)
        parts = [Contraction(irreps, ir, 3, elements, channels) for _, ir in natural_irreps(1, 1)]
        paths = [sum(part.paths) for part in parts]
        x = tensor((nodes, channels, irreps.dim), 1, grad)
        w = tensor((elements, sum(paths), channels), 2, grad and weight_grad)
        y = F.one_hot(torch.arange(nodes) % elements, elements).float()

        def function():
            return torch.cat([part(x, y, own) for part, own in zip(parts, w.split(paths, dim=1))], dim=1)

        return function, [x, w] if weight_grad else [x]

    return make


def gauss_grid(lmax):
    """Harmonics of degrees up to 2 lmax on a grid that products of two of lmax with one of them are exact on, and the
    weights of its points. (Those of e3nn end at degree 12.)"""
    from scipy.special import gammaln, lpmv

    t, weight = np.polynomial.legendre.leggauss(2 * lmax + 1)
    alpha = np.arange(4 * lmax + 1) * 2 * np.pi / (4 * lmax + 1)
    harmonics = []
    for l in range(2 * lmax + 1):
        for m in range(-l, l + 1):
            k = abs(m)
            norm = np.sqrt((2 * l + 1) / (4 * np.pi) * np.exp(gammaln(l - k + 1) - gammaln(l + k + 1)))
            around = np.sqrt(2) * np.sin(k * alpha) if m < 0 else np.sqrt(2) * np.cos(k * alpha) if m > 0 else alpha * 0 + 1
            harmonics.append(np.outer((-1) ** k * norm * lpmv(k, l, t), around).ravel())
    return torch.from_numpy(np.stack(harmonics, 1)), torch.from_numpy(np.repeat(weight, len(alpha)) * alpha[1])


def gaunt_grid(lmax, products):
    def make(grad):
        harmonics, weights = gauss_grid(lmax)
        to, back = harmonics[:, : (lmax + 1) ** 2].T.contiguous().float(), (harmonics * weights[:, None]).float()
        x, y = tensor((products, (lmax + 1) ** 2), 1, grad), tensor((products, (lmax + 1) ** 2), 2, grad)
        return lambda: ((x @ to) * (y @ to)) @ back, [x, y]

    return make


def gaunt_einsum(lmax, products):
    def make(grad):
        harmonics, weights = gauss_grid(lmax)
        some = harmonics[:, : (lmax + 1) ** 2]
        integrals = torch.einsum("p,pi,pj,pk->ijk", weights, some, some, harmonics).float()
        x, y = tensor((products, (lmax + 1) ** 2), 1, grad), tensor((products, (lmax + 1) ** 2), 2, grad)
        return lambda: torch.einsum("ni,nj,ijk->nk", x, y, integrals), [x, y]

    return make


def full_tensor_product(lmax, products):
    def make(grad):
        irreps = o3.Irreps.spherical_harmonics(lmax)
        function = script(o3.FullTensorProduct(irreps, irreps))
        x, y = tensor((products, irreps.dim), 1, grad), tensor((products, irreps.dim), 2, grad)
        return lambda: function(x, y), [x, y]

    return make


def layer(construct, nodes, edges, channels, sparse=False):
    """A torch_geometric layer on the random graph, called as its documentation says: layer(x, edge_index)."""

    def make(grad):
        torch.manual_seed(0)
        module = construct()
        graph = torch.from_numpy(inputs.random_edges(nodes, edges))
        if sparse:
            graph = csr(nodes, graph[0], graph[1], torch.ones(edges))
        x = tensor((nodes, channels), 1, grad)
        return lambda: module(x, graph), [x, *module.parameters()]

    return make


def edge_kinds(nodes, edges):
    """Number of the relation of each edge, [edges]: that of RGCNConv."""
    return (inputs.splitmix64(np.arange(edges, dtype=np.uint64) + np.uint64(1 << 50)) % np.uint64(8)).astype(np.int64)


def layer_with_edges(construct, nodes, edges, channels, values):
    """The same for a layer that takes values(nodes, edges, channels) of the edges, which get no gradient."""

    def make(grad):
        torch.manual_seed(0)
        module = construct()
        graph = torch.from_numpy(inputs.random_edges(nodes, edges))
        given = values(nodes, edges, channels)
        x = tensor((nodes, channels), 1, grad)
        return lambda: module(x, graph, given), [x, *module.parameters()]

    return make


def pna(nodes, edges, channels):
    degree = torch.bincount(torch.from_numpy(inputs.random_edges(nodes, edges))[1], minlength=nodes)
    kinds, scalers = ["mean", "min", "max", "std"], ["identity", "amplification", "attenuation"]
    return PNAConv(channels, channels, kinds, scalers, torch.bincount(degree))


def perceptron(channels, width):
    return Sequential(Linear(channels, width), ReLU(), Linear(width, width))


def hgt(nodes, edges, channels, heads):
    """The first half of the nodes is of type a, the second of type b."""

    def make(grad):
        torch.manual_seed(0)
        types = [("a", "to", "a"), ("a", "to", "b"), ("b", "to", "a"), ("b", "to", "b")]
        module = HGTConv(channels, channels, (["a", "b"], types), heads=heads)
        graph, half = torch.from_numpy(inputs.random_edges(nodes, edges)), nodes // 2
        kind = (graph[0] >= half) * 2 + (graph[1] >= half)
        edge_index = {t: graph[:, kind == k] % half for k, t in enumerate(types)}
        x = tensor((nodes, channels), 1, grad)

        def run():
            result = module({"a": x[:half], "b": x[half:]}, edge_index)
            return torch.cat([result["a"], result["b"]])

        return run, [x, *module.parameters()]

    return make


def neighbor_sampling(nodes, edges):
    """torch_geometric's loader in this process; without its compiled samplers it needs at least one of them."""

    def build():
        data = Data(edge_index=torch.from_numpy(inputs.random_edges(nodes, edges)), num_nodes=nodes)
        loader = NeighborLoader(data, num_neighbors=[15, 10], batch_size=1024, input_nodes=torch.arange(10 * 1024))
        return lambda: [batch.num_nodes for batch in loader]

    return build


def epoch(first, second, activation, dropout, rate, decay_first_only, sparse=False):
    def build():
        data = inputs.cora()
        torch.manual_seed(0)
        one, two = first(), second()
        one.train(), two.train()
        x, y, train = (torch.from_numpy(values) for values in (data.x, data.y, data.train))
        graph = torch.from_numpy(data.edge_index)
        if sparse:
            graph = csr(x.shape[0], graph[0], graph[1], torch.ones(graph.shape[1]))
        groups = [
            {"params": one.parameters(), "weight_decay": 5e-4},
            {"params": two.parameters(), "weight_decay": 0.0 if decay_first_only else 5e-4},
        ]
        adam = torch.optim.Adam(groups, lr=rate)

        def run():
            adam.zero_grad()
            h = activation(one(F.dropout(x, dropout), graph))
            out = two(F.dropout(h, dropout), graph)
            F.cross_entropy(out[train], y[train]).backward()
            adam.step()

        return run

    return build


def gcn_epoch(dropout=0.5, cached=False, sparse=False):
    first, second = lambda: GCNConv(1433, 16, cached=cached), lambda: GCNConv(16, 7, cached=cached)
    return epoch(first, second, F.relu, dropout, 0.01, True, sparse)


def gat_epoch(dropout=0.6):
    first = lambda: GATConv(1433, 8, heads=8, dropout=dropout)
    second = lambda: GATConv(64, 7, heads=1, concat=False, dropout=dropout)
    return epoch(first, second, F.elu, dropout, 0.005, False)


def cases():
    """Every entry, in the order of the docstring."""
    found = []
    for nodes, edges, channels in [(20_000, 300_000, 64), (200_000, 3_000_000, 64)]:
        size = f"{nodes}x{edges}x{channels}"
        for peer, make in [(TORCH_INDEX_ADD, spmm_index_add), (TORCH_SPARSE_MM, spmm_sparse)]:
            found += both(f"spmm/{size}", peer, make(nodes, edges, channels, False))
            found += both(f"spmm_weighted/{size}", peer, make(nodes, edges, channels, True))[1:]
    for n in (2**24, 2**16):
        found += both(f"chain/{n}", TORCH, chain(n))
    found += both("bias_gelu/4096x1024", TORCH, bias_gelu(4096, 1024))
    for rows, columns in [(4096, 1024), (20_000, 40), (20_000, 8)]:
        found += both(f"softmax/{rows}x{columns}", TORCH, row_function(torch.softmax, rows, columns))
        found += both(f"log_softmax/{rows}x{columns}", TORCH, row_function(torch.log_softmax, rows, columns))
    for m, k, n in [(512, 512, 512), (1024, 1024, 1024), (2708, 1433, 16)]:
        found += both(f"matmul/{m}x{k}x{n}", TORCH, matmul(m, k, n))
    for heads, n, depth in [(8, 1024, 64), (8, 512, 64), (8, 1024, 16), (8, 1024, 32), (8, 256, 64), (1, 4096, 64)]:
        size = f"h{heads}_n{n}_d{depth}"
        found += both(f"attention/{size}", TORCH_SDPA, scaled_attention(heads, n, depth, False))
        found += both(f"attention/{size}", TORCH_NAIVE, naive_attention(heads, n, depth))
        found += both(f"attention_causal/{size}", TORCH_SDPA, scaled_attention(heads, n, depth, True))
    for batch in (32, 256):
        for name, function in IMAGE_NORMS.items():
            found += both(f"{name}/{batch}x64x56x56", TORCH, image_norm(function, (batch, 64, 56, 56)))
    for rows, columns in [(4096, 1024), (65536, 1024)]:
        found += both(f"layer_norm/{rows}x{columns}", TORCH, row_norm(F.layer_norm, rows, columns))
        found += both(f"rms_norm/{rows}x{columns}", TORCH, row_norm(F.rms_norm, rows, columns))
    for name, function in [("silu", F.silu), ("gelu", F.gelu)]:
        found.append(Case(f"{name}/{2**24}", TORCH, lambda f=function: forward(lambda x=tensor((2**24,), 1): f(x))))
    for name, kernel, stride, groups, size in [
        ("conv3x3", 3, 1, 1, (32, 64, 56, 56, 64)),
        ("conv3x3_stride2", 3, 2, 1, (32, 64, 56, 56, 128)),
        ("conv1x1", 1, 1, 1, (32, 64, 56, 56, 256)),
        ("depthwise3x3", 3, 1, 64, (32, 64, 56, 56, 64)),
        ("conv3x3", 3, 1, 1, (64, 1, 8, 8, 16)),
        ("conv3x3", 3, 1, 1, (64, 16, 8, 8, 16)),
        ("conv3x3_stride2", 3, 2, 1, (64, 16, 8, 8, 32)),
        ("conv3x3", 3, 1, 1, (64, 32, 4, 4, 32)),
        ("conv1x1", 1, 1, 1, (64, 12, 8, 8, 48)),
        ("depthwise3x3", 3, 1, 48, (64, 48, 8, 8, 48)),
        ("conv1x1", 1, 1, 1, (64, 48, 8, 8, 12)),
        ("depthwise3x3", 3, 1, 80, (64, 80, 4, 4, 80)),
    ]:
        for suffix, memory_format in [("", torch.contiguous_format), ("_channels_last", torch.channels_last)]:
            full = f"{name}{suffix}/{'x'.join(map(str, size))}"
            found += both(full, TORCH, conv2d(size, kernel, stride, groups, memory_format))
    if o3 is not None:
        for lmax in (2, 3, 6):
            for name in ("spherical_harmonics/1000", "spherical_harmonics/100000", "spherical_harmonics_fused/102400"):
                found += both(f"{name}xl{lmax}", E3NN, spherical_harmonics(int(name.split("/")[1]), lmax))
        for shape in [(1, 3, 3, 32, 4000), (1, 3, 3, 64, 2000), (1, 3, 3, 128, 2000), (2, 3, 3, 32, 4000),
                      (2, 2, 2, 64, 2000), (3, 3, 3, 32, 4000)]:
            name = "convolution/l{}{}{}_c{}_e{}".format(*shape)
            found += both(name, E3NN, convolution(*shape))
            # weft makes the weights too; the peer is given them
            found += [Case("radial_" + case.name, case.peer, case.build)
                      for case in both(name, E3NN, convolution(*shape))]
        for copies in (32, 64, 128):
            found += both(f"so3_linear/c{copies}_n2000", E3NN, so3_linear(copies, 2000))
        found += both("fully_connected_tensor_product/c32_n2000", E3NN, fully_connected_tensor_product(32, 2000))
        for lmax in (1, 2, 3, 4, 6, 8):
            name = f"gaunt_product/l{lmax}_n10000"
            found += both(name, TORCH_GRID, gaunt_grid(lmax, 10_000))
            if lmax <= 4:
                found += both(name, TORCH_EINSUM, gaunt_einsum(lmax, 10_000))
                found += both(name, E3NN, full_tensor_product(lmax, 10_000))
        found += both("symmetric_contraction/c128_n100", MACE, symmetric_contraction(128, 100, True))
        found += [Case("symmetric_contraction_force/c128_n100", MACE, case.build)
                  for case in both("", MACE, symmetric_contraction(128, 100, False))[1:]]
        for copies in (32, 128):
            found += both(f"gate/c{copies}_n2000", E3NN, gate(copies, 2000))
        for lmax in (3, 6):
            found += both(f"s2_activation/l{lmax}_n20000", E3NN_EAGER, s2_activation(lmax, 20_000))
    if sphericart is not None:
        for lmax in (2, 3, 6):
            for points in (1000, 100_000):
                found += sphericart_harmonics(points, lmax)
    if torch_geometric is None:
        return found

    n, e, f = 20_000, 200_000, 64
    for name, attention in [("gat", GATConv), ("gatv2", GATv2Conv), ("transformer", TransformerConv)]:
        found += both(f"{name}/{n}x{e}/8x8", GEOMETRIC, layer(lambda a=attention: a(f, 8, heads=8), n, e, f))
    features = lambda nodes, edges, channels: tensor((edges, channels), 2)
    found += both(f"gine/{n}x{e}x{f}", GEOMETRIC,
                  layer_with_edges(lambda: GINEConv(perceptron(f, f)), n, e, f, features))
    found += both(f"edge_conv/{n}x{e}x{f}", GEOMETRIC, layer(lambda: EdgeConv(perceptron(2 * f, f)), n, e, f))
    found += both(f"pna/{n}x{e}x{f}", GEOMETRIC, layer(lambda: pna(n, e, f), n, e, f))
    relations = lambda nodes, edges, channels: torch.from_numpy(edge_kinds(nodes, edges))
    found += both(f"rgcn/{n}x{e}x{f}", GEOMETRIC,
                  layer_with_edges(lambda: RGCNConv(f, f, 8), n, e, f, relations))
    found += both(f"hgt/{n}x{e}/8x8", GEOMETRIC, hgt(n, e, f, 8))
    found.append(Case(f"neighbor_sampling/{n}x{e}", GEOMETRIC, neighbor_sampling(n, e)))
    found += both(f"gcn/{n}x{e}x{f}", GEOMETRIC, layer(lambda: GCNConv(f, f), n, e, f))
    found += both(f"gcn/{n}x{e}x{f}", GEOMETRIC_CACHED, layer(lambda: GCNConv(f, f, cached=True), n, e, f))
    found += both(f"gcn/{n}x{e}x{f}", GEOMETRIC_SPARSE, layer(lambda: GCNConv(f, f, cached=True), n, e, f, sparse=True))
    for reduce in ("mean", "max"):
        found += both(f"sage_{reduce}/{n}x{e}x{f}", GEOMETRIC, layer(lambda r=reduce: SAGEConv(f, f, aggr=r), n, e, f))
    found += both(f"sage_mean/{n}x{e}x{f}", GEOMETRIC_SPARSE, layer(lambda: SAGEConv(f, f), n, e, f, sparse=True))
    found += [
        Case("gcn_epoch/cora", GEOMETRIC, gcn_epoch()),
        Case("gcn_epoch/cora", GEOMETRIC_CACHED, gcn_epoch(cached=True)),
        Case("gcn_epoch/cora", GEOMETRIC_SPARSE, gcn_epoch(cached=True, sparse=True)),
        Case("gat_epoch/cora", GEOMETRIC, gat_epoch()),
        Case("gcn_epoch_without_dropout/cora", GEOMETRIC, gcn_epoch(dropout=0.0)),
        Case("gcn_epoch_without_dropout/cora", GEOMETRIC_CACHED, gcn_epoch(dropout=0.0, cached=True)),
        Case("gcn_epoch_without_dropout/cora", GEOMETRIC_SPARSE, gcn_epoch(dropout=0.0, cached=True, sparse=True)),
        Case("gat_epoch_without_dropout/cora", GEOMETRIC, gat_epoch(dropout=0.0)),
    ]
    return found


def measure(run, seconds=1.0, least=5, most=1000):
    """Times of one call, in seconds, and page faults per call: after four warm calls at least `least` samples and
    `seconds` in all. Calls shorter than a millisecond are timed several at a time."""
    for _ in range(4):
        start = time.perf_counter()
        run()
        once = time.perf_counter() - start
    calls = max(1, round(1e-3 / max(once, 1e-7)))
    samples, faults, began = [], page_faults(), time.perf_counter()
    while len(samples) < least or (len(samples) < most and time.perf_counter() - began < seconds):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        samples.append((time.perf_counter() - start) / calls)
    return samples, (page_faults() - faults) / (len(samples) * calls)


def probes(result):
    """Of each tensor of a result its product with random numbers, and its norm."""
    found = []
    for values in result if isinstance(result, tuple) else (result,):
        values = np.asarray(values).astype(np.float64).ravel()
        found.append((float(values @ inputs.uniform(values.shape, 98)), float(np.linalg.norm(values))))
    return found


def page_faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def keep_memory():
    """Makes glibc serve every block from its heap and never shrink it, and touches the heap's first 2 GiB."""
    library = ctypes.CDLL(None)
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    settings = [(mmap_max, 0), (trim_threshold, -1)]
    if not hasattr(library, "mallopt") or not all(library.mallopt(*setting) for setting in settings):
        raise RuntimeError("--allocator recycling needs the mallopt of glibc")
    library.malloc.restype = ctypes.c_void_p
    block = ctypes.c_void_p(library.malloc(ctypes.c_size_t(2**31)))
    if block.value:
        library.memset(block, 1, ctypes.c_size_t(2**31))
    library.free(block)


def work(sender, name, peer, threads, allocator, seconds):
    """The body of the fresh process of one entry."""
    if allocator == "recycling":
        keep_memory()
    torch.set_num_threads(threads)
    case = next(case for case in cases() if (case.name, case.peer) == (name, peer))
    run = case.build()
    samples, faults = measure(run, seconds)
    sender.send({
        "name": name,
        "peer": peer,
        "threads": threads,
        "allocator": allocator,
        "median": statistics.median(samples),
        "min": min(samples),
        "repeats": len(samples),
        "page_faults_per_call": round(faults, 1),
        "probes": probes(case.compared(run())) if case.peer in COMPARED else [],
    })


def entry(case, threads, allocator="default", seconds=1.0):
    """Builds and times one case in a fresh process. RuntimeError if that process fails; it has printed why."""
    # Spawned, not forked: in a forked child torch.softmax was measured 24 times slower than in a process of its own.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for what asks OpenMP, not torch
    process = context.Process(target=work, args=(sender, case.name, case.peer, threads, allocator, seconds))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{case.name} ({case.peer}) failed with exit code {process.exitcode}") from None
    finally:
        process.join()


def versions():
    """What is compared with, and how busy the machine is before: one line for the head of a table."""
    geometric = torch_geometric.__version__ if torch_geometric else "not found"
    machine = f"{torch.backends.cpu.get_cpu_capability()}, load average {os.getloadavg()[0]:.1f}"
    return f"torch {torch.__version__}, torch_geometric {geometric}, {machine}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1)")
    parser.add_argument("--filter", default="", help="regular expression searched in the names")
    parser.add_argument("--allocator", choices=[*ALLOCATORS, "both"], default="both", help="see above (default both)")
    parser.add_argument("--seconds", type=float, default=1.0, help="least time per entry (default 1)")
    parser.add_argument("--json", metavar="OUT", help="also write the entries to this file")
    options = parser.parse_args()

    if torch_geometric is None:
        print("torch_geometric was not found: its entries are left out", file=sys.stderr)
    source = inputs.cora().source
    print(f"{versions()}; epochs on: {source}")
    entries, failures = [], []
    for case in cases():
        if not re.search(options.filter, case.name):
            continue
        for allocator in ALLOCATORS if options.allocator == "both" else [options.allocator]:
            try:
                found = entry(case, options.threads, allocator, options.seconds)
            except RuntimeError as failure:
                failures.append(str(failure))
                continue
            entries.append(found)
            print(f"{case.name:41} {case.peer:23} {allocator:10} threads {options.threads}"
                  f"  median {found['median']:.3e} s  min {found['min']:.3e} s"
                  f"  ({found['repeats']} repeats, {found['page_faults_per_call']:.0f} faults per call)", flush=True)
    if options.json:
        with open(options.json, "w") as out:
            json.dump({"context": f"{versions()}; epochs on: {source}", "entries": entries}, out, indent=1)
    if failures:
        sys.exit("\n".join(failures))
    if not entries:
        sys.exit(f"no entry matches {options.filter!r}")


if __name__ == "__main__":
    main()
