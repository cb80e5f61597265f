# SPDX-License-Identifier: MIT
"""Writes the arrays beside this file with NumPy: values 0, 1, 2, ... of every type, byte order, layout and version."""
import io
import pathlib
import zipfile

import numpy as np

folder = pathlib.Path(__file__).parent


def values(dtype, shape):
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    if dtype[-2:] == "b1":
        return (x % 2).astype(dtype)
    if dtype[1] == "c":
        return (x - 1j * x).astype(dtype)
    return (-x if dtype[1] in "if" else x).astype(dtype)


for code in ["b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"]:
    for order, label in [("<", "little"), (">", "big")]:
        dtype = np.dtype(order + code)
        np.save(folder / f"{code}_{label}.npy", values(order + code, (2, 3)).astype(dtype))
np.save(folder / "fortran.npy", np.asfortranarray(values("<f4", (2, 3, 4))))
np.save(folder / "fortran_big.npy", np.asfortranarray(values(">c16", (3, 2))).astype(">c16"))
np.save(folder / "scalar.npy", values("<f8", ()) + 7)
np.save(folder / "empty.npy", values("<f8", (0, 3)))
np.save(folder / "rank4.npy", values("<i4", (2, 1, 3, 2)))
for version in [(2, 0), (3, 0)]:
    with open(folder / f"version{version[0]}.npy", "wb") as file:
        np.lib.format.write_array(file, values("<f4", (4,)), version=version)

arrays = {"a": values("<f4", (2, 3)), "b": values("<i8", (5,)), "sub/c": values("|b1", (4,))}
np.savez(folder / "stored.npz", **arrays)
np.savez_compressed(folder / "deflated.npz", **arrays)
zipfile.ZIP64_LIMIT = 0  # 64-bit fields wherever they may be
np.savez(folder / "zip64.npz", **arrays)
