"""Opens what the quickstart wrote with the programs that users have, and checks what they see.

Usage: open_files.py FILE.h5 ..., with more dataset files, in the folder where the quickstart ran; needs h5py, xarray,
h5netcdf, netCDF4, arviz.
"""
import sys
import warnings
import zlib

warnings.simplefilter("ignore")

import arviz
import h5py
import numpy
import xarray

# Fields with their dimensions.
DATASETS = {
    "data/quickstart/burgers.h5": {"u": ("sample", "time", "x")},
    "data/quickstart/darcy.h5": {"permeability": ("sample", "x", "y"), "pressure": ("sample", "x", "y")},
    "data/quickstart/navier-stokes.h5": {"vorticity": ("sample", "time", "x", "y")},
}
for path in sys.argv[1:]:
    with h5py.File(path) as file:
        space = tuple(file["dimensions"].attrs["spatial_dims"])
        fields = {name: file["t0_fields"][name] for name in file["t0_fields"].attrs["field_names"]}
        DATASETS[path] = {
            name: ("sample", *(["time"] if field.attrs["time_varying"] else []), *space)
            for name, field in fields.items()
        }

for path, fields in DATASETS.items():
    for engine in ("h5netcdf", "netcdf4"):
        with xarray.open_dataset(path, group="t0_fields", engine=engine) as dataset:
            for field, dimensions in fields.items():
                assert dataset[field].dims == dimensions, (path, engine, dataset[field].dims)
    with h5py.File(path) as file:
        for attribute in ("dataset_name", "grid_type", "n_spatial_dims", "n_trajectories", "config", "seed"):
            assert attribute in file.attrs, (path, attribute)
        for group in ("t0_fields", "t1_fields", "t2_fields", "scalars", "dimensions", "boundary_conditions"):
            assert group in file, (path, group)
        for sample in (0, len(file["provenance/checksum"]) - 1):
            checksum = 0
            for field in fields:
                values = file[f"t0_fields/{field}"][sample]
                assert numpy.isfinite(values).all(), (path, field, sample)
                checksum = zlib.crc32(values.tobytes(), checksum)
            assert checksum == file["provenance/checksum"][sample], (path, sample)
    print(f"{path}: xarray names the dimensions, h5py reproduces the checksums")



def check_diagnostics(path):
    """ArviZ computes what the file says of the misfit and of every followed coefficient."""
    inference = arviz.from_netcdf(path)
    statistics, summary = inference.sample_stats, inference.posterior_summary
    for quantity in summary.quantity.values:
        if quantity in statistics:
            draws = statistics[quantity].values
        else:
            draws = statistics.fourier_mode.sel(mode=quantity).values
        for ours, theirs in (
            ("ess_bulk", arviz.ess(draws, method="bulk")),
            ("ess_tail", arviz.ess(draws, method="tail")),
            ("ess_mean", arviz.ess(draws, method="mean")),
            ("r_hat", arviz.rhat(draws, method="rank")),
        ):
            value = float(summary[ours].sel(quantity=quantity))
            assert abs(value / float(theirs) - 1) < 1e-6, (path, quantity, ours, value, theirs)
    accepted = statistics.accepted.values
    assert numpy.allclose(accepted.mean(axis=1), summary.acceptance_rate), path
    probability = statistics.acceptance_rate.values
    assert ((probability >= 0) & (probability <= 1)).all(), path
    return inference


path = "runs/quickstart/inverse-navier-stokes/posterior.nc"
inference = check_diagnostics(path)
mean, truth = inference.posterior_summary.vorticity_mean, inference.constant_data.truth
distance = float(numpy.linalg.norm(mean - truth) / numpy.linalg.norm(truth))
assert distance < 1, "the posterior mean is no closer to the truth than the prior mean"
draws = inference.posterior.vorticity
assert draws.dims == ("chain", "draw", "x", "y"), draws.dims
# The stored draws have the moments of all of them, up to the error of so few.
error = (draws.mean(("chain", "draw")) - mean) / inference.posterior_summary.vorticity_std
assert float(abs(error).max()) < 6 / numpy.sqrt(draws.sizes["chain"] * draws.sizes["draw"]), float(abs(error).max())
print(f"{path}: ArviZ agrees on effective sample sizes and R-hat; distance of the mean {distance:.3f}")

path = "runs/quickstart/inferred-noise/posterior.nc"
inference = check_diagnostics(path)
factor = inference.posterior.noise_factor
assert factor.dims == ("chain", "draw") and (factor > 0).all(), factor
assert inference.constant_data.noise_std.dims == ("sensor",)
# The data have the noise that is stated.
assert 0.8 < float(inference.sample_stats.noise_factor.mean()) < 1.25
print(f"{path}: the noise level is a variable of the posterior, mean {float(factor.mean()):.2f}")
