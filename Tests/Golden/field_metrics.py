"""Prints the reference values of PDEBenchMetricsTests and SpectralErrorTests, with numpy alone.

PDEBench's six measures are written here from their definitions (Takamoto et al., NeurIPS 2022, and the comments of
its metric_func), with whole FFTs and loops over every mode; VRMSE is The Well's.

Run with: pip install numpy; python3 field_metrics.py
With --check (pip install torch the_well, and the folder of a checkout of github.com/pdebench/PDEBench as argument) the
two programs' own functions are called too, and must agree.
"""
import sys
import types

import numpy as np


def field(shape, shift):
    index = np.arange(np.prod(shape), dtype=np.float64)
    return (np.sin(0.37 * index + shift) + 0.3 * np.cos(1.9 * index * (1 + shift)) + 0.2).reshape(shape).astype(np.float32)


def pdebench(p, t):
    p, t = p.astype(np.float64), t.astype(np.float64)
    axes = tuple(range(2, p.ndim))
    grid = p.shape[2:]
    n = np.prod(grid)
    e = p - t
    rmse = np.sqrt((e**2).mean(axes))
    nrmse = (rmse / np.sqrt((t**2).mean(axes))).mean(0)
    csv = np.sqrt((e.sum(axes) ** 2).mean(0)) / n
    largest = np.abs(e).max(axes).max(0)
    if len(grid) == 1:
        bd = np.sqrt((e[:, :, 0] ** 2 + e[:, :, -1] ** 2) / 2).mean(0)
        f = np.sqrt((np.abs(np.fft.rfft(e, axis=2)) ** 2).mean(0)) / n
    else:
        nx, ny = grid
        edges = (e[:, :, 0] ** 2).sum(-1) + (e[:, :, -1] ** 2).sum(-1)
        edges += (e[:, :, :, 0] ** 2).sum(-1) + (e[:, :, :, -1] ** 2).sum(-1)
        bd = np.sqrt(edges / (2 * nx + 2 * ny)).mean(0)
        power = np.abs(np.fft.fftn(e, axes=(2, 3))) ** 2
        shells = np.zeros(e.shape[:2] + (min(nx, ny) // 2,))
        for i in range(nx // 2):
            for j in range(ny // 2):
                k = int(np.floor(np.sqrt(i * i + j * j)))
                if k < shells.shape[2]:
                    shells[:, :, k] += power[:, :, i, j]
        f = np.sqrt(shells.mean(0)) / n
    bands = [f[:, :4].mean(1).mean(), f[:, 4:12].mean(1).mean(), f[:, 12:].mean(1).mean()]
    return [rmse.mean(), nrmse.mean(), csv.mean(), largest.mean(), bd.mean()] + bands


def spectral(p, t):
    p, t = p.astype(np.float64), t.astype(np.float64)
    axes = tuple(range(2, p.ndim))
    grid = p.shape[2:]
    k = np.sqrt(sum(np.meshgrid(*[(np.fft.fftfreq(n) * n) ** 2 for n in grid], indexing="ij")))
    shell = np.floor(k + 1e-9)
    e, t_, p_ = (np.abs(np.fft.fftn(x, axes=axes)) ** 2 for x in (p - t, t, p))
    result, first = [], 0
    while first <= min(grid) // 2:
        last = min(min(grid) // 2, 0 if first == 0 else 2 * first - 1)
        band = (shell >= first) & (shell <= last)
        result.append((first, last, np.sqrt(e[..., band].sum() / t_[..., band].sum()), p_[..., band].sum() / t_[..., band].sum()))
        first = last + 1
    return result


def vrmse(p, t):
    p, t = p.astype(np.float64), t.astype(np.float64)
    axes = tuple(range(2, p.ndim))
    return np.sqrt(((p - t) ** 2).mean(axes) / (t.var(axes, ddof=1) + 1e-7)).mean(1)


def check(p, t, checkout):
    """The measures by PDEBench's and The Well's own code, in double precision."""
    import torch
    from the_well.benchmark.metrics.spatial import VRMSE

    # PDEBench draws figures in the same file.
    for name in ("matplotlib", "matplotlib.pyplot", "mpl_toolkits", "mpl_toolkits.axes_grid1"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["mpl_toolkits.axes_grid1"].make_axes_locatable = None
    sys.path.insert(0, f"{checkout}/pdebench/models")
    import metrics

    metrics.device = torch.device("cpu")
    # [sample, channel, ...grid] to theirs: [sample, ...grid, time, channel], and [sample, ...grid, channel].
    p, t = (torch.tensor(x.astype(np.float64)).movedim(1, -1) for x in (p, t))
    names = [x.unsqueeze(-2).contiguous() for x in (p, t)]
    *first, frequency = metrics.metric_func(*names, initial_step=0)
    values = [float(x) for x in first] + [float(x) for x in frequency]
    meta = types.SimpleNamespace(n_spatial_dims=p.dim() - 2)
    return values, VRMSE.eval(p, t, meta).mean(-1).numpy()


for shape in ((3, 2, 40), (2, 2, 28, 33)):
    prediction, target = field(shape, 0.1), field(shape, 0.05)
    print(shape)
    if "--check" in sys.argv:
        theirs, well = check(prediction, target, sys.argv[-1])
        # Sums in another order, in double precision; PDEBench sums its bands in single.
        assert np.allclose(theirs, pdebench(prediction, target), rtol=1e-6), (theirs, pdebench(prediction, target))
        assert np.allclose(well, vrmse(prediction, target), rtol=1e-12)
        print(" PDEBench's and The Well's own code agree")
    print(" pdebench", ", ".join("%.9g" % x for x in pdebench(prediction, target)))
    print(" vrmse", ", ".join("%.9g" % x for x in vrmse(prediction, target)))
    for band in spectral(prediction, target):
        print(" band", "(%d, %d, %.9g, %.9g)" % band)
