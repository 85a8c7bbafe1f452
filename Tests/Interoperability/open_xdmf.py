"""Opens the XDMF file beside each dataset with ParaView's reader and compares every number with h5py's.

Usage: open_xdmf.py FILE.h5 ...; needs h5py, numpy and vtk, whose vtkXdmfReader is ParaView's "XDMF Reader".
Of a dataset of vertices in two dimensions every frame must be an image in the plane of the screen; of one in one
dimension, an image of space and time. 32 samples are listed at most.
"""
import pathlib
import sys

import h5py
import numpy
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline as Pipeline
from vtkmodules.vtkIOXdmf2 import vtkXdmfReader


def coordinates(image):
    """The points along every axis, slowest axis first."""
    if image.IsA("vtkRectilinearGrid"):
        axes = image.GetXCoordinates(), image.GetYCoordinates(), image.GetZCoordinates()
        return [vtk_to_numpy(axis) for axis in reversed(axes)]
    return [
        origin + spacing * numpy.arange(count)
        for origin, spacing, count in reversed(
            list(zip(image.GetOrigin(), image.GetSpacing(), image.GetDimensions()))
        )
    ]


def compare(image, fields, axes, where):
    """Compares one image with its fields, each of the shape of the axes."""
    points = coordinates(image)
    assert len(points[0]) == 1, f"{where}: {image.GetDimensions()} is no image in the plane of the screen"
    for found, expected in zip(points[1:], axes):
        numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-12, err_msg=where)
    data = image.GetPointData()
    assert {data.GetArrayName(i) for i in range(data.GetNumberOfArrays())} == set(fields), where
    for name, expected in fields.items():
        found = vtk_to_numpy(data.GetArray(name)).reshape(expected.shape)
        assert found.dtype == expected.dtype and (found == expected).all(), f"{where}: {name} differs"


def check(path):
    with h5py.File(path) as file:
        fields = {name: file["t0_fields"][name] for name in file["t0_fields"].attrs["field_names"]}
        varying = {name for name in fields if fields[name].attrs["time_varying"]}
        fields = {name: field[:32] for name, field in fields.items()}
        axes = [file["dimensions"][name][:] for name in file["dimensions"].attrs["spatial_dims"]]
        times = file["dimensions/time"][:]
    if len(axes) == 1 and varying:  # one image of space and time for each sample
        fields = {name: fields[name] for name in varying}
        axes = [times] + axes
    elif len(axes) == 1:
        axes = [numpy.zeros(1)] + axes
    is_film = len(axes) == 2 and varying and axes[0] is not times
    samples = min(32, len(next(iter(fields.values()))))

    reader = vtkXdmfReader()
    reader.SetFileName(str(pathlib.Path(path).with_suffix(".xmf")))
    reader.UpdateInformation()
    information = reader.GetOutputInformation(0)
    steps = [information.Get(Pipeline.TIME_STEPS(), i) for i in range(information.Length(Pipeline.TIME_STEPS()))]
    expected_steps = times if is_film else numpy.arange(samples)
    numpy.testing.assert_allclose(steps, expected_steps, err_msg=path)
    images = 0
    for number, step in enumerate(steps):
        reader.UpdateTimeStep(step)
        output = reader.GetOutputDataObject(0)
        if is_film:
            blocks = [output.GetBlock(i) for i in range(output.GetNumberOfBlocks())] if output.IsA(
                "vtkMultiBlockDataSet") else [output]
            assert len(blocks) == samples, f"{path}: {len(blocks)} of {samples} samples"
            for sample, block in enumerate(blocks):
                frame = {
                    name: field[sample, number] if name in varying else field[sample]
                    for name, field in fields.items()
                }
                compare(block, frame, axes, f"{path}: sample {sample}, time {step}")
                images += 1
        else:
            shape = [len(axis) for axis in axes]
            whole = {name: field[number].reshape(shape) for name, field in fields.items()}
            compare(output, whole, axes, f"{path}: sample {number}")
            images += 1
    shape = " x ".join(str(len(axis)) for axis in axes)
    print(f"{path}: ParaView's reader shows the numbers of {images} images of {shape}")


for argument in sys.argv[1:]:
    check(argument)
assert len(sys.argv) > 1, __doc__
