"""Writes Tests/TrainingTests/Fixtures/xd.h5: CNN and XD models from their formulas, with dense matrices.

python3 xd.py [PATH]        needs PyTorch, NumPy and h5py

Independent of the Swift code: K-matrices are multiplied out as dense matrices, XD-operations are products with
them, convolutions are PyTorch's, everything in double precision from single-precision weights, and autograd
finds the gradients. For every case the file holds the weights, a batch, the outputs, the loss (the sum of the
samples' relative L2 errors), its gradients, and the losses of ten steps on that batch, in which Adam
changes the weights and another optimizer the twiddles.

Formulas: Roberts et al., "Rethinking neural operations for diverse tasks", NeurIPS 2021; twiddles as in Dao
et al., "Kaleidoscope", ICLR 2020.
"""

import json
import math
import sys

import h5py
import numpy
import torch

CASES = {
    "cnn-1d": dict(grid=[16], width=4, kernel=[5], xd=None),
    "cnn-2d": dict(grid=[7, 8], width=3, kernel=[3, 3], xd=None),
    "xd-1d": dict(grid=[16], width=4, kernel=[5], xd=dict(depth=[1, 1, 1], kind="adam", rate=1e-3, momentum=0.0)),
    "xd-2d": dict(grid=[7, 8], width=3, kernel=[3, 3], xd=dict(depth=[1, 1, 1], kind="sgd", rate=1e-2, momentum=0.5)),
    "xd-deep": dict(grid=[6], width=3, kernel=[3], xd=dict(depth=[3, 2, 2], kind="sgd", rate=1e-2, momentum=0.5)),
    "xd-3d": dict(grid=[4, 3, 5], width=2, kernel=[3, 3, 3], xd=dict(depth=[1, 1, 1], kind="adam", rate=1e-3, momentum=0.0)),
}
LAYERS, HIDDEN, BATCH, RATE, DECAY = 2, 6, 3, 1e-3, 1e-4


def stride_of(size, increasing, factor):
    levels = int(math.log2(size))
    return 2**factor if increasing else 2 ** (levels - 1 - factor)


def is_increasing(block, begins_increasing):
    return (block % 2 == 0) == begins_increasing


def dense(twiddle, begins_increasing):
    """The matrix of a K-matrix: twiddle [block, factor, pair, 2, 2, re/im], a complex [n, n]."""
    t = torch.view_as_complex(twiddle)
    depth, levels, pairs = t.shape[:3]
    size = 2 * pairs
    matrix = torch.eye(size, dtype=torch.complex128)  # columns are transformed
    for block in range(depth):
        for factor in range(levels):
            s = stride_of(size, is_increasing(block, begins_increasing), factor)
            x = matrix.reshape(size // (2 * s), 2, s, size)
            f = t[block, factor].reshape(size // (2 * s), s, 2, 2)
            matrix = torch.einsum("qrab,qbrn->qarn", f, x).reshape(size, size)
    return matrix


def identity(size):
    levels = int(math.log2(size))
    return numpy.tile(numpy.eye(2, dtype=complex), (levels, size // 2, 1, 1))


def fourier_block(size, inverse, scale):
    """Decimation in frequency (decreasing strides), or in time for the inverse (increasing)."""
    levels = int(math.log2(size))
    block = numpy.zeros((levels, size // 2, 2, 2), dtype=complex)
    for factor in range(levels):
        s = stride_of(size, inverse, factor)
        for pair in range(size // 2):
            e = numpy.exp((2j if inverse else -2j) * numpy.pi * (pair % s) / (2 * s))
            block[factor, pair] = numpy.array([[1, e], [1, -e]] if inverse else [[1, 1], [e, -e]]) * scale
    return block


def matrices(size, depth):
    """Warm starts: K, L, M and whether their first blocks have increasing strides."""
    root = 1 / math.sqrt(2)
    k = [fourier_block(size, True, root)] + [identity(size)] * (depth[0] - 1)
    l = [identity(size)] * (depth[1] - 1) + [fourier_block(size, False, 1)]
    m = [identity(size)] * (depth[2] - 1) + [fourier_block(size, False, root)]
    return (numpy.stack(k), True), (numpy.stack(l), depth[1] % 2 == 0), (numpy.stack(m), depth[2] % 2 == 0)


def along(matrix, x, axis):
    """A matrix along one axis of x."""
    return torch.movedim(torch.tensordot(matrix, x, dims=([1], [axis])), 0, axis)


class Model:
    def __init__(self, case, random):
        self.case = case
        grid, width, kernel = case["grid"], case["width"], case["kernel"]
        self.axes = len(grid)
        self.parameters = {}
        self.architecture = set()
        self.begins = {}

        def linear(name, outputs, inputs):
            bound = 1 / math.sqrt(inputs)
            self.parameters[name + ".weight"] = random.uniform(-bound, bound, (outputs, inputs))
            self.parameters[name + ".bias"] = random.uniform(-bound, bound, outputs)

        linear("lifting", width, 1 + self.axes)
        for layer in range(LAYERS):
            name = f"layers.{layer}"
            bound = 1 / math.sqrt(width * numpy.prod(kernel))
            self.parameters[f"{name}.convolution.weight"] = random.uniform(-bound, bound, [width, width] + kernel)
            if case["xd"]:
                # A circular padding of a grid that is no power of two is one with zeros.
                for axis, (points, taps) in enumerate(zip(grid, kernel)):
                    size = 2
                    while size < points or (size < points + taps // 2 and points & (points - 1)):
                        size *= 2
                    for letter, (twiddle, begins) in zip("klm", matrices(size, case["xd"]["depth"])):
                        key = f"{name}.convolution.architecture.{letter}.{axis}.twiddle"
                        # A little off the warm start, so that nothing vanishes by symmetry.
                        noise = random.normal(size=twiddle.shape) + 1j * random.normal(size=twiddle.shape)
                        twiddle = twiddle + 0.02 * noise
                        self.parameters[key] = numpy.stack([twiddle.real, twiddle.imag], -1)
                        self.architecture.add(key)
                        self.begins[key] = begins
            linear(f"{name}.skip", width, width)
            self.parameters[f"{name}.normalization.scale"] = random.uniform(0.5, 1.5, width)
            self.parameters[f"{name}.normalization.shift"] = random.uniform(-0.5, 0.5, width)
        linear("projection.hidden", HIDDEN, width)
        linear("projection.output", 1, HIDDEN)
        self.parameters = {
            name: torch.tensor(value.astype(numpy.float32).astype(float), requires_grad=True)
            for name, value in self.parameters.items()
        }

    def convolve(self, x, name):
        w = self.parameters[f"{name}.weight"]
        kernel = self.case["kernel"]
        if not self.case["xd"]:
            pad = [p for k in reversed(kernel) for p in (k // 2, k // 2)]
            x = torch.nn.functional.pad(x, pad, mode="circular")
            return [torch.nn.functional.conv1d, torch.nn.functional.conv2d][self.axes - 1](x, w)
        grid = self.case["grid"]
        dense_of = lambda letter, axis: dense(
            self.parameters[f"{name}.architecture.{letter}.{axis}.twiddle"],
            self.begins[f"{name}.architecture.{letter}.{axis}.twiddle"])
        sizes = [dense_of("m", axis).shape[0] for axis in range(self.axes)]
        # Tap j acts at the distance p - j: the filter as a vector of the size of the K-matrices.
        filters = torch.zeros(list(w.shape[:2]) + sizes, dtype=torch.complex128)
        depth = self.case["xd"]["depth"]
        places = [[(k // 2 - j) % n for j in range(k)] for k, n in zip(kernel, sizes)]
        if depth[1] >= 3:
            raise ValueError("the taps are moved by twiddles from depth 3 on")
        filters = filters.index_put(
            (torch.arange(w.shape[0])[(...,) + (None,) * (1 + self.axes)],
             torch.arange(w.shape[1])[(...,) + (None,) * self.axes])
            + tuple(
                torch.tensor(place)[(...,) + (None,) * (self.axes - 1 - axis)]
                for axis, place in enumerate(places)),
            w.to(torch.complex128))
        padded = torch.zeros(list(x.shape[:2]) + sizes, dtype=torch.complex128)
        padded[(slice(None), slice(None)) + tuple(slice(0, n) for n in grid)] = x.to(torch.complex128)
        for axis in range(self.axes):
            filters = along(dense_of("l", axis), filters, 2 + axis)
            padded = along(dense_of("m", axis), padded, 2 + axis)
        y = torch.einsum("oi...,bi...->bo...", filters, padded)
        for axis in range(self.axes):
            y = along(dense_of("k", axis), y, 2 + axis)
        return y.real[(slice(None), slice(None)) + tuple(slice(0, n) for n in grid)]

    def linear(self, x, name):
        w, b = self.parameters[name + ".weight"], self.parameters[name + ".bias"]
        return torch.einsum("oi,bi...->bo...", w, x) + b.reshape([-1] + [1] * self.axes)

    def normalize(self, x, name):
        axes = [0] + list(range(2, 2 + self.axes))
        mean = x.mean(dim=axes, keepdim=True)
        variance = ((x - mean) ** 2).mean(dim=axes, keepdim=True)
        shape = [1, -1] + [1] * self.axes
        return (x - mean) / torch.sqrt(variance + 1e-5) * self.parameters[name + ".scale"].reshape(
            shape) + self.parameters[name + ".shift"].reshape(shape)

    def __call__(self, u):
        coordinates = torch.stack(torch.meshgrid(
            *[torch.linspace(0, 1, n, dtype=torch.float64) for n in self.case["grid"]], indexing="ij"))
        x = torch.cat([u, coordinates.expand([u.shape[0]] + list(coordinates.shape))], dim=1)
        x = self.linear(x, "lifting")
        for layer in range(LAYERS):
            name = f"layers.{layer}"
            x = self.convolve(x, f"{name}.convolution") + self.linear(x, f"{name}.skip")
            x = self.normalize(x, f"{name}.normalization")
            if layer < LAYERS - 1:
                x = torch.relu(x)
        return self.linear(torch.relu(self.linear(x, "projection.hidden")), "projection.output")


def loss_of(output, target):
    difference = (output - target).flatten(1).norm(dim=1)
    return (difference / target.flatten(1).norm(dim=1)).sum()


def main(path):
    with h5py.File(path, "w") as file:
        for number, (name, case) in enumerate(CASES.items()):
            random = numpy.random.default_rng(number)
            model = Model(case, random)
            u = torch.tensor(random.normal(size=[BATCH, 1] + case["grid"]).astype(numpy.float32).astype(float))
            target = torch.tensor(random.normal(size=[BATCH, 1] + case["grid"]).astype(numpy.float32).astype(float))
            group = file.create_group(name)
            description = dict(case, layers=LAYERS, hidden=HIDDEN, rate=RATE, decay=DECAY)
            group.attrs["case"] = json.dumps(description)
            for key, value in model.parameters.items():
                group[f"parameters/{key}"] = value.detach().numpy().astype(numpy.float32)
            output = model(u)
            loss = loss_of(output, target)
            loss.backward()
            group["input"] = u.numpy().astype(numpy.float32)
            group["target"] = target.numpy().astype(numpy.float32)
            group["output"] = output.detach().numpy()
            group["loss"] = loss.item()
            for key, value in model.parameters.items():
                group[f"gradients/{key}"] = value.grad.numpy().astype(numpy.float32)

            weights = [v for k, v in model.parameters.items() if k not in model.architecture]
            twiddles = [v for k, v in model.parameters.items() if k in model.architecture]
            optimizers = [torch.optim.Adam(weights, lr=RATE, weight_decay=DECAY)]
            if case["xd"]:
                xd = case["xd"]
                optimizers.append(
                    torch.optim.Adam(twiddles, lr=xd["rate"], weight_decay=DECAY) if xd["kind"] == "adam" else
                    torch.optim.SGD(twiddles, lr=xd["rate"], momentum=xd["momentum"], weight_decay=DECAY))
            losses = []
            for _ in range(10):
                for optimizer in optimizers:
                    optimizer.zero_grad()
                loss = loss_of(model(u), target)
                losses.append(loss.item())
                loss.backward()
                for optimizer in optimizers:
                    optimizer.step()
            group["losses"] = losses
            print(name, ["%.6f" % x for x in losses])


main(sys.argv[1] if len(sys.argv) > 1 else "Tests/TrainingTests/Fixtures/xd.h5")
