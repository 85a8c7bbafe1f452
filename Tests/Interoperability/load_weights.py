"""Exported weights in PyTorch: a plain model of the original kind and neuralop.models.FNO give our predictions.

usage: python load_weights.py PHALAROPE RUN...     (needs torch, h5py, safetensors and neuraloperator 2.0)

Every run is exported in the layouts that it has; the models predict samples of the run's test set, with the
normalizers of the file's metadata, and must agree with the run's own predictions to 1e-5. Residual networks and U-nets
are those of Tests/Golden/networks.py. Last, weights of neuraloperator's
own making are imported, and `phalarope predict` must agree with its model. To be run where test-deep has made data
and runs.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import h5py
import torch
from safetensors import safe_open

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Golden"))
import fno as golden
import networks


def original(config, tensors):
    """The plain model of Tests/Golden/fno.py with the arrays of a file in the layout fno2020."""
    activation = {"relu": golden.RELU, "gelu": golden.GELU}[config["activation"]]
    model = golden.FNO(
        config["in_channels"], config["width"], config["modes"], config["projection_width"],
        config["normalization"] == "batch", activation, config["padding"])
    complex_names = {name for name, value in model.state_dict().items() if value.is_complex()}
    model.load_state_dict({k: torch.view_as_complex(v) if k in complex_names else v for k, v in tensors.items()})
    return model


def neuralop(config, tensors, activation):
    from neuralop.models import FNO

    model = FNO(**config, non_linearity={"relu": golden.RELU, "gelu": golden.GELU}[activation])
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected and set(missing) <= {"_metadata"}, (missing, unexpected)
    return model


def plain(config, tensors, kind):
    """A residual network or a U-net with the arrays of a file in the layout plain."""
    model = {"resnet": networks.ResNet, "unet": networks.UNet}[kind](config)
    model.load_state_dict(tensors)
    return model


def scaled(fields, scaling, decode=False):
    if scaling is None:
        return fields
    mean, scale = (torch.tensor(scaling[key]).reshape(scaling["shape"]) for key in ("mean", "scale"))
    if mean.dim() == 1:
        mean, scale = (value.reshape(-1, *[1] * (fields.dim() - 2)) for value in (mean, scale))
    return fields * scale + mean if decode else (fields - mean) / scale


def apply(model, description, u):
    """The model as it is, frame by frame, or with time as the last axis of its grid."""
    kind = description["kind"]
    if kind == "recurrent":
        frames = []
        for _ in range(description["frames"]):
            frames.append(model(u))
            u = torch.cat([u[:, 1:], frames[-1]], dim=1)
        return torch.cat(frames, dim=1)
    if kind == "space-time":
        v = model(u.unsqueeze(-1).expand(*u.shape, description["frames"]))
        return v.movedim(-1, 2).flatten(1, 2)
    return model(u)


def check(phalarope, run, layout, folder):
    weights = f"{folder}/{layout}.safetensors"
    command = [phalarope, "export", run, "--layout", layout, "--output", weights, "--overwrite", "--quiet"]
    outcome = subprocess.run(command, capture_output=True, text=True)
    if outcome.returncode == 64:
        print(f"{run}: not in the layout {layout}: {outcome.stderr.strip()}")
        return
    assert outcome.returncode == 0, outcome.stderr
    with safe_open(weights, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    config, normalizers = json.loads(metadata["config"]), json.loads(metadata["normalizers"])
    with h5py.File(f"{run}/evaluation.h5") as file:
        u, prediction = torch.tensor(file["input"][:]), torch.tensor(file["prediction"][:])
    if layout == "plain":
        model = plain(config, tensors, json.loads(metadata["model"])["kind"]).eval()
    elif layout == "neuralop":
        model = neuralop(config, tensors, metadata["activation"]).eval()
    else:
        model = original(config, tensors).eval()
    with torch.no_grad():
        output = apply(model, json.loads(metadata["model"]), scaled(u, normalizers.get("input")))
        output = scaled(output, normalizers.get("output"), decode=True)
    error = ((output - prediction).norm() / prediction.norm()).item()
    print(f"{run}: {layout} in PyTorch differs by {error:.1e}")
    assert error < 1e-5, "more than single precision explains"


def check_import(phalarope, folder):
    """Fresh weights of neuralop.models.FNO in a run folder predict what they predict there."""
    from neuralop.models import FNO
    from safetensors.torch import save_file

    torch.manual_seed(3)
    model = FNO(n_modes=(16, 14), in_channels=5, out_channels=10, hidden_channels=16).eval()
    arrays = {name: value for name, value in model.state_dict().items() if torch.is_tensor(value)}
    save_file(arrays, f"{folder}/theirs.safetensors")
    keys = ["time=channels", "lifting_width=32", "mixing_width=8", "projection_width=32", "coordinates=periodic"]
    subprocess.run(
        [phalarope, "import", f"{folder}/theirs.safetensors", "--layout", "neuralop", "--output", f"{folder}/theirs",
         "--config", "configs/quickstart/navier-stokes-fno-2d.yaml", *(f"model.{key}" for key in keys)], check=True)
    data = "data/quickstart/navier-stokes-frames.h5"
    subprocess.run(
        [phalarope, "predict", f"{folder}/theirs", "--input", data, "--output", f"{folder}/p.h5", "--quiet"], check=True)
    with h5py.File(f"{folder}/p.h5") as file:
        vorticity = torch.tensor(file["t0_fields/vorticity"][:8])
    with torch.no_grad():
        output = model(vorticity[:, :5])
    error = ((output - vorticity[:, 5:]).norm() / output.norm()).item()
    print(f"weights of neuraloperator's own differ by {error:.1e}")
    assert error < 1e-5, "more than single precision explains"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for run in sys.argv[2:]:
            for layout in ("fno2020", "neuralop", "plain"):
                check(sys.argv[1], run, layout, folder)
        check_import(sys.argv[1], folder)
