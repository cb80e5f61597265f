# SPDX-License-Identifier: MIT
# usage: make_nequip.py <folder>, with nequip 0.6.1, e3nn 0.5.1, torch
"""Models of nequip with random parameters, and what they say of a few structures: see SOURCE.md."""
import json
import struct
import sys

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
from nequip.data import AtomicDataDict as keys
from nequip.model import model_from_config

NONE = np.zeros((3, 3))
ETHANOL = ([6, 6, 8, 1, 1, 1, 1, 1, 1],
           [[-0.9, -0.4, 0.1], [0.5, 0.2, -0.1], [1.4, -0.8, 0.2], [-1.0, -0.9, 1.05], [-1.65, 0.4, 0.05],
            [-1.05, -1.15, -0.7], [0.65, 0.6, -1.1], [0.6, 1.05, 0.6], [2.3, -0.45, 0.1]], NONE, [0, 0, 0])
WATER = ([8, 1, 1], [[0, 0, 0.12], [0.02, 0.76, -0.47], [0, -0.75, -0.45]], NONE, [0, 0, 0])
ATOM = ([6], [[0.3, 0.1, -0.2]], NONE, [0, 0, 0])
SLAB = ([6, 1, 8], [[0.1, 0.2, 0], [0.9, 0.9, 0.6], [2, 0.3, 1.1]], [[3.2, 0.1, 0], [0.3, 3.4, 0], [0, 0, 12]],
        [1, 1, 0])
TRICLINIC = ([6, 8], [[0.1, 0.2, 0], [1.3, 0.9, 0.8]], [[2.9, 0.1, 0.3], [0.5, 3.1, -0.2], [-0.4, 0.6, 2.8]],
             [1, 1, 1])


def save(path, tensors, metadata):
    names = {"float64": "F64", "int32": "I32", "uint8": "U8"}
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name, value in tensors.items():
        value = np.ascontiguousarray(value)
        header[name] = {"dtype": names[value.dtype.name], "shape": list(value.shape),
                        "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
        blobs.append(value.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def neighbours(x, cell, pbc, r_max):
    """Edges (centre, neighbour) and the cells between them, by brute force."""
    ranges = [range(-3, 4) if p else range(1) for p in pbc]
    edges, shifts = [], []
    for shift in np.array(np.meshgrid(*ranges, indexing="ij")).reshape(3, -1).T:
        for i in range(len(x)):
            for j in range(len(x)):
                if (i != j or shift.any()) and np.linalg.norm(x[j] + shift @ cell - x[i]) < r_max:
                    edges.append((i, j))
                    shifts.append(shift)
    return np.array(edges, int).reshape(-1, 2), np.array(shifts, float).reshape(-1, 3)


def make(name, seed, structures, symbols, o):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    their_name = {"shifted_softplus": "ssp"}
    functions = {k: their_name.get(o[k], o[k]) for k in ("even_scalars", "odd_scalars", "gates")}
    model = model_from_config({
        "model_builders": ["EnergyModel", "PerSpeciesRescale", "ForceOutput"],
        "chemical_symbols": symbols,
        "r_max": o["r_max"],
        "num_layers": o["num_layers"],
        "chemical_embedding_irreps_out": o["feature_irreps_hidden"].split("+")[0],
        "feature_irreps_hidden": o["feature_irreps_hidden"],
        "irreps_edge_sh": "+".join(f"{l}{'eo'[l % 2]}" for l in range(o["l_max"] + 1)),
        "conv_to_output_hidden_irreps_out": f"{o['output_features']}x0e",
        "nonlinearity_type": "gate",
        "nonlinearity_scalars": {"e": functions["even_scalars"], "o": functions["odd_scalars"]},
        "nonlinearity_gates": {"e": functions["gates"], "o": "abs"},
        "resnet": o["resnet"],
        "num_basis": o["num_bessels"],
        "BesselBasis_trainable": True,
        "PolynomialCutoff_p": o["polynomial_cutoff_p"],
        "invariant_layers": len(o["radial_mlp"]),
        "invariant_neurons": o["radial_mlp"][0],
        "avg_num_neighbors": o["avg_num_neighbors"],
        "use_sc": True,
        "per_species_rescale_scales": o["per_type_energy_scales"],
        "per_species_rescale_shifts": o["atomic_energies"],
        "per_species_rescale_arguments_in_dataset_units": True,
    }, initialize=True)
    model.train()  # so that forces can be differentiated
    parameters = {n[n.index("func.") + len("func."):]: p for n, p in model.named_parameters()}
    with torch.no_grad():  # as if it had been trained
        bessel_weights = parameters["radial_basis.basis.bessel_weights"]
        bessel_weights += 0.01 * torch.randn_like(bessel_weights)

    z = np.concatenate([s[0] for s in structures])
    x = torch.tensor(np.concatenate([np.array(s[1], float) for s in structures]), requires_grad=True)
    cells = np.array([s[2] for s in structures], float)
    pbc = np.array([s[3] for s in structures])
    sizes = [len(s[0]) for s in structures]
    ptr = np.concatenate([[0], np.cumsum(sizes)])
    lists = [neighbours(np.array(s[1], float), cells[g], s[3], o["r_max"]) for g, s in enumerate(structures)]
    out = model({
        keys.POSITIONS_KEY: x,
        keys.EDGE_INDEX_KEY: torch.tensor(np.concatenate([e + ptr[g] for g, (e, _) in enumerate(lists)]).T),
        keys.EDGE_CELL_SHIFT_KEY: torch.tensor(np.concatenate([s for _, s in lists])),
        keys.CELL_KEY: torch.tensor(cells),
        keys.PBC_KEY: torch.tensor(pbc, dtype=torch.bool),
        keys.ATOM_TYPE_KEY: torch.tensor([o["atomic_numbers"].index(n) for n in z]).reshape(-1, 1),
        keys.BATCH_KEY: torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)),
        "ptr": torch.tensor(ptr),
    })
    energy, forces = out[keys.TOTAL_ENERGY_KEY].reshape(-1), out[keys.FORCE_KEY]
    ref_energy = energy.detach() + torch.tensor(rng.normal(size=len(sizes)))
    ref_forces = forces.detach() + torch.tensor(rng.normal(size=forces.shape))
    energy_weight, forces_weight = 1.0, 10.0
    loss = (energy_weight * (((energy - ref_energy) / torch.tensor(sizes)) ** 2).mean()
            + forces_weight * ((forces - ref_forces) ** 2).mean())
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)

    save(f"{sys.argv[1]}/{name}.safetensors", {k: p.detach().numpy() for k, p in parameters.items()},
         {"config": json.dumps({"model": "NequIP", "scalars_last": False} | o)})
    tensors = {
        "positions": x.detach().numpy(), "atomic_numbers": z.astype(np.int32), "ptr": ptr.astype(np.int32),
        "cell": cells, "pbc": pbc.astype(np.uint8),
        "energy": energy.detach().numpy(), "forces": forces.detach().numpy(),
        "node_energy": out[keys.PER_ATOM_ENERGY_KEY].reshape(-1).detach().numpy(),
        "ref_energy": ref_energy.numpy(), "ref_forces": ref_forces.numpy(), "loss": np.array([loss.item()]),
        "energy_weight": np.array([energy_weight]), "forces_weight": np.array([forces_weight]),
    }
    for (key, p), gradient in zip(parameters.items(), gradients):
        tensors["grad." + key] = (torch.zeros_like(p) if gradient is None else gradient).numpy()
    save(f"{sys.argv[1]}/{name}_structures.safetensors", tensors, {})


make("nequip_a", 1, [ETHANOL, WATER, ATOM, SLAB], ["H", "C", "O"], {
    "atomic_numbers": [1, 6, 8], "r_max": 4.0, "num_layers": 4, "l_max": 2,
    "feature_irreps_hidden": "4x0e+3x0o+2x1o+3x1e+2x2e+2x2o", "resnet": False, "num_bessels": 8,
    "polynomial_cutoff_p": 6, "radial_mlp": [8, 8], "avg_num_neighbors": 7.3, "even_scalars": "silu",
    "odd_scalars": "tanh", "gates": "silu", "output_features": 3, "per_type_energy_scales": [1.3, 0.7, 1.1],
    "atomic_energies": [-13.5, -1029.2, -2041.8]})
make("nequip_b", 2, [TRICLINIC], ["C", "O"], {
    "atomic_numbers": [6, 8], "r_max": 3.5, "num_layers": 4, "l_max": 1, "feature_irreps_hidden": "5x0e+3x1o",
    "resnet": True, "num_bessels": 5, "polynomial_cutoff_p": 5, "radial_mlp": [6], "avg_num_neighbors": 9.0,
    "even_scalars": "shifted_softplus", "odd_scalars": "abs", "gates": "tanh", "output_features": 2,
    "per_type_energy_scales": [0.9, 1.2], "atomic_energies": [0.5, -0.25]})
