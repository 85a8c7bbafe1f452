"""Writes the small dataset files of `Tests/Golden/Layouts`, one of each layout, with the libraries that users have.

Run with: pip install numpy scipy h5py torch; python3 layouts.py
Every number follows from its place: value(field, sample, time, i, j), exact in single precision and different
everywhere, so that a file read with its axes or strides mixed up cannot pass. The layouts are those of the
published files: see docs/layouts.md. MATLAB's headers have the time in them; all else is the same in every run.
"""
import os

import h5py
import numpy
import scipy.io
import torch

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Layouts")
os.makedirs(folder, exist_ok=True)


def path(name):
    file = os.path.join(folder, name)
    if os.path.exists(file):
        os.remove(file)
    return file


def value(field, shape, order):
    """The numbers of a field: order names the axes of `shape` among n (sample), t (time), i and j (grid)."""
    result = numpy.full(shape, float(field))
    for axis, letter in enumerate(order):
        weight = {"n": 16, "t": 2, "i": 1 / 8, "j": 1 / 128}[letter]
        index = numpy.arange(shape[axis]).reshape([-1 if k == axis else 1 for k in range(len(shape))])
        result = result + weight * index
    return result


single = numpy.float32

# --- MATLAB version 5, as the files of the FNO paper: sample first, time last, stored column by column.
burgers = {
    "a": value(100, (6, 16), "ni"), "u": value(200, (6, 16), "ni"),
    "a_smooth": value(300, (6, 16), "ni"), "a_smooth_x": value(400, (6, 16), "ni"), "a_x": value(500, (6, 16), "ni"),
}
scipy.io.savemat(path("burgers-v5.mat"), burgers)
scipy.io.savemat(path("burgers-v5-compressed.mat"), burgers, do_compression=True)
darcy = {
    "coeff": value(100, (5, 9, 7), "nij").astype(single), "sol": value(200, (5, 9, 7), "nij").astype(single),
    "Kcoeff": value(300, (5, 9, 7), "nij"), "Kcoeff_x": value(400, (5, 9, 7), "nij"),
    "Kcoeff_y": value(500, (5, 9, 7), "nij"),
}
scipy.io.savemat(path("darcy-v5.mat"), darcy, do_compression=True)
flow = {
    "a": value(100, (5, 8, 6), "nij").astype(single), "u": value(200, (5, 8, 6, 4), "nijt").astype(single),
    "t": numpy.arange(1.0, 5.0),
}
scipy.io.savemat(path("navier-stokes-v5.mat"), flow, do_compression=True)
# Numbers of other types, and things that are no fields.
scipy.io.savemat(path("types-v5.mat"), {
    "x": (value(0, (4, 6), "ni") * 8 % 2 == 0), "y": (value(0, (4, 6), "ni") * 8).astype(numpy.int16),
    "text": "a remark", "parts": {"p": 1.0}, "list": numpy.array([1, "two"], dtype=object),
}, do_compression=True)


# --- MATLAB version 7.3: HDF5 behind a block of 512 bytes, all axes reversed.
def save73(name, arrays, **options):
    file = path(name)
    with h5py.File(file, "w", userblock_size=512, libver="earliest") as f:
        for key, array in arrays.items():
            kind = {"float32": "single", "float64": "double", "bool": "logical"}[str(array.dtype)]
            stored = array.T.astype("uint8") if kind == "logical" else numpy.ascontiguousarray(array.T)
            dataset = f.create_dataset(key, data=stored, **(options if array.size > 16 else {}))
            dataset.attrs["MATLAB_class"] = numpy.bytes_(kind)
            if kind == "logical":
                dataset.attrs["MATLAB_int_decode"] = numpy.int32(1)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created by layouts.py HDF5 schema 1.00 ."
    with open(file, "r+b") as f:
        f.write(header.ljust(116) + bytes(8) + b"\x00\x02IM")


flow73 = dict(flow, t=flow["t"].reshape(1, 4))
save73("navier-stokes-v73.mat", flow73, chunks=True, compression="gzip", shuffle=True)
save73("darcy-v73.mat", {"coeff": darcy["coeff"], "sol": darcy["sol"]})


# --- PDEBench
with h5py.File(path("pdebench-burgers.hdf5"), "w") as f:
    f["tensor"] = value(100, (5, 4, 16), "nti").astype(single)
    f["x-coordinate"] = ((numpy.arange(16) + 0.5) / 16).astype(single)
    f["t-coordinate"] = (numpy.arange(5) / 4).astype(single)
    f.attrs["Nu"] = 0.01
with h5py.File(path("pdebench-darcy.hdf5"), "w") as f:
    f["tensor"] = value(200, (5, 9, 7), "nij").astype(single)[:, None]
    f["nu"] = value(100, (5, 9, 7), "nij").astype(single)
    f["x-coordinate"] = ((numpy.arange(9) + 0.5) / 9).astype(single)
    f["y-coordinate"] = ((numpy.arange(7) + 0.5) / 7).astype(single)
    f.attrs["beta"] = 1.0
with h5py.File(path("pdebench-compressible.hdf5"), "w") as f:
    for k, name in enumerate(["Vx", "Vy", "density", "pressure"]):
        f[name] = value(100 * k, (3, 4, 8, 6), "ntij").astype(single)
    f["x-coordinate"] = ((numpy.arange(8) + 0.5) / 8).astype(single)
    f["y-coordinate"] = ((numpy.arange(6) + 0.5) / 6).astype(single)
    f["t-coordinate"] = (numpy.arange(5) / 4).astype(single)
    f.attrs.update({"eta": 0.1, "zeta": 0.1, "M": 0.1})
with h5py.File(path("pdebench-reaction.h5"), "w") as f:
    for n in range(3):
        group = f.create_group(f"{n:04d}")
        both = [value(100 * k, (3, 4, 8, 6), "ntij")[n] for k in range(2)]
        group.create_dataset("data", data=numpy.stack(both, axis=-1).astype(single), compression="lzf")
        group.create_dataset("grid/x", data=(-1 + (numpy.arange(8) + 0.5) / 4).astype(single), compression="lzf")
        group.create_dataset("grid/y", data=(-1 + (numpy.arange(6) + 0.5) / 3).astype(single), compression="lzf")
        group.create_dataset("grid/t", data=(numpy.arange(4) / 4).astype(single), compression="lzf")
        group.attrs["config"] = "Du: 0.001\nDv: 0.005\nk: 0.005\nsim:\n  seed: %d\n" % n
with h5py.File(path("pdebench-incompressible.h5"), "w") as f:
    options = {"compression": "lzf", "shuffle": True}
    velocity = numpy.stack([value(100 * k, (2, 3, 8, 8), "ntij") for k in range(2)], axis=-1)
    f.create_dataset("velocity", data=velocity.astype(single), chunks=(1, 1, 8, 8, 2), **options)
    particles = value(200, (2, 3, 8, 8), "ntij")[..., None].astype(single)
    f.create_dataset("particles", data=particles, chunks=(1, 1, 8, 8, 1), **options)
    force = numpy.stack([value(300 + 100 * k, (2, 8, 8), "nij") for k in range(2)], axis=-1)
    f.create_dataset("force", data=force.astype(single), chunks=(1, 8, 8, 2), **options)
    f.create_dataset("t", data=numpy.tile(numpy.arange(3) / 2, (2, 1)).astype(single), chunks=(1, 3), **options)
    f.attrs["config"] = "NU: 0.01\nDT: 5.0e-05\n"
    f.attrs["latestIndex"] = 1

# --- The Well: two scalar fields, a vector, a parameter, periodic along x only.
with h5py.File(path("well.hdf5"), "w") as f:
    f.attrs.update({
        "dataset_name": "example", "grid_type": "cartesian", "n_spatial_dims": 2, "n_trajectories": 3,
        "simulation_parameters": ["Re"], "Re": 250.0,
    })

    def varying(item, sample, time):
        item.attrs["sample_varying"] = sample
        item.attrs["time_varying"] = time

    f.create_group("dimensions").attrs["spatial_dims"] = ["x", "y"]
    for name, points in [("time", numpy.arange(4) / 2), ("x", numpy.arange(8) / 8), ("y", numpy.linspace(0, 1, 6))]:
        varying(f["dimensions"].create_dataset(name, data=points.astype(single)), False, False)
    for name, kind in [("x", "PERIODIC"), ("y", "WALL")]:
        group = f.create_group(f"boundary_conditions/{name}_{kind.lower()}")
        group.attrs.update({"associated_dims": [name], "associated_fields": numpy.array([], dtype="S1"), "bc_type": kind})
        varying(group, False, False)
        group["mask"] = numpy.arange(8 if name == "x" else 6) % (7 if name == "x" else 5) == 0
    f.create_group("scalars").attrs["field_names"] = ["Re"]
    varying(f["scalars"].create_dataset("Re", data=250.0), False, False)
    fields = {
        "t0_fields": {"density": value(100, (3, 4, 8, 6), "ntij"), "force": value(200, (3, 8, 6), "nij")},
        "t1_fields": {"velocity": numpy.stack([value(300 + 100 * k, (3, 4, 8, 6), "ntij") for k in range(2)], axis=-1)},
        "t2_fields": {},
    }
    for group, members in fields.items():
        f.create_group(group).attrs["field_names"] = list(members) or numpy.array([], dtype="S1")
        for name, array in members.items():
            dataset = f[group].create_dataset(name, data=array.astype(single))
            dataset.attrs["dim_varying"] = [True, True]
            varying(dataset, True, name != "force")


# --- neuraloperator: as its bundled files, views with the samples fastest; the test file lies behind an offset.
def fortran(array):
    return torch.from_numpy(numpy.asfortranarray(array))


darcy_x = fortran(value(0, (5, 8, 6), "nij") * 128 % 3 == 0)
darcy_y = fortran(value(200, (5, 8, 6), "nij").astype(single))
torch.save({"x": darcy_x, "y": darcy_y}, path("darcy.pt"))
everything = value(200, (6, 5, 16), "nti")
whole = fortran(everything)
torch.save({"x": whole[2:, 0], "y": whole[2:], "visc": torch.tensor([[0.1]], dtype=torch.float64)}, path("burgers.pt"))
torch.save({
    "x": torch.from_numpy(value(1, (3, 8), "ni").astype(single)).to(torch.bfloat16),
    "y": torch.from_numpy(value(2, (3, 8), "ni").astype(single)).half(),
    "z": torch.from_numpy(value(3, (3, 8), "ni") * 128).long(),
}, path("types.pt"))

# --- numpy
arrays = {
    "x": value(100, (4, 6, 8), "nij").astype(single), "y": numpy.asfortranarray(value(200, (4, 6, 8), "nij")),
}
numpy.savez(path("stored.npz"), **arrays)
numpy.savez_compressed(path("compressed.npz"), **arrays)
numpy.savez(path("big-endian.npz"), a=value(100, (4, 16), "ni").astype(">f4"), u=value(200, (4, 16), "ni").astype(">f8"))
numpy.save(path("single.npy"), value(100, (4, 16), "ni"))

# --- HDF5 files that must be refused: they lead elsewhere, or in circles.
with h5py.File(path("external-storage.h5"), "w") as f:
    f.create_dataset("tensor", (4, 4, 8), "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
    f["x-coordinate"] = numpy.arange(8.0)
with h5py.File(path("external-link.h5"), "w") as f:
    f["tensor"] = h5py.ExternalLink("well.hdf5", "/t0_fields/density")
    f["x-coordinate"] = numpy.arange(8.0)
with h5py.File(path("soft-circle.h5"), "w") as f:
    f["tensor"] = h5py.SoftLink("/other")
    f["other"] = h5py.SoftLink("/tensor")
