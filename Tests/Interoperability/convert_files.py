"""Converts files of every layout, made by the libraries that users have, and opens the results with them: every bit
is the one that was written. Then files that are made to take all memory.

Run by `make test-deep` with the path of the command; needs numpy, scipy, h5py and torch.
"""
import os
import resource
import subprocess
import sys
import tempfile
import zipfile

import h5py
import numpy
import scipy.io
import torch

command = sys.argv[1]
folder = tempfile.mkdtemp()
os.chdir(folder)
random = numpy.random.default_rng(0)


def bits(shape, kind):
    """Random bits: also numbers that are tiny, infinite or none."""
    raw = random.integers(0, 256, size=int(numpy.prod(shape)) * numpy.dtype(kind).itemsize, dtype="u1")
    if kind == "bool":
        raw %= 2
    return raw.view(kind).reshape(shape)


def convert(*arguments, limit=None):
    """Runs the command; returns its status, its messages and the memory that it took in MB."""
    def bound():
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit << 20, limit << 20))
    process = subprocess.run([command, *arguments, "--quiet"], capture_output=True, text=True, preexec_fn=bound)
    return process.returncode, process.stderr


def same(left, right, what):
    left, right = numpy.ascontiguousarray(left), numpy.ascontiguousarray(right)
    assert left.dtype == right.dtype and left.shape == right.shape, (what, left.dtype, right.dtype, left.shape, right.shape)
    assert left.tobytes() == right.tobytes(), what


# One field in time with its first frame apart (a, u), and two steady fields, in single and double precision.
N, T, X, Y = 37, 9, 24, 17
for kind in ("float32", "float64"):
    flow = {"a": bits((N, X, Y), kind), "u": bits((N, X, Y, T), kind), "t": numpy.arange(1.0, T + 1)}
    scipy.io.savemat("plain.mat", flow)
    scipy.io.savemat("compressed.mat", flow, do_compression=True)
    with h5py.File("new.mat", "w", userblock_size=512) as f:
        for name, array in flow.items():
            stored = numpy.ascontiguousarray(numpy.atleast_2d(array).T)
            options = {"chunks": True, "compression": "gzip"} if stored.size > 100 else {}
            dataset = f.create_dataset(name, data=stored, **options)
            dataset.attrs["MATLAB_class"] = numpy.bytes_("single" if stored.dtype == "f4" else "double")
    numpy.savez("plain.npz", **flow)
    numpy.savez_compressed("compressed.npz", **{k: numpy.asfortranarray(v) for k, v in flow.items()})
    u = numpy.moveaxis(flow["u"], -1, 1)
    for source in ("plain.mat", "compressed.mat", "new.mat", "plain.npz", "compressed.npz"):
        for target in ("out.h5", "out.pt", "out.npz", "out.hdf5"):
            layout = ["--to", "pdebench"] if target == "out.hdf5" else []
            status, text = convert("convert", source, target, "--overwrite", *layout)
            assert status == 0, (source, target, text)
        with h5py.File("out.h5") as f:
            same(f["t0_fields/a"][()], flow["a"], (source, "well"))
            same(f["t0_fields/u"][()], u, (source, "well"))
            assert (f["dimensions/time"][()] == flow["t"]).all()
        tensors = torch.load("out.pt", weights_only=True)
        same(tensors["x"].numpy(), flow["a"], (source, "neuralop"))
        same(tensors["y"].numpy(), u, (source, "neuralop"))
        with numpy.load("out.npz") as arrays:
            same(arrays["a"], flow["a"], (source, "npz"))
            same(arrays["u"], u, (source, "npz"))
        with h5py.File("out.hdf5") as f:
            same(f["a"][()], flow["a"], (source, "pdebench"))
            same(f["u"][()], u, (source, "pdebench"))
            assert len(f["t-coordinate"]) == T + 1
    print(f"{kind}: MATLAB 5 and 7.3 and numpy to The Well, PDEBench, neuraloperator and numpy: the same bits")

# Every type of PyTorch, as a view with the samples fastest that begins in the middle of its storage.
for kind in ("bool", "int8", "uint8", "int16", "int32", "float16", "float32", "float64"):
    whole = torch.from_numpy(numpy.asfortranarray(bits((N + 5, X, Y), kind)))
    torch.save({"x": whole[5:], "y": torch.from_numpy(bits((N, X, Y), "float32"))}, "view.pt")
    for target in ("out.pt", "out.npz"):
        status, text = convert("convert", "view.pt", target, "--overwrite")
        assert status == 0, (kind, text)
    same(torch.load("out.pt", weights_only=True)["x"].numpy(), whole[5:].numpy(), kind)
    with numpy.load("out.npz") as arrays:
        same(arrays["x"], whole[5:].numpy(), kind)
print("neuraloperator's views of every type: the same bits")

# 4 GB of zeros in 4 MB: a valid archive, read in parts; the command has 2 GB of addresses.
with zipfile.ZipFile("bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
    with archive.open("x.npy", "w", force_zip64=True) as member:
        numpy.lib.format.write_array_header_1_0(
            member, {"descr": "<f4", "fortran_order": False, "shape": (1024, 1024, 1024)})
        for _ in range(256):
            member.write(bytes(1 << 24))
status, text = convert("inspect", "bomb.npz", limit=2000)
assert status == 0, text
print("an archive of 4 GB of zeros is read in 2 GB of addresses")

# A pickle that would run a command.
with zipfile.ZipFile("hostile.pt", "w") as archive:
    archive.writestr("archive/data.pkl", b"\x80\x02cposix\nsystem\nX\x0b\x00\x00\x00touch owned\x85R.")
status, text = convert("inspect", "hostile.pt")
assert status == 65 and "posix.system" in text and not os.path.exists("owned"), (status, text)
print("a hostile pickle is refused by its name")
