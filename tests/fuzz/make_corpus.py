# SPDX-License-Identifier: MIT
"""Writes the files that the readers of weft/io must accept (good_*) or refuse (bad_*) to corpus/<fuzzer>/."""
import io
import json
import pathlib
import struct
import zipfile
import zlib

corpus = pathlib.Path(__file__).parent / "corpus"


def put(fuzzer, name, data):
    folder = corpus / fuzzer
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def raw(header, data=b"", length=None):
    header = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def st(tensors, data=b"", metadata=None):
    header = ({"__metadata__": metadata} if metadata is not None else {}) | tensors
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return raw(text + b" " * (-len(text) % 8), data)


f4 = struct.pack("<f", 1.5)
one = tensor("F32", [1], 0, 4)
text = json.dumps
good = {
    "empty": raw("{}"),
    "one": st({"a": one}, f4),
    "metadata": st({"a": one}, f4, {"k": 'v"\\\n\u00e9\U0001f600'}),
    "unpadded": raw('{"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"F32","shape":[],"data_offsets":[2,6]}}', b"\1\2" + f4),
    "unordered": st({"b": tensor("F32", [1], 4, 8), "a": one}, f4 + f4),
    "no_elements": st({"a": tensor("F64", [0, 7], 0, 0), "b": one, "c": tensor("BOOL", [0], 4, 4)}, f4),
    "types": st({t: tensor(t, [1], i * 8, i * 8 + 8) for i, t in enumerate(["I64", "U64", "F64", "C64"])}, bytes(32)),
    "unknown_field": raw('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"note":[1,-2.5e3,{"x":null},true,false]}}', f4),
    "huge_number": raw('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"note":9e694275900}}', f4),
    "escapes": raw('{"\\u0061\\ud83d\\ude00\\n\\/":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', f4),
    "white_space": raw(' {\t"a" : { "dtype":"F32",\r\n"shape":[ 1 ] , "data_offsets":[0 , 4] } } ', f4),
    "rank9": st({"a": tensor("F32", [1] * 9, 0, 4)}, f4),
    "bool2": st({"a": tensor("BOOL", [3], 0, 3)}, b"\0\1\2"),
}
bad = {
    "nothing": b"",
    "seven_bytes": b"\2\0\0\0\0\0\0",
    "header_past_end": raw("{}", length=3),
    "header_huge": raw("{}", length=2**63),
    "header_over_100mb": raw("{}", length=100_000_001),
    "header_empty": raw(""),
    "truncated_header": raw('{"a":{"dtype":"F32","shape":[1],"data_offs'),
    "truncated_data": st({"a": one}, f4[:3]),
    "trailing_data": st({"a": one}, f4 + b"\0"),
    "trailing_json": raw('{}{}'),
    "not_object": raw("[]"),
    "deep_arrays": raw('{"a":{"x":' + "[" * 100000),
    "deep_objects": raw('{"a":{"x":' + '{"x":' * 100000),
    "overlap": st({"a": tensor("F32", [2], 0, 8), "b": tensor("F32", [2], 4, 12)}, bytes(12)),
    "same_range": st({"a": one, "b": one}, f4),
    "hole": st({"a": one, "b": tensor("F32", [1], 8, 12)}, bytes(12)),
    "hole_at_start": st({"a": tensor("F32", [1], 4, 8)}, bytes(8)),
    "reversed": st({"a": tensor("F32", [1], 4, 0)}, f4),
    "past_end": st({"a": tensor("F32", [100], 0, 400)}, f4),
    "huge_offset": st({"a": tensor("F32", [1], 2**62, 2**62 + 4)}, f4),
    "offset_over_64_bits": st({"a": tensor("F32", [1], 0, 2**64 + 4)}, f4),
    "size_mismatch": st({"a": tensor("F32", [2], 0, 4)}, f4),
    "dtype_mismatch": st({"a": tensor("F64", [1], 0, 4)}, f4),
    "product_wraps_to_0": st({"a": tensor("F32", [2**32, 2**32], 0, 0)}),
    "product_wraps_to_4": st({"a": tensor("F32", [2**62 + 1, 1], 0, 4)}, f4),
    "product_overflow_empty": st({"a": tensor("F32", [2**62, 2**62, 0], 0, 0)}),
    "negative_shape": st({"a": tensor("F32", [-1], 0, 4)}, f4),
    "two_negative": st({"a": tensor("F32", [-1, -1], 0, 4)}, f4),
    "fraction_shape": raw('{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', f4),
    "exponent_shape": raw('{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}', f4),
    "leading_zero": raw('{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}', f4),
    "string_shape": raw('{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}', f4),
    "shape_not_array": raw('{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}', f4),
    "three_offsets": raw('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}', f4),
    "one_offset": raw('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}', f4),
    "no_dtype": raw('{"a":{"shape":[1],"data_offsets":[0,4]}}', f4),
    "no_shape": raw('{"a":{"dtype":"F32","data_offsets":[0,4]}}', f4),
    "unknown_dtype": st({"a": tensor("F8_E4M3", [4], 0, 4)}, f4),
    "dtype_c128": st({"a": tensor("C128", [1], 0, 16)}, bytes(16)),
    "dtype_lower_case": st({"a": tensor("f32", [1], 0, 4)}, f4),
    "dtype_number": raw('{"a":{"dtype":1,"shape":[1],"data_offsets":[0,4]}}', f4),
    "duplicate_name": raw('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', f4 + f4),
    "duplicate_escaped": raw('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', f4 + f4),
    "duplicate_field": raw('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', f4),
    "metadata_number": raw('{"__metadata__":{"a":1}}'),
    "metadata_null": raw('{"__metadata__":null}'),
    "bad_utf8": raw(b'{"\xff":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', f4),
    "overlong_utf8": raw(b'{"\xc0\xaf":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', f4),
    "surrogate_utf8": raw(b'{"\xed\xa0\x80":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', f4),
    "cut_utf8": raw(b'{"\xe2\x82":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', f4),
    "too_high_utf8": raw(b'{"\xf4\x90\x80\x80":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', f4),
    "half_surrogate": raw('{"\\ud83d":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', f4),
    "swapped_surrogates": raw('{"\\ude00\\ud83d":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', f4),
    "bad_escape": raw('{"\\x":1}'),
    "bad_hex": raw('{"\\u00g0":1}'),
    "control_character": raw(b'{"a\nb":1}'),
    "zero_in_name": raw(b'{"a\0b":1}'),
    "byte_order_mark": raw(b"\xef\xbb\xbf{}"),
    "comment": raw("{/**/}"),
    "trailing_comma": raw('{"a":{"dtype":"F32","shape":[1,],"data_offsets":[0,4]}}', f4),
    "single_quotes": raw("{'a':1}"),
    "missing_colon": raw('{"a" 1}'),
    "not_a_number": raw('{"a":{"x":NaN}}'),
    "word": raw('{"a":{"x":nul}}'),
    "minus_only": raw('{"a":{"x":-}}'),
    "long_name": raw('{"' + "\u00e9" * 5000 + '":{"dtype":"F32"}}'),
}
for name, data in good.items():
    put("safetensors", "good_" + name, data)
for name, data in bad.items():
    if len(data) > 20000:
        data = data[: 8 + 10 + 2000]
        data = struct.pack("<Q", len(data) - 8) + data[8:]
    put("safetensors", "bad_" + name, data)


def npy(header, data=b"", version=1, length=None, minor=0):
    header = header if isinstance(header, bytes) else header.encode()
    size = len(header) if length is None else length
    return b"\x93NUMPY" + bytes([version, minor]) + struct.pack("<H" if version == 1 else "<I", size) + header + data


def head(descr="<f4", order="False", shape="(1,)"):
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n"


npy_good = {
    "one": npy(head(), f4),
    "version2": npy(head(), f4, 2),
    "version3": npy(head(), f4, 3),
    "unordered": npy("{'shape':(1,),'fortran_order':False,'descr':\"<f4\"}", f4),
    "python2": npy(head(shape="(1L,)"), f4),
    "scalar": npy(head(shape="()"), f4),
    "fortran": npy(head(">i2", "True", "(2, 3)"), bytes(range(12))),
    "empty": npy(head("<c16", "True", "(0, 3)")),
    "bool2": npy(head("|b1"), b"\2"),
}
npy_bad = {
    "nothing": b"",
    "magic": b"\x93NUMPX" + npy(head(), f4)[6:],
    "magic_only": b"\x93NUMPY",
    "cut_length": b"\x93NUMPY\2\0\1\0",
    "version0": npy(head(), f4, 0),
    "version4": npy(head(), f4, 4),
    "minor": npy(head(), f4, minor=1),
    "header_past_end": npy(head(), length=9999),
    "header_huge": npy(head(), version=2, length=2**32 - 1),
    "header_empty": npy(""),
    "truncated_data": npy(head(), f4[:3]),
    "trailing_data": npy(head(), f4 + b"\0"),
    "object": npy(head("|O"), bytes(8)),
    "structured": npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", f4),
    "text": npy(head("<U1"), f4),
    "void": npy(head("|V4"), f4),
    "no_byte_order": npy(head("|f4"), f4),
    "descr_empty": npy(head(""), f4),
    "negative_shape": npy(head(shape="(-1,)"), f4),
    "two_negative": npy(head(shape="(-1, -1)"), f4),
    "product_wraps_to_0": npy(head(shape="(4294967296, 4294967296)")),
    "product_overflow_empty": npy(head(shape="(4611686018427387904, 4611686018427387904, 0)")),
    "extent_over_64_bits": npy(head(shape="(18446744073709551617,)"), f4),
    "shape_claims_more": npy(head(shape="(1000000000000,)"), f4),
    "tuple_of_one": npy(head(shape="(1)"), f4),
    "shape_list": npy(head(shape="[1]"), f4),
    "shape_fraction": npy(head(shape="(1.0,)"), f4),
    "order_number": npy(head(order="0"), f4),
    "no_shape": npy("{'descr': '<f4', 'fortran_order': False, }", f4),
    "key_twice": npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", f4),
    "unknown_key": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", f4),
    "trailing_header": npy(head() + "x", f4),
    "string_without_end": npy("{'descr: 1}"),
    "escape": npy("{'d\\\\x65scr': '<f4', 'fortran_order': False, 'shape': (1,), }", f4),
    "not_dictionary": npy("[]"),
    "call": npy("__import__('os')"),
}
for name, data in npy_good.items():
    put("npy", "good_" + name, data)
for name, data in npy_bad.items():
    put("npy", "bad_" + name, data)


def archive(entries, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in entries:
            z.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def patched(data, *patches):
    """Patches are (marker, offset from its last place, bytes)."""
    data = bytearray(data)
    for marker, offset, new in patches:
        at = data.rindex(marker) + offset
        data[at : at + len(new)] = new
    return bytes(data)


LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
array = npy_good["one"]
plain = archive([("a.npy", array)])
packed = archive([("a.npy", array)], zipfile.ZIP_DEFLATED)
wide = io.BytesIO()
with zipfile.ZipFile(wide, "w") as z:
    limit, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 0
    with z.open(zipfile.ZipInfo("a.npy"), "w", force_zip64=True) as entry:
        entry.write(array)
wide = wide.getvalue()
zipfile.ZIP64_LIMIT = limit
u4 = lambda x: struct.pack("<I", x)
u8 = lambda x: struct.pack("<Q", x)
npz_good = {
    "none": archive([]),
    "one": plain,
    "two": archive([("a.npy", array), ("b.npy", npy_good["fortran"]), ("readme.txt", b"text")]),
    "deflated": packed,
    "zip64": wide,
    "comment": patched(plain, (END, 20, b"\3\0")) + b"abc",
    "prefix_of_name": archive([("a.npy.npy", array)]),
}
# Refused when it is opened.
npz_bad = {
    "nothing": b"",
    "no_end": plain[:-22],
    "truncated": plain[:-1],
    "directory_past_end": patched(plain, (END, 16, u4(0xFFFFFF))),
    "directory_length": patched(plain, (END, 12, u4(0xFFFFFF))),
    "count": patched(plain, (END, 10, b"\xff\xff")),
    "entry_marker": patched(plain, (CENTRAL, 0, b"PKxx")),
    "name_length": patched(plain, (CENTRAL, 28, b"\xff\xff")),
    "extra_length": patched(plain, (CENTRAL, 30, b"\xff\xff")),
    "two_parts": patched(plain, (END, 4, b"\1\0")),
    "zip64_missing": patched(plain, (CENTRAL, 24, u4(0xFFFFFFFF))),
    "zip64_locator": patched(wide, (b"PK\6\7", 8, u8(2**63))),
    "zip64_record": patched(wide, (b"PK\6\6", 0, b"PKxx")),
    "zip64_directory": patched(wide, (b"PK\6\6", 48, u8(2**64 - 8))),
    "zip64_count": patched(wide, (b"PK\6\6", 32, u8(2**62))),
    "name_twice": patched(archive([("a.npy", array), ("b.npy", array)]), (b"b.npy", 0, b"a.npy")),
}
# Refused when the array is read.
npz_bad_array = {
    "checksum": patched(plain, (f4, 0, b"\1")),
    "local_marker": patched(plain, (LOCAL, 0, b"PKxx")),
    "local_past_end": patched(plain, (CENTRAL, 42, u4(0xFFFFFF))),
    "local_name_length": patched(plain, (LOCAL, 26, b"\xff\xff")),
    "size_past_end": patched(plain, (CENTRAL, 20, u4(0xFFFFFF)), (CENTRAL, 24, u4(0xFFFFFF))),
    "sizes_differ": patched(plain, (CENTRAL, 24, u4(1))),
    "encrypted": patched(plain, (CENTRAL, 8, b"\1\0")),
    "method": patched(plain, (CENTRAL, 10, b"\14\0")),
    "deflate_bomb": patched(packed, (CENTRAL, 24, u4(0xFFFFFFF0))),
    "deflate_short": patched(packed, (CENTRAL, 24, u4(len(array) + 1))),
    "deflate_long": patched(packed, (CENTRAL, 24, u4(len(array) - 1))),
    "deflate_damaged": patched(packed, (LOCAL, 35, b"\xff\xff")),
    "not_npy": archive([("a.npy", b"text")]),
}
for name, data in npz_good.items():
    put("npz", "good_" + name, data)
for name, data in npz_bad.items():
    put("npz", "bad_" + name, data)
for name, data in npz_bad_array.items():
    put("npz", "array_" + name, data)


def dataset(metadata=None, **tensors):
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        code = {"I32": "i", "I16": "h", "U8": "B", "I8": "b", "F32": "f", "I64": "q"}[dtype]
        new = struct.pack(f"<{len(values)}{code}", *values)
        header[name] = tensor(dtype, shape, len(data), len(data) + len(new))
        data += new
    return st(header, data, metadata)


base = {
    "x_indptr": ("I32", [4], [0, 2, 2, 3]),
    "x_indices": ("I16", [3], [0, 4, 1]),
    "y": ("I32", [3], [0, 1, 1]),
    "edge_index": ("I32", [2, 4], [0, 1, 1, 2, 1, 0, 2, 1]),
    "train_idx": ("I32", [1], [0]),
    "val_idx": ("I32", [1], [1]),
    "test_idx": ("I32", [1], [2]),
}
masks = {k: v for k, v in base.items() if not k.endswith("_idx")}
masks |= {p + "_masks": ("U8", [2, 3], [1, 0, 0, 0, 1, 1]) for p in ["train", "val", "test"]}
bits = {
    "x": ("U8", [9, 1], range(9)), "y": ("U8", [9], [0] * 9), "edges": ("I32", [2, 2], [0, 1, 3, 3]),
    "weight": ("F32", [2], [2.0, 3.0]), "train_masks": ("U8", [1, 2], [0b10000001, 1]),
}
labels = {
    "edges": ("I16", [2, 3], [0, 1, 2, 2, 3, 3]), "label_indptr": ("I32", [5], [0, 2, 2, 3, 4]),
    "label_indices": ("I8", [4], [0, 2, 1, 0]),
}
named = {"num_nodes": "3", "num_features": "5", "num_classes": "2"}
sets_good = {
    "lists": dataset(named, **base),
    "masks": dataset(named, **masks),
    "bits": dataset(None, **bits),
    "values": dataset(None, **base, x_values=("F32", [3], [0.5, 2.0, -1.0])),
    "karate": dataset(None, edges=("I32", [1, 2], [0, 1]), weight=("F32", [1], [2.0]), club=("I32", [2], [0, 1])),
    "wide_indices": dataset(None, **base | {"edge_index": ("I64", [2, 1], [0, 2])}),
    "empty": dataset(None, y=("I32", [0], []), edge_index=("I32", [2, 0], [])),
    "labels": dataset({"num_nodes": "4", "num_labels": "3"}, **labels),
}
sets_bad = {
    "no_classes": dataset(None, edge_index=base["edge_index"]),
    "no_edges": dataset(None, y=base["y"]),
    "num_nodes": dataset(named | {"num_nodes": "4"}, **base),
    "num_nodes_text": dataset(named | {"num_nodes": "3x"}, **base),
    "num_nodes_negative": dataset(named | {"num_nodes": "-3"}, **base),
    "class_too_high": dataset(named | {"num_classes": "1"}, **base),
    "class_negative": dataset(None, **base | {"y": ("I32", [3], [0, -1, 1])}),
    "class_floats": dataset(None, **base | {"y": ("F32", [3], [0, 1, 1])}),
    "classes_2d": dataset(None, **base | {"y": ("I32", [3, 1], [0, 1, 1])}),
    "edge_too_high": dataset(None, **base | {"edge_index": ("I32", [2, 1], [0, 3])}),
    "edge_negative": dataset(None, **base | {"edge_index": ("I32", [2, 1], [-1, 0])}),
    "edge_over_32_bits": dataset(None, **base | {"edge_index": ("I64", [2, 1], [2**32, 0])}),
    "edges_transposed": dataset(None, **base | {"edge_index": ("I32", [4, 2], [0] * 8)}),
    "edge_weights": dataset(None, **base, edge_weight=("F32", [3], [1, 1, 1])),
    "pointers_short": dataset(None, **base | {"x_indptr": ("I32", [3], [0, 2, 3])}),
    "pointers_start": dataset(None, **base | {"x_indptr": ("I32", [4], [1, 2, 2, 3])}),
    "pointers_end": dataset(None, **base | {"x_indptr": ("I32", [4], [0, 2, 2, 4])}),
    "pointers_down": dataset(None, **base | {"x_indptr": ("I32", [4], [0, 9, 2, 3])}),
    "column_too_high": dataset(named | {"num_features": "4"}, **base),
    "column_negative": dataset(None, **base | {"x_indices": ("I16", [3], [0, -4, 1])}),
    "no_columns": dataset(None, **{k: v for k, v in base.items() if k != "x_indices"}),
    "values_short": dataset(None, **base, x_values=("F32", [2], [1, 1])),
    "features_huge": dataset(named | {"num_features": "9000000000000000000"}, **base),
    "features_rows": dataset(None, **bits | {"x": ("U8", [8, 1], range(8))}),
    "split_too_high": dataset(None, **base | {"test_idx": ("I32", [1], [3])}),
    "mask_width": dataset(None, **masks | {"val_masks": ("U8", [1, 2], [0, 1])}),
    "mask_none": dataset(None, **masks | {"val_masks": ("U8", [0, 3], [])}),
    "edges_shape": dataset(None, **bits | {"edges": ("I32", [3, 4], [0] * 12)}),
    "labels_none": dataset(None, **labels | {"label_indptr": ("I32", [0], [])}),
    "labels_nodes": dataset({"num_nodes": "5"}, **labels),
    "labels_pointers": dataset(None, **labels | {"label_indptr": ("I32", [5], [0, 2, 2, 3, 5])}),
    "labels_too_high": dataset({"num_labels": "2"}, **labels),
    "labels_huge": dataset({"num_labels": "9000000000000000000"}, **labels),
    "not_safetensors": b"text",
}
for name, data in sets_good.items():
    put("node_dataset", "good_" + name, data)
for name, data in sets_bad.items():
    put("node_dataset", "bad_" + name, data)


hetero = {
    "paper_x_indptr": ("I32", [4], [0, 2, 2, 3]), "paper_x_indices": ("I16", [3], [0, 2, 1]),
    "author_x": ("U8", [2, 1], [3, 4]),
    "edge_paper_author": ("I16", [2, 3], [0, 1, 2, 0, 0, 1]),
    "edge_paper_cites_paper": ("I32", [2, 1], [2, 0]),
    "edge_paper_venue": ("I8", [2, 3], [0, 1, 2, 0, 0, 0]),
    "label_train": ("I32", [1, 2], [2, 1]), "label_test": ("I32", [1, 2], [0, 0]),
}
counts = {"num_paper": "3", "num_author": "2", "num_venue": "1"}
hetero_good = {
    "three_types": dataset(counts | {"num_features": "4", "num_classes": "2"}, **hetero),
    "names_within_names": dataset(
        {"num_a": "1", "num_a_b": "2", "num_b": "3", "num_b_a": "4"},
        edge_a_b_a=("I32", [2, 1], [1, 0]), edge_a_b_b=("I32", [2, 1], [1, 2]), edge_a_r_s_b_a=("I32", [2, 1], [0, 3]),
    ),
    "no_classes": dataset(counts, **{k: v for k, v in hetero.items() if k.startswith("edge")}),
    "nothing": dataset(None),
    "no_nodes": dataset({"num_a": "0"}, edge_a_a=("I32", [2, 0], []), label_val=("I32", [0, 2], [])),
}
hetero_bad = {
    "count_text": dataset(counts | {"num_paper": "x"}, **hetero),
    "count_huge": dataset(counts | {"num_paper": "3000000000"}, **hetero),
    "pointers": dataset(counts | {"num_paper": "4"}, **hetero),
    "column": dataset(counts | {"num_features": "2"}, **hetero),
    "edge_source": dataset(counts, **hetero | {"edge_paper_author": ("I16", [2, 1], [3, 0])}),
    "edge_destination": dataset(counts, **hetero | {"edge_paper_author": ("I16", [2, 2], [0, 1, 0, 2])}),
    "edge_negative": dataset(counts, **hetero | {"edge_paper_author": ("I16", [2, 1], [0, -1])}),
    "edge_shape": dataset(counts, **hetero | {"edge_paper_author": ("I16", [3, 2], [0] * 6)}),
    "edge_type": dataset(counts, **hetero, edge_paper_reader=("I16", [2, 0], [])),
    "edge_no_relation": dataset(counts, **hetero, edge_paper__author=("I16", [2, 0], [])),
    "edge_twice": dataset(counts, **hetero, edge_paper_to_author=("I16", [2, 0], [])),
    "label_node": dataset(counts, **hetero | {"label_test": ("I32", [1, 2], [3, 0])}),
    "label_class": dataset(counts, **hetero | {"label_test": ("I32", [1, 2], [0, -1])}),
    "label_twice": dataset(counts, **hetero | {"label_test": ("I32", [1, 2], [2, 1])}),
    "label_shape": dataset(counts, **hetero | {"label_test": ("I32", [2], [2, 1])}),
    "classes": dataset(counts | {"num_classes": "1"}, **hetero),
    "target": dataset({"num_a": "2", "num_b": "2"}, edge_a_b=("I32", [2, 1], [0, 1]), label_train=("I32", [1, 2], [0, 0])),
    "target_huge": dataset({"num_a": "2147483647"}, edge_a_a=("I32", [2, 1], [0, 1]), label_train=("I32", [1, 2], [0, 0])),
}
for name, data in hetero_good.items():
    put("hetero_dataset", "good_" + name, data)
for name, data in hetero_bad.items():
    put("hetero_dataset", "bad_" + name, data)

graphs = {
    "graph_label": ("I32", [4], [1, 0, 1, 0]), "graph_indicator": ("I32", [6], [0, 0, 2, 2, 2, 3]),
    "edge_index": ("I32", [2, 5], [0, 1, 2, 3, 5, 1, 0, 3, 4, 5]),
    "node_label": ("I32", [6], [0, 2, 1, 1, 0, 2]), "edge_label": ("I32", [5], [0, 0, 1, 0, 1]),
    "node_attr": ("F32", [6], [0.5, 1, 1.5, 2, 2.5, 3]), "fold": ("I32", [4], [0, 1, 0, -1]),
}
sizes = {"num_graphs": "4", "num_nodes": "6", "node_label_values": "4"}
graphs_good = {
    "all": dataset(sizes, **graphs),
    "least": dataset(None, **{k: graphs[k] for k in ["graph_label", "graph_indicator", "edge_index"]}),
    "unsorted_edges": dataset(sizes, **graphs | {"edge_index": ("I32", [2, 5], [2, 0, 5, 3, 1, 3, 1, 5, 4, 0])}),
    "wide_attributes": dataset(sizes, **graphs | {"node_attr": ("U8", [6, 2], range(12))}),
    "none": dataset(None, graph_label=("I32", [0], []), graph_indicator=("I32", [0], []), edge_index=("I32", [2, 0], [])),
}
graphs_bad = {
    "no_labels": dataset(None, **{k: v for k, v in graphs.items() if k != "graph_label"}),
    "no_indicator": dataset(None, **{k: v for k, v in graphs.items() if k != "graph_indicator"}),
    "no_edges": dataset(None, **{k: v for k, v in graphs.items() if k != "edge_index"}),
    "num_graphs": dataset({"num_graphs": "5"}, **graphs),
    "num_nodes": dataset({"num_nodes": "5"}, **graphs),
    "class_negative": dataset(None, **graphs | {"graph_label": ("I32", [4], [1, 0, -1, 0])}),
    "indicator_too_high": dataset(None, **graphs | {"graph_indicator": ("I32", [6], [0, 0, 2, 2, 2, 4])}),
    "indicator_down": dataset(None, **graphs | {"graph_indicator": ("I32", [6], [0, 0, 2, 1, 2, 3])}),
    "edge_too_high": dataset(None, **graphs | {"edge_index": ("I32", [2, 1], [0, 6])}),
    "edge_between": dataset(None, **graphs | {"edge_index": ("I32", [2, 5], [0, 1, 2, 3, 5, 1, 0, 3, 4, 4])}),
    "edge_labels": dataset(None, **graphs | {"edge_label": ("I32", [4], [0] * 4)}),
    "node_label_too_high": dataset({"node_label_values": "2"}, **graphs),
    "node_label_floats": dataset(None, **graphs | {"node_label": ("F32", [6], [0] * 6)}),
    "node_labels": dataset(None, **graphs | {"node_label": ("I32", [5], [0] * 5)}),
    "node_attr": dataset(None, **graphs | {"node_attr": ("F32", [2, 3], [0] * 6)}),
    "fold_low": dataset(None, **graphs | {"fold": ("I32", [4], [0, 1, 0, -2])}),
    "fold_short": dataset(None, **graphs | {"fold": ("I32", [3], [0, 1, 0])}),
    "columns_huge": dataset({"node_label_values": "9000000000000000000"}, **graphs),
}
for name, data in graphs_good.items():
    put("graph_dataset", "good_" + name, data)
for name, data in graphs_bad.items():
    put("graph_dataset", "bad_" + name, data)


edges_good = {
    "spaces": b"# a comment\n\n0 1\n  2\t 0  \r\n1 1",
    "weights": b"0 1 0.5\n1 2 -2e-3\n2 0 +3\n",
    "csv": b"\xef\xbb\xbfsource,target,weight\r\n0,1,0.5\r\n\r\n1 , 2,\t1e300\r\n",
    "semicolons": b"0;1\n1;0\n",
    "quoted": b'"0","1"\n"1","0"\n',
    "more_columns": b"0 1 2 first 4\n1 0 3 second 5\n",
    "nothing": b"",
    "comments_only": b"% nothing\n  # here\n",
    "header_only": b"source target\n",
    "tiny_weight": b"0 1 1e-300\n",
}
edges_bad = {
    "one_field": b"0\n1 2\n",
    "fields": b"0 1\n1 2 3\n",
    "empty_field": b"0,1\n1,\n",
    "empty_first": b"0,1\n,1\n",
    "not_a_number": b"0 1\n1 x\n",
    "fraction": b"0 1\n1.5 1\n",
    "negative": b"0 1\n-1 1\n",
    "node_huge": b"0 1\n2147483647 1\n",
    "node_over_64_bits": b"0 1\n99999999999999999999 1\n",
    "weight": b"0 1 1\n1 2 x\n",
    "weight_over": b"0 1 1\n1 2 1e999\n",
    "open_quote": b'"0","1"\n"1,"0\n',
    "after_quote": b'"0","1"\n"1"x,"0"\n',
    "quote_without_space": b'"0" "1"\n"1"0 2\n',
    "quote_without_end": b'"0" "1"\n"1" "2"" 0\n',
    "zero_byte": b"0 1\n0\x001 2\n",
    "plus_minus": b"0 1\n+-1 2\n",
    "two_headers": b"a,b\nc,d\n",
}
names = {
    "names_spaces": b'Ann Bob 1\n"Old Tom" Ann 2\n',
    "names_csv": b'from,to\n"say ""hi""","a,b"\n"",x\n',
    "names_utf8": "\u00e9t\u00e9,\u6c34\n".encode(),
    "names_weight_header": b"a,b,w\nx,y,1\n",
}
for name, data in edges_good.items():
    put("edge_list", "good_" + name, data)
for name, data in edges_bad.items():
    put("edge_list", "bad_" + name, data)
for name, data in names.items():
    put("edge_list", name, data)


def market(head, body):
    return b"%%MatrixMarket " + head + b"\n" + body


general, pattern = b"matrix coordinate real general", b"matrix coordinate pattern general"
matrix_good = {
    "real": market(general, b"% a comment\n\n3 4 2\n1 1 0.5\n\n3 4 -2e3\n"),
    "pattern": market(pattern, b"3 4 2\n1 1\r\n3  4"),
    "integer": market(b"matrix coordinate integer general", b"1 1 1\n1 1 -7\n"),
    "symmetric": market(b"matrix coordinate real symmetric", b"3 3 3\n1 1 1\n2 1 2\n3 2 3\n"),
    "skew": market(b"Matrix Coordinate REAL Skew-Symmetric", b"3 3 2\n2 1 2\n3 1 -3\n"),
    "pattern_symmetric": market(b"matrix\tcoordinate pattern symmetric", b"2 2 1\n2 1\n"),
    "empty": market(general, b"0 0 0\n"),
    "twice": market(pattern, b"1 1 2\n1 1\n1 1\n"),
}
matrix_bad = {
    "nothing": b"",
    "no_banner": b"3 3 1\n1 1 1\n",
    "banner_short": market(b"matrix coordinate real", b"0 0 0\n"),
    "banner_long": market(b"matrix coordinate real general x", b"0 0 0\n"),
    "object": market(b"vector coordinate real general", b"0 0 0\n"),
    "array": market(b"matrix array real general", b"1 1\n1\n"),
    "complex": market(b"matrix coordinate complex general", b"1 1 1\n1 1 1 0\n"),
    "hermitian": market(b"matrix coordinate real hermitian", b"0 0 0\n"),
    "skew_pattern": market(b"matrix coordinate pattern skew-symmetric", b"0 0 0\n"),
    "no_sizes": market(general, b"% only this\n"),
    "sizes_two": market(general, b"3 3\n"),
    "sizes_negative": market(general, b"3 -3 0\n"),
    "sizes_huge": market(general, b"3000000000 1 0\n"),
    "entries_huge": market(general, b"3 3 1000000000000\n1 1 1\n"),
    "not_square": market(b"matrix coordinate real symmetric", b"3 2 0\n"),
    "too_few": market(pattern, b"3 3 3\n1 1\n2 2\n\n\n\n\n"),
    "too_many": market(pattern, b"3 3 1\n1 1\n2 2\n"),
    "row_zero": market(pattern, b"3 3 1\n0 1\n"),
    "row_too_high": market(pattern, b"3 4 1\n4 1\n"),
    "column_too_high": market(pattern, b"3 4 1\n1 5\n"),
    "row_fraction": market(pattern, b"3 4 1\n1.0 1\n"),
    "no_value": market(general, b"3 4 1\n1 1  \n"),
    "value_of_pattern": market(pattern, b"3 4 1\n1 1 1\n"),
    "value": market(general, b"3 4 1\n1 1 x\n"),
    "value_fraction": market(b"matrix coordinate integer general", b"3 4 1\n1 1 1.5\n"),
    "above_diagonal": market(b"matrix coordinate real symmetric", b"3 3 1\n1 2 1\n"),
    "skew_diagonal": market(b"matrix coordinate real skew-symmetric", b"3 3 1\n2 2 1\n"),
    "late_comment": market(pattern, b"3 3 1\n% here\n1 1\n"),
}
for name, data in matrix_good.items():
    put("matrix_market", "good_" + name, data)
for name, data in matrix_bad.items():
    put("matrix_market", "bad_" + name, data)


langevin = {"format": "simulation 1", "integrator": "Langevin", "options.dt": "0.5", "options.temperature": "300"}
langevin |= {"options.friction": "0.01", "options.seed": "3", "options.stream": "1"}


def simulation(n=2, words={}, **changed):
    tensors = {
        "positions": ("F64", [n, 3], struct.pack(f"<{3 * n}d", *range(3 * n))),
        "velocities": ("F64", [n, 3], struct.pack(f"<{3 * n}d", *range(3 * n))),
        "masses": ("F64", [n], struct.pack(f"<{n}d", *range(1, n + 1))),
        "cell": ("F64", [3, 3], struct.pack("<9d", 9, 0, 0, 0, 9, 0, 0, 0, 9)),
        "steps": ("I64", [], struct.pack("<q", 7)),
        "species": ("I32", [n], struct.pack(f"<{n}i", *[6] * n)),
        "pbc": ("BOOL", [3], b"\1\0\1"),
    } | changed
    header, data = {}, b""
    for key, (dtype, shape, values) in tensors.items():
        header[key] = tensor(dtype, shape, len(data), len(data) + len(values))
        data += values
    return st(header, data, langevin | words)


simulation_good = {"two": simulation(), "none": simulation(0)}
simulation_bad = {
    "not_safetensors": b"simulation",
    "no_format": st({}, metadata={"integrator": "Langevin"}),
    "no_option": st({}, metadata={"format": "simulation 1", "integrator": "Langevin"}),
    "no_tensors": st({}, metadata=langevin),
    "format": simulation(words={"format": "simulation 0"}),
    "integrator": simulation(words={"integrator": "VelocityVerlet"}),
    "option_text": simulation(words={"options.dt": "0.5 fs"}),
    "option_range": simulation(words={"options.friction": "-1"}),
    "option_huge": simulation(words={"options.seed": "18446744073709551616"}),
    "masses": simulation(masses=("F64", [2], struct.pack("<2d", 1, 0))),
    "masses_shape": simulation(masses=("F64", [1], struct.pack("<d", 1))),
    "velocities_nan": simulation(velocities=("F64", [2, 3], struct.pack("<6d", 0, 0, 0, 0, 0, float("nan")))),
    "positions_shape": simulation(positions=("F64", [3, 2], bytes(48))),
    "species_shape": simulation(species=("I32", [3], bytes(12))),
    "steps_negative": simulation(steps=("I64", [], struct.pack("<q", -1))),
    "steps_last": simulation(steps=("I64", [], struct.pack("<q", 2**63 - 1))),
    "cell_shape": simulation(cell=("F64", [9], bytes(72))),
    "pbc": simulation(pbc=("BOOL", [3], b"\1\2\0")),
}
for name, data in simulation_good.items():
    put("checkpoint", "good_" + name, data)
for name, data in simulation_bad.items():
    put("checkpoint", "bad_" + name, data)

irreps_good = ["", " ", "0e", "1o", "32x0e+16x1o", "1y+2y", " 3 x 1o + 0x2e\t+ 0e\n", "2x0e+3x0e+0e", "1000000000x1000o",
               "+".join(["1o", "0e"] * 40)]
irreps_bad = ["x", "0", "0x", "1u", "-1e", "1e+", "+1e", "1e 1o", "1001e", "1000000001x0e", "99999999999999999999x0e",
              "1e\0", "\u00e9", "1x1x0e", "q" * 300]
for i, words in enumerate(irreps_good):
    put("irreps", f"good_{i}", words.encode())
for i, words in enumerate(irreps_bad):
    put("irreps", f"bad_{i}", words.encode())
put("irreps", "bad_utf8", b"\xff\xfe1e")

json_good = ["0", "-0.5e-3", "true", "null", '""', "[]", "{}", ' [1, "a", {"b": [true, false, null]}] ',
             '"\\u00e9\\ud83d\\ude00\\n\\/"', "[1, 2.5]", '{"a": [1, 2], "b": []}', "1e999", "[" * 64 + "]" * 64]
json_bad = ["", "01", "-", "1.", "+1", "nul", "truee", '"', '"\\x"', '"\\ud83d"', "[1,]", '{"a"}', '{"a":1,}', "[1 2]",
            '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', "1 2", "[" * 65 + "]" * 65, '"\t"', "\ufeff1", "9223372036854775808 "]
for i, words in enumerate(json_good):
    put("json", f"good_{i}", words.encode())
for i, words in enumerate(json_bad):
    put("json", f"bad_{i}", words.encode())
put("json", "bad_utf8", b'"\xed\xa0\x80"')

mace = {"model": "MACE", "atomic_numbers": [1, 8], "atomic_energies": [-1.5, 2.25], "r_max": 5.0, "num_bessel": 8,
        "num_polynomial_cutoff": 5, "max_ell": 2, "num_interactions": 2,
        "interaction": "RealAgnosticResidualInteractionBlock", "interaction_first": "RealAgnosticInteractionBlock",
        "hidden_irreps": "16x0e+16x1o", "MLP_irreps": "16x0e", "correlation": 3, "radial_MLP": [64, 64],
        "avg_num_neighbors": 12.5}
nequip = {"model": "NequIP", "atomic_numbers": [6], "r_max": 4.5}
config_good = {
    "mace": mace,
    "mace_all": mace | {"model": "ScaleShiftMACE", "scale": 0.1, "shift": -1e-300, "gate": "tanh", "heads": ["a"],
                        "pair_repulsion": True, "distance_transform": "Agnesi", "radial_type": "bessel", "other": {}},
    "mace_null": mace | {"scale": None, "edge_irreps": None},
    "nequip": nequip,
    "nequip_all": nequip | {
        "num_layers": 2, "l_max": 1, "feature_irreps_hidden": "8x0e+8x1o", "scalars_last": True, "resnet": True,
        "num_bessels": 4, "polynomial_cutoff_p": 6, "radial_mlp": [8], "avg_num_neighbors": 3.5, "even_scalars": "silu",
        "odd_scalars": "tanh", "gates": "silu", "output_features": 4, "per_type_energy_scales": [2],
        "atomic_energies": [-0.5], "scale": 2, "shift": 0.1},
}
config_bad = {
    "no_json": b"model", "empty": b"{}", "list": b"[]", "twice": b'{"model":"MACE","model":"MACE"}',
    "model": mace | {"model": "x" * 3000}, "control": mace | {"model": "\u0001\u007f"},
    "heads": mace | {"heads": [1, 2]}, "edge_irreps": mace | {"edge_irreps": "1x0e"},
    "interaction": mace | {"interaction": "Other"}, "irreps": mace | {"hidden_irreps": "16x0e+8x1o"},
    "irreps_long": mace | {"hidden_irreps": "+".join(["0e"] * 1000)}, "mlp": mace | {"MLP_irreps": "1o"},
    "number": mace | {"atomic_numbers": [119, 1]}, "numbers": mace | {"atomic_numbers": [1]},
    "huge": mace | {"num_interactions": 2**70}, "r_max": mace | {"r_max": -1}, "text": mace | {"r_max": "5"},
    "nequip_key": nequip | {"other": 1}, "nequip_gate": nequip | {"gates": "swish"},
    "nequip_irreps": nequip | {"feature_irreps_hidden": "1o"}, "nequip_l_max": nequip | {"l_max": 13},
}
for kind, configs in (("good", config_good), ("bad", config_bad)):
    for name, config in configs.items():
        put("model_config", f"{kind}_{name}", config if isinstance(config, bytes) else text(config).encode())

names = ["H", "X", "Og", "Oq", "h", "silu", "shifted_softplus", "swish", "uvw", "u<vw", "gaunt", "gaunt-fourier",
         "vector-signal", "matrix-block", "clebsch-gordan-dense", "", "ij=ji", "ijk=-jik", "ijkl=jikl=ijlk=klij",
         "abcdefgh=bcdefgha=bacdefgh", "abcdefghi=a", "-ij", "ij=", "ij=jk", "ii=ii", "ij=-ij", "=", "n" * 300]
for i, name in enumerate(names):
    put("names", f"name_{i}", name.encode())
put("names", "bad_utf8", b"\xff\xfe")


def window(value, order=None, cut=None, flip=None):
    """An operand of a program: a value, its axes in another order, (axis, begin, end, step) of them, an axis reversed."""
    how = (order is not None) | (cut is not None) << 1 | (flip is not None) << 2
    data = [value | how << 3]
    if order is not None:
        data.append(order)
    if cut is not None:
        axis, begin, end, step = cut
        data += [axis + 1 | step - 1 << 2, begin & 255, end & 255]
    if flip is not None:
        data.append(flip)
    return data


views = [window(0) + window(1) + window(2),
         window(1, 0, (1, 1, -1, 2)) + window(0, 1, None, 2) + window(2, 3),
         window(3, 2, (0, 0, 100, 3), 1) + window(2, None, (2, -3, 100, 1)) + window(0, 5, None, 0)]
for what in range(16):
    # Extents 5, 16, 17 and 3, 8, 40, inputs that broadcast; further steps, the last of them with operands as they are.
    put("program", f"step_{what}", bytes([3, 9, 10, 0, 1, 6, what, 21] + views[0] + [(what + 5) % 16, 40] + views[1]))
    put("program", f"steps_{what}", bytes([2, 4, 15, 0, 4, 0, what, 255] + views[1] + [0, 9] + views[2] +
                                          [240 + what % 16, 3] + views[0]))
