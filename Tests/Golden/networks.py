"""Reference values for residual networks and U-nets: the files Tests/Golden/Networks/*.safetensors.

usage: python networks.py FOLDER     (needs torch, numpy and safetensors)

The networks are written here from their descriptions in docs/models.md. The names of their parts are those of the
layout `plain`, so that `phalarope export` writes what `load_state_dict` takes. What the files hold: see fno.py.
"""

import sys

import torch

import fno

ACTIVATIONS = {"relu": fno.RELU, "gelu": fno.GELU, "identity": lambda u: u}
CONVOLUTIONS = [torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d]
TRANSPOSED = [torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d]
NORMALIZATIONS = [torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d]
POOLING = {
    "maximum": [torch.nn.functional.max_pool1d, torch.nn.functional.max_pool2d, torch.nn.functional.max_pool3d],
    "average": [torch.nn.functional.avg_pool1d, torch.nn.functional.avg_pool2d, torch.nn.functional.avg_pool3d],
}


def with_coordinates(u, kind):
    if kind == "none":
        return u
    grid = u.shape[2:]
    ends = [1 if kind == "inclusive" else 1 - 1 / n for n in grid]
    axes = [torch.linspace(0, end, n, dtype=u.dtype) for n, end in zip(grid, ends)]
    coordinates = torch.stack(torch.meshgrid(*axes, indexing="ij")).expand(len(u), -1, *grid)
    return torch.cat([u, coordinates], dim=1)


def pointwise(inputs, outputs, dimensions):
    return CONVOLUTIONS[dimensions - 1](inputs, outputs, 1)


class Perceptron(torch.nn.Module):
    def __init__(self, inputs, hidden, outputs, activation, dimensions):
        super().__init__()
        self.hidden, self.output = pointwise(inputs, hidden, dimensions), pointwise(hidden, outputs, dimensions)
        self.activation = activation

    def forward(self, u):
        return self.output(self.activation(self.hidden(u)))


class Unit(torch.nn.Module):
    """activation(normalisation(convolution(u)))"""

    def __init__(self, inputs, outputs, kernel, normalization, padding_mode, dilation, groups, activation):
        super().__init__()
        self.convolution = CONVOLUTIONS[len(kernel) - 1](
            inputs, outputs, kernel, padding=[dilation * (k // 2) for k in kernel], dilation=dilation, groups=groups,
            padding_mode=padding_mode, bias=normalization == "none")
        self.normalization = NORMALIZATIONS[len(kernel) - 1](outputs) if normalization == "batch" else None
        self.activation = activation

    def forward(self, u):
        u = self.convolution(u)
        return self.activation(u if self.normalization is None else self.normalization(u))


class Double(torch.nn.Module):
    def __init__(self, inputs, outputs, last, config):
        super().__init__()
        settings = [config["kernel"], config["normalization"], config["padding_mode"]]
        settings += [config.get("dilation", 1), config.get("groups", 1)]
        self.first = Unit(inputs, outputs, *settings, ACTIVATIONS[config["activation"]])
        self.second = Unit(outputs, outputs, *settings, last)

    def forward(self, u):
        return self.second(self.first(u))


class Network(torch.nn.Module):
    """What both have at their ends; `config` is that of an exported file's metadata."""

    def __init__(self, config):
        super().__init__()
        self.config, self.dimensions = config, len(config["kernel"])
        self.activation = ACTIVATIONS[config["activation"]]
        inputs = config["in_channels"] + (0 if config["coordinates"] == "none" else self.dimensions)
        self.lifting = pointwise(inputs, config["width"], self.dimensions)
        self.projection = Perceptron(
            config["width"], config["projection_width"], config["out_channels"], self.activation, self.dimensions)

    def forward(self, u):
        return self.projection(self.body(self.lifting(with_coordinates(u, self.config["coordinates"]))))


class ResNet(Network):
    def __init__(self, config):
        super().__init__(config)
        width = config["width"]
        self.blocks = torch.nn.ModuleList(
            Double(width, width, ACTIVATIONS["identity"], config) for _ in range(config["layers"]))

    def body(self, u):
        for block in self.blocks:
            u = self.activation(u + block(u))
        return u


class UNet(Network):
    def __init__(self, config):
        super().__init__(config)
        widths = [config["width"] << level for level in range(config["layers"] + 1)]
        transposed, d = config.get("upsampling") == "transposed", self.dimensions
        self.down = torch.nn.ModuleList(
            Double(widths[max(0, i - 1)], width, self.activation, config) for i, width in enumerate(widths))
        self.up = torch.nn.ModuleList(
            Double(width + (width if transposed else 2 * width), width, self.activation, config)
            for width in widths[:-1])
        self.coarser = torch.nn.ModuleList(
            CONVOLUTIONS[d - 1](width, width, 3, stride=2, padding=1, padding_mode=config["padding_mode"])
            for width in widths[:-1] if config.get("downsampling") == "strided")
        self.finer = torch.nn.ModuleList(
            TRANSPOSED[d - 1](2 * width, width, 2, stride=2) for width in widths[:-1] if transposed)

    def body(self, u):
        levels = [self.down[0](u)]
        for level in range(self.config["layers"]):
            kind = self.config.get("downsampling", "maximum")
            coarse = (
                self.coarser[level](levels[-1]) if kind == "strided"
                else POOLING[kind][self.dimensions - 1](levels[-1], 2, ceil_mode=True))
            levels.append(self.down[level + 1](coarse))
        v = levels[-1]
        for level in reversed(range(self.config["layers"])):
            fine = levels[level]
            if self.finer:
                v = self.finer[level](v)
            else:
                for axis in range(2, v.dim()):
                    v = v.repeat_interleave(2, dim=axis)
            v = v[(slice(None), slice(None), *(slice(0, n) for n in fine.shape[2:]))]
            v = self.up[level](torch.cat([fine, v], dim=1))
        return v


def config(kernel, **choices):
    return {
        "kernel": kernel, "width": 4, "layers": 2, "in_channels": 1, "out_channels": 1, "projection_width": 8,
        "activation": "gelu", "normalization": "none", "padding_mode": "circular", "coordinates": "inclusive",
    } | choices


if __name__ == "__main__":
    for name, make, grid, settings in [
        ("resnet-1d", ResNet, (16,), config([5], normalization="batch", activation="relu")),
        ("resnet-2d", ResNet, (7, 9), config([3, 3], padding_mode="zeros", dilation=2, groups=2)),
        ("unet-1d", UNet, (13,), config([3], normalization="batch", coordinates="periodic")),
        ("unet-2d", UNet, (8, 11), config([3, 3], width=2, padding_mode="zeros", downsampling="average")),
        (
            "unet-convolutional-2d", UNet, (8, 8),
            config([3, 3], width=2, downsampling="strided", upsampling="transposed")),
    ]:
        fno.write(name, lambda: make(settings), 1, grid, samples=2)
