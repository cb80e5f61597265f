# SPDX-License-Identifier: MIT
"""Makes, evaluates and times MACE potentials with MACE itself (mace-torch), eager and scripted, on the CPU.

    python3 -m venv mace && mace/bin/pip install mace-torch safetensors
    mace/bin/python bench/peers/mace_potential.py make c128.safetensors --hidden-irreps 128x0e+128x1o --max-ell 3
    mace/bin/python bench/peers/mace_potential.py cell cell500.xyz --atoms 500
    mace/bin/python bench/peers/mace_potential.py record c128.safetensors cell500.xyz c128_cell500.safetensors
    mace/bin/python bench/peers/mace_potential.py time c128.safetensors cell500.xyz --threads 1 2 --dtype float32

A model file has the state dict of the model, without what follows from its configuration (couplings, masks, radii), and
in the metadata `config` the configuration. A system is an extxyz file; --frames is how many are taken, as one batch.

make    a model with the random weights that MACE starts from; an option for each entry of its configuration.
        With use_reduced_cg, which needs cuequivariance-torch, the file also has the couplings, which are of that basis.
cell    a periodic cubic lattice of 50 neighbors in 5 Angstrom, whose atoms are moved from their places, of H, C and O.
record  what the model makes of a system, all in float64: energies, forces, virials, stress, with --activations also the
        tensors on the way (`act.`), with --loss ENERGY FORCES also the loss of these weights against the energy and
        forces of the file and its gradient of every parameter (`grad.`).
time    a JSON line {name, threads, dtype, mode, median_ms, min_ms, cpu_ms, repeats, atoms, edges} of the energy and the
        forces, and with --training of a training step: energy, forces, their weighted loss, its gradient and Adam's
        step. `mode` is the faster of `eager` and `scripted` (e3nn.util.jit.compile), and `others_ms` has the medians of
        the other. `cpu_ms` is the median of the processor time of all threads: with one thread what a call takes where
        nothing else runs. The list of neighbors is made before and not timed. See peers.py about --allocator.
"""

import argparse
import copy
import json
import statistics
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore", category=FutureWarning, message=".*torch.jit")
warnings.filterwarnings("ignore", category=UserWarning, message="The TorchScript type system")
warnings.filterwarnings("ignore", category=UserWarning, message=".*TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")

import ase
import ase.io
import numpy as np
import safetensors
import safetensors.torch
import torch
from mace import data, modules, tools  # before e3nn, whose release that it asks for else fails to load its constants
from mace.modules.wrapper_ops import CUET_AVAILABLE
from e3nn import o3
from e3nn.util.jit import compile as jit_compile

import inputs
import peers

# The entries that a file need not have say what MACE does without them.
OPTIONAL = {"pair_repulsion": False, "distance_transform": "None", "use_reduced_cg": False}
DEFAULTS = {
    "model": "ScaleShiftMACE",
    "atomic_numbers": [1, 6, 8],
    "r_max": 5.0,
    "num_bessel": 8,
    "num_polynomial_cutoff": 5,
    "max_ell": 3,
    "interaction": "RealAgnosticResidualInteractionBlock",
    "interaction_first": "RealAgnosticResidualInteractionBlock",
    "num_interactions": 2,
    "hidden_irreps": "128x0e+128x1o",
    "MLP_irreps": "16x0e",
    "atomic_energies": [-13.6, -1029.5, -2042.0],
    "avg_num_neighbors": 50.0,
    "correlation": 3,
    "radial_MLP": [64, 64, 64],
    "scale": 1.0,
    "shift": 0.0,
    **OPTIONAL,
}
FOLLOWS_FROM_CONFIG = ("output_mask", "_w3j_", "_zeroed", "covalent_radii", "U_matrix_")


def build(config):
    """A float64 model of a configuration."""
    torch.set_default_dtype(torch.float64)
    arguments = {**OPTIONAL, **config}
    if arguments["use_reduced_cg"] and not CUET_AVAILABLE:  # MACE then silently takes the full basis
        raise RuntimeError("use_reduced_cg needs cuequivariance-torch")
    scale_shift = {"atomic_inter_" + key: arguments.pop(key) for key in ("scale", "shift") if key in arguments}
    model = getattr(modules, arguments.pop("model"))
    if model is modules.ScaleShiftMACE:
        arguments |= scale_shift
    for key in ("interaction", "interaction_first"):
        arguments[key.replace("interaction", "interaction_cls")] = modules.interaction_classes[arguments.pop(key)]
    for key in ("hidden_irreps", "MLP_irreps"):
        arguments[key] = o3.Irreps(arguments[key])
    arguments["atomic_energies"] = np.array(arguments["atomic_energies"])
    return model(num_elements=len(config["atomic_numbers"]), gate=torch.nn.functional.silu, **arguments)


def state(model, config, dtype=torch.float64):
    """The entries of a state dict that belong in a file: the parameters in `dtype`; scalars have one element there."""
    follows = FOLLOWS_FROM_CONFIG[:-1] if config.get("use_reduced_cg") else FOLLOWS_FROM_CONFIG
    parameters = {name for name, _ in model.named_parameters()}
    return {
        name: values.to(dtype if name in parameters else values.dtype).reshape(values.shape or (1,)).contiguous()
        for name, values in model.state_dict().items()
        if values.numel() and not any(part in name for part in follows)
    }


def read_model(path, dtype):
    """The model of a file, and its configuration. RuntimeError if a tensor is missing, superfluous or of another shape.
    Makes `dtype` torch's default type: MACE computes some terms in that, whatever the model's type is."""
    with safetensors.safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
        stored = {name: file.get_tensor(name) for name in file.keys()}
    model = build(config)
    expected = set(state(model, config))
    if set(stored) != expected:
        raise RuntimeError(f"{path}: these tensors differ from the model's: {sorted(set(stored) ^ expected)}")
    own = model.state_dict()
    model.load_state_dict({**own, **{name: values.reshape(own[name].shape) for name, values in stored.items()}})
    torch.set_default_dtype(dtype)
    return model.to(dtype), config


def read_frames(path, count):
    """The first `count` configurations of a file, or all; None takes all."""
    return ase.io.read(path, slice(count))


def batch_of(frames, config):
    """MACE's batch of configurations, in the default type. Energy and forces that a file lacks are zero."""
    for frame in frames:
        results = frame.calc.results if frame.calc else {}
        frame.info["energy"] = results.get("energy", 0.0)
        frame.arrays["forces"] = results.get("forces", np.zeros((len(frame), 3)))
    keys = data.KeySpecification(info_keys={"energy": "energy"}, arrays_keys={"forces": "forces"})
    table = tools.AtomicNumberTable(config["atomic_numbers"])
    graphs = [data.AtomicData.from_config(data.config_from_atoms(frame, keys), table, config["r_max"])
              for frame in frames]
    return next(iter(tools.torch_geometric.dataloader.DataLoader(graphs, batch_size=len(graphs))))


def tensors_of(batch):
    """What a model is given: its own copy, since it replaces positions by strained ones."""
    return {name: values.clone() for name, values in batch.to_dict().items() if torch.is_tensor(values)}


def make(options):
    config = {key: getattr(options, key) for key in DEFAULTS}
    config = {key: value for key, value in config.items() if key not in OPTIONAL or value != OPTIONAL[key]}
    if config["model"] != "ScaleShiftMACE":
        del config["scale"], config["shift"]
    torch.manual_seed(options.seed)
    metadata = {"config": json.dumps(config),
                "format": f"MACE state_dict; parameters {options.dtype}, constants float64"}
    safetensors.torch.save_file(state(build(config), config, getattr(torch, options.dtype)), options.file, metadata)


def cell(options):
    edge = (4 / 3 * np.pi * 5.0**3 / 50) ** (1 / 3)
    count = options.atoms
    sides = min(((a, b, count // (a * b)) for a in range(1, count + 1) if count % a == 0
                 for b in range(1, count // a + 1) if count // a % b == 0), key=sum)
    places = np.stack(np.meshgrid(*map(np.arange, sorted(sides)), indexing="ij"), axis=-1).reshape(-1, 3)
    moved = edge * (places + 0.12 * inputs.uniform((count, 3)).astype(np.float64))
    numbers = np.array([1, 6, 8])[inputs.splitmix64(np.arange(count, dtype=np.uint64)) % np.uint64(3)]
    atoms = ase.Atoms(numbers, moved, cell=edge * np.array(sorted(sides)), pbc=True)
    ase.io.write(options.file, atoms, format="extxyz")


def record_activations(model, found):
    """Makes `model` put the tensors it computes on the way into `found`."""

    def watch(name, module):
        def hook(module, arguments, result):
            for suffix, values in enumerate(result) if isinstance(result, tuple) else [(None, result)]:
                if values is not None:
                    found[f"act.{name}" if suffix is None else f"act.{name}.{suffix}"] = values

        module.register_forward_hook(hook)

    watch("node_embedding", model.node_embedding)
    watch("edge_sh", model.spherical_harmonics)
    watch("edge_radial", model.radial_embedding)
    if hasattr(model.radial_embedding, "distance_transform"):
        watch("edge_transformed_r", model.radial_embedding.distance_transform)
    if hasattr(model, "pair_repulsion_fn"):
        watch("pair_node_energy", model.pair_repulsion_fn)
    for t, (interaction, product) in enumerate(zip(model.interactions, model.products)):
        for name in ("skip_tp", "linear_up", "conv_tp_weights", "linear"):
            watch(f"int{t}.{name}", getattr(interaction, name))
        watch(f"int{t}.out", interaction)
        watch(f"prod{t}.symcon", product.symmetric_contractions)
        watch(f"prod{t}.out", product)
    for t, readout in enumerate(model.readouts):
        watch(f"readout{t}", readout)


def record(options):
    model, config = read_model(options.model, torch.float64)
    frames = read_frames(options.system, options.frames)
    batch = batch_of(frames, config)
    found = {
        "positions": batch.positions,
        "atomic_numbers": torch.from_numpy(np.concatenate([frame.numbers for frame in frames])).int(),
        "ptr": batch.ptr.int(),
        "pbc": torch.tensor(np.array([frame.pbc for frame in frames])).to(torch.uint8),
        "cell": torch.tensor(np.array([frame.cell.array for frame in frames])),
        "cell_used": batch.cell.view(-1, 3, 3),
    }
    metadata = {"model": Path(options.model).stem, "note": "forces eV/A, stress eV/A^3"}
    if options.loss:
        output = model(tensors_of(batch), training=True)
        loss = modules.WeightedEnergyForcesLoss(*options.loss)(batch, output)
        loss.backward()
        found |= {
            "ref_energy": batch.energy,
            "ref_forces": batch.forces,
            "loss": loss.view(1),
            "energy_weight": torch.tensor([options.loss[0]], dtype=torch.float64),
            "forces_weight": torch.tensor([options.loss[1]], dtype=torch.float64),
            "energy": output["energy"],
            "forces": output["forces"],
        }
        found |= {f"grad.{name}": parameter.grad for name, parameter in model.named_parameters()
                  if parameter.numel() and parameter.grad is not None}
    else:
        found |= {"edge_index": batch.edge_index.int(), "unit_shifts": batch.unit_shifts.int()}
        activations = {}
        if options.activations:
            record_activations(model, activations)
        output = model(tensors_of(batch), compute_virials=True, compute_stress=True)
        results = ("energy", "node_energy", "forces", "virials", "stress", "node_feats", "interaction_energy")
        found |= {name: output[name] for name in results if name in output} | activations
    found = {name: values.detach().clone().contiguous() for name, values in found.items()}
    safetensors.torch.save_file(found, options.file, metadata)


def energy_and_forces(model, batch):
    """The function to time. The gradients of the parameters are turned off, as MACE's calculator does."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    given = tensors_of(batch)

    def run():
        output = model(given, training=False, compute_force=True)
        return output["energy"], output["forces"]

    return run


def training_step(model, batch):
    """The function to time."""
    adam = torch.optim.Adam(model.parameters(), lr=0.01, amsgrad=True)
    loss_of = modules.WeightedEnergyForcesLoss(1.0, 100.0)
    given = tensors_of(batch)

    def run():
        adam.zero_grad(set_to_none=True)
        loss = loss_of(batch, model(given, training=True, compute_force=True))
        loss.backward()
        adam.step()
        return loss.item()

    return run


def measure(run, options):
    """Times of one call and processor times of one call, in seconds."""
    processor = []

    def watched():
        begin = time.process_time()
        run()
        processor.append(time.process_time() - begin)

    samples, _ = peers.measure(watched, options.seconds, options.repeats)
    return samples, processor[-len(samples):]


def time_model(options):
    if options.allocator == "recycling":
        peers.keep_memory()
    frames = read_frames(options.system, options.frames)
    what, function = ("training", training_step) if options.training else ("energy_forces", energy_and_forces)
    name = f"{what}/{Path(options.model).stem}/{Path(options.system).stem}_b{len(frames)}"
    for dtype in options.dtype:
        model, config = read_model(options.model, getattr(torch, dtype))
        batch = batch_of(frames, config)
        for threads in options.threads:
            torch.set_num_threads(threads)
            found = {}
            for mode in options.mode:
                ours = copy.deepcopy(model)
                try:
                    run = function(ours if mode == "eager" else jit_compile(ours), batch)
                    found[mode] = measure(run, options)
                except RuntimeError as failure:
                    print(f"{name}, {mode}: {failure}", file=sys.stderr)
            if not found:
                sys.exit(f"{name}: no mode works")
            medians = {mode: 1e3 * statistics.median(samples) for mode, (samples, _) in found.items()}
            best = min(medians, key=medians.get)
            samples, processor = found[best]
            print(json.dumps({
                "name": name,
                "threads": threads,
                "dtype": dtype,
                "allocator": options.allocator,
                "mode": best,
                "median_ms": round(medians[best], 3),
                "min_ms": round(1e3 * min(samples), 3),
                "cpu_ms": round(1e3 * statistics.median(processor), 3),
                "repeats": len(samples),
                "others_ms": {mode: round(median, 3) for mode, median in medians.items() if mode != best},
                "atoms": batch.positions.shape[0],
                "edges": batch.edge_index.shape[1],
            }), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("make", help="write a model with random weights")
    command.set_defaults(run=make)
    command.add_argument("file")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    for key, value in DEFAULTS.items():
        command.add_argument("--" + key.replace("_", "-"), dest=key, default=value, metavar="VALUE",
                             type=str if isinstance(value, str) else json.loads, help=f"default {json.dumps(value)}")

    command = commands.add_parser("cell", help="write a periodic system")
    command.set_defaults(run=cell)
    command.add_argument("file")
    command.add_argument("--atoms", type=int, default=500)

    command = commands.add_parser("record", help="write what a model makes of a system")
    command.set_defaults(run=record)
    for name in ("model", "system", "file"):
        command.add_argument(name)
    command.add_argument("--frames", type=int)
    command.add_argument("--activations", action="store_true")
    command.add_argument("--loss", type=float, nargs=2, metavar=("ENERGY", "FORCES"))

    command = commands.add_parser("time", help="time a model on a system")
    command.set_defaults(run=time_model)
    command.add_argument("model")
    command.add_argument("system")
    command.add_argument("--frames", type=int, default=1)
    command.add_argument("--training", action="store_true")
    command.add_argument("--threads", type=int, nargs="+", default=[1])
    command.add_argument("--dtype", choices=["float32", "float64"], nargs="+", default=["float32"])
    command.add_argument("--mode", choices=["eager", "scripted"], nargs="+", default=["eager", "scripted"])
    command.add_argument("--allocator", choices=peers.ALLOCATORS, default="default")
    command.add_argument("--seconds", type=float, default=1.0, help="least time of a measurement")
    command.add_argument("--repeats", type=int, default=5, help="least repeats of a measurement")

    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
