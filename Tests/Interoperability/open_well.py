"""Gives dataset files to The Well: its format checker must pass each, its loader must return their numbers.

Usage: open_well.py CHECKER FILE.h5 ...; needs the package the_well (with torch) and h5py. CHECKER is the path of
scripts/check_thewell_formatting.py in https://github.com/PolymathicAI/the_well, which the package leaves out.
"""
import importlib.util
import pathlib
import shutil
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")

import h5py
import numpy
from the_well.data import WellDataset

KINDS = {"WALL": 0, "OPEN": 1, "PERIODIC": 2}


def load(path, split):
    """Every item of a dataset in the folders that The Well prescribes, compared with the file."""
    with h5py.File(path) as file:
        fields = {name: file["t0_fields"][name] for name in file["t0_fields"].attrs["field_names"]}
        varying = [name for name in fields if fields[name].attrs["time_varying"]]
        fields = {name: field[:] for name, field in fields.items()}
        axes = [file["dimensions"][name][:] for name in file["dimensions"].attrs["spatial_dims"]]
        times = file["dimensions/time"][:]
        scalars = [file["scalars"][name][()] for name in file["scalars"].attrs["field_names"]]
        kinds = {
            dimension: KINDS[condition.attrs["bc_type"]]
            for condition in file["boundary_conditions"].values()
            for dimension in condition.attrs["associated_dims"]
        }
        kinds = [kinds[name] for name in file["dimensions"].attrs["spatial_dims"]]
    steady = [name for name in fields if name not in varying]
    count = len(next(iter(fields.values())))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("train", "valid", "test"):
            target = pathlib.Path(folder) / "data" / name
            target.mkdir(parents=True)
            if name == split:
                shutil.copy(path, target / (pathlib.Path(path).stem + ".hdf5"))
        # A steady dataset has one time and no field that varies in it: nothing to predict from it.
        output = 1 if varying else 0
        dataset = WellDataset(
            path=folder, well_split_name=split, use_normalization=False, n_steps_input=1, n_steps_output=output)
        windows = len(times) - output
        assert len(dataset) == count * windows, (path, len(dataset))
        assert dataset.metadata.spatial_resolution == tuple(len(axis) for axis in axes), path
        for index in range(len(dataset)):
            sample, frame = divmod(index, windows)
            item = dataset[index]
            if varying:
                expected = numpy.stack([fields[name][sample] for name in varying], axis=-1)
                for key, start in (("input_fields", frame), ("output_fields", frame + 1)):
                    assert (item[key].numpy() == expected[start:start + 1]).all(), (path, key, index)
            if steady:
                expected = numpy.stack([fields[name][sample] for name in steady], axis=-1)
                assert (item["constant_fields"].numpy() == expected).all(), (path, index)
            if scalars:
                numpy.testing.assert_array_equal(item["constant_scalars"].numpy(), numpy.stack(scalars))
            grid = numpy.stack(numpy.meshgrid(*axes, indexing="ij"), axis=-1)
            numpy.testing.assert_array_equal(item["space_grid"].numpy(), grid)
            expected = numpy.array([[kind, kind] for kind in kinds])
            numpy.testing.assert_array_equal(item["boundary_conditions"].numpy(), expected)
    return len(dataset)


assert len(sys.argv) > 2, __doc__
specification = importlib.util.spec_from_file_location("checker", sys.argv[1])
checker = importlib.util.module_from_spec(specification)
specification.loader.exec_module(checker)
for number, argument in enumerate(sys.argv[2:]):
    checker.check_hdf5_format(argument)
    items = load(argument, ("train", "valid", "test")[number % 3])
    print(f"{argument}: The Well's checker passes it, its loader returns the numbers of {items} items")
