"""Reference values for the Fourier neural operators: the files Tests/Golden/FNO/*.safetensors.

usage: python fno.py FOLDER     (needs torch, numpy, safetensors and neuraloperator 2.0)

Every file has the weights of a small model, a batch, and what PyTorch makes of them in double precision: output,
loss, the gradients of all weights, the losses of ten steps of Adam, and the output with the weights after them. The
models of the first paper and of the later code are written here from their equations; the third kind is
neuralop.models.FNO itself. The metadata say how far PyTorch's own single precision is from its double precision.
"""

import sys

import numpy
import torch
from safetensors.torch import save_file

GELU = torch.nn.functional.gelu
RELU = torch.relu


class SpectralConvolution(torch.nn.Module):
    """Complex matrices for the lowest modes; one array for every choice of signs of the leading frequencies."""

    def __init__(self, width, modes):
        super().__init__()
        self.modes = modes
        for corner in range(2 ** (len(modes) - 1)):
            shape = (width, width, *modes)
            weights = torch.complex(torch.randn(shape), torch.randn(shape)) / width
            self.register_parameter(f"weights{corner + 1}", torch.nn.Parameter(weights))

    def forward(self, u):
        axes = tuple(range(2, u.dim()))
        spectrum = torch.fft.rfftn(u, dim=axes)
        result = torch.zeros_like(spectrum)
        for corner in range(2 ** (len(self.modes) - 1)):
            block = [slice(None), slice(None)]
            for axis, m in enumerate(self.modes):
                block.append(slice(-m, None) if corner >> axis & 1 else slice(0, m))
            matrices = getattr(self, f"weights{corner + 1}")
            result[tuple(block)] = torch.einsum("bi...,io...->bo...", spectrum[tuple(block)], matrices)
        return torch.fft.irfftn(result, s=u.shape[2:], dim=axes)


class FNO(torch.nn.Module):
    """conv + w, normalised and activated, four times; lifting and projection act at every point."""

    def __init__(self, channels, width, modes, hidden, normalizes, activation, padding):
        super().__init__()
        dimensions = len(modes)
        self.activation, self.padding, self.normalizes = activation, padding, normalizes
        self.fc0 = torch.nn.Linear(channels + dimensions, width)
        for i in range(4):
            setattr(self, f"conv{i}", SpectralConvolution(width, modes))
            kind = torch.nn.Conv1d if normalizes else [torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d][dimensions - 1]
            setattr(self, f"w{i}", kind(width, width, 1))
            if normalizes:
                kind = [torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d][dimensions - 1]
                setattr(self, f"bn{i}", kind(width))
        self.fc1 = torch.nn.Linear(width, hidden)
        self.fc2 = torch.nn.Linear(hidden, 1)

    def forward(self, u):
        grid = u.shape[2:]
        axes = [torch.linspace(0, 1, n, dtype=u.dtype) for n in grid]
        coordinates = torch.stack(torch.meshgrid(*axes, indexing="ij")).expand(len(u), -1, *grid)
        x = torch.cat([u, coordinates], dim=1).movedim(1, -1)
        x = self.fc0(x).movedim(-1, 1)
        ends = [amount for p in reversed(self.padding) for amount in (0, p)]
        x = torch.nn.functional.pad(x, ends)
        for i in range(4):
            w = getattr(self, f"w{i}")
            skip = w(x.flatten(2)).reshape(x.shape) if self.normalizes else w(x)
            x = getattr(self, f"conv{i}")(x) + skip
            if self.normalizes:
                x = getattr(self, f"bn{i}")(x)
            if i < 3:
                x = self.activation(x)
        x = x[(slice(None), slice(None), *(slice(0, n) for n in grid))].movedim(1, -1)
        return self.fc2(self.activation(self.fc1(x))).movedim(-1, 1)


class RollOut(torch.nn.Module):
    """Frames one after another: the model inside sees the last frames, of which the newest is its own prediction."""

    def __init__(self, model, frames):
        super().__init__()
        self.model, self.frames = model, frames

    def forward(self, u):
        predictions = []
        for _ in range(self.frames):
            predictions.append(self.model(u))
            u = torch.cat([u[:, 1:], predictions[-1]], dim=1)
        return torch.cat(predictions, dim=1)


class SpaceTime(torch.nn.Module):
    """All frames at once: the input is repeated along time, the last axis of the grid of the model inside."""

    def __init__(self, model, frames):
        super().__init__()
        self.model, self.frames = model, frames

    def forward(self, u):
        v = self.model(u.unsqueeze(-1).expand(*u.shape, self.frames))
        return v[:, 0].movedim(-1, 1)


def relative_l2(prediction, target):
    """The sum over the batch of the relative distances."""
    difference = (prediction - target).flatten(1).norm(dim=1)
    return (difference / target.flatten(1).norm(dim=1)).sum()


def sum_over_frames(prediction, target):
    """The sum over batch and frames of the relative distances."""
    return sum(relative_l2(prediction[:, i], target[:, i]) for i in range(target.shape[1]))


def real(tensor):
    tensor = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return tensor.detach().to(torch.float32).contiguous().clone()


def record(model, u, target, distance):
    """What the model makes of a batch, in the precision of its weights."""
    dtype = next(p for p in model.parameters() if not p.is_complex()).dtype
    u, target = u.to(dtype), target.to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    values, losses = {}, []
    torch.cfloat = torch.complex128 if dtype == torch.float64 else torch.complex64  # which neuralop asks for
    model.train()
    for step in range(10):
        optimizer.zero_grad()
        output = model(u)
        loss = distance(output, target)
        loss.backward()
        if step == 0:
            values["output"] = output.detach().clone()
            for name, parameter in model.named_parameters():
                values[f"gradient/{name.removeprefix('model.')}"] = parameter.grad.clone()
        losses.append(loss.item())
        optimizer.step()
    model.eval()
    values["losses"] = torch.tensor(losses, dtype=torch.float64)
    values["evaluation"] = model(u).detach()
    return values


def double(model):
    """The model in double precision, complex weights included."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.complex128 if parameter.is_complex() else torch.float64)
    for name, buffer in model.named_buffers():
        if buffer.dtype == torch.float32:
            buffer.data = buffer.data.double()
    return model


def write(name, make, channels, grid, samples=3, frames=1, distance=relative_l2):
    seed = sum(map(ord, name))
    torch.cfloat = torch.complex64
    random = numpy.random.default_rng(seed)
    u = torch.tensor(random.standard_normal((samples, channels, *grid)), dtype=torch.float32)
    target = torch.tensor(random.standard_normal((samples, frames, *grid)), dtype=torch.float32)
    torch.manual_seed(seed)
    single = record(make(), u, target, distance)
    torch.manual_seed(seed)
    model = make()
    tensors = {f"weight/{key.removeprefix('model.')}": real(value) for key, value in model.state_dict().items() if torch.is_tensor(value) and value.dim() > 0}
    exact = record(double(model), u, target, distance)
    tensors |= {"input": u, "target": target} | {key: real(value) for key, value in exact.items()}
    scale = max(value.norm() for key, value in exact.items() if key.startswith("gradient/"))
    error = {key: ((single[key] - value).norm() / value.norm()).item() for key, value in exact.items()}
    # What batch normalisation takes out again has no gradient but rounding.
    zero = [key for key, value in exact.items() if value.norm() < 1e-10 * scale]
    gradients = [error[key] for key in error if key.startswith("gradient/") and key not in zero]
    errors = {key: error[key] for key in ("output", "losses", "evaluation")} | {"gradients": max(gradients)}
    metadata = {f"single precision {key}": f"{value:.3g}" for key, value in errors.items()}
    print(name, metadata)
    save_file(tensors, f"{sys.argv[1]}/{name}.safetensors", metadata)


def neuralop(modes, width, channels, **choices):
    from neuralop.models import FNO as NeuralOperator

    model = NeuralOperator(n_modes=modes, in_channels=channels, out_channels=1, hidden_channels=width, **choices)
    for name, parameter in model.named_parameters():
        if "_skips" in name and "conv" not in name or "convs" in name and name.endswith("bias"):
            parameter.data += 0.1 * torch.randn(parameter.shape)  # so that they are not all the same
    return model


if __name__ == "__main__":
    for normalizes, activation, kind in [(True, RELU, "fno2020"), (False, GELU, "modern")]:
        for channels, width, modes, grid, padding in [
            (1, 8, (4,), (16,), (3,)),
            (2, 6, (3, 2), (9, 8), (3, 2)),
            (2, 4, (2, 1, 2), (6, 5, 4), (0, 0, 3)),
        ]:
            padding = padding if not normalizes else (0,) * len(grid)
            write(
                f"{kind}-{len(grid)}d",
                lambda: FNO(channels, width, modes, 16, normalizes, activation, padding), channels, grid)
    # An odd number of points along an axis that is not the last is shifted wrongly there: fftshift twice is not nothing.
    for channels, width, modes, grid in [(1, 8, (8,), (16,)), (2, 6, (6, 4), (10, 9)), (1, 4, (4, 2, 4), (6, 4, 5))]:
        write(f"neuralop-{len(grid)}d", lambda: neuralop(modes, width, channels), channels, grid)
    # The other skip connections, no mixing of channels, and ReLU, which does not reach into the mixing.
    for kind, choices in {
        "gating": {"fno_skip": "soft-gating", "channel_mlp_skip": "linear"},
        "identity": {"fno_skip": "identity", "channel_mlp_skip": None},
        "none": {"fno_skip": None, "channel_mlp_skip": "identity"},
        "unmixed": {"use_channel_mlp": False, "lifting_channel_ratio": 0},
        "relu": {"non_linearity": RELU},
    }.items():
        write(f"neuralop-{kind}", lambda: neuralop((6, 4), 4, 1, **choices), 1, (8, 6), samples=2)
    write(
        "recurrent-2d", lambda: RollOut(FNO(3, 6, (3, 2), 16, True, RELU, (0, 0)), 4), 3, (8, 6), frames=4,
        distance=sum_over_frames)
    write(
        "space-time-2d", lambda: SpaceTime(FNO(3, 4, (2, 1, 2), 16, True, RELU, (0, 0, 0)), 5), 3, (6, 4), frames=5)
