"""Prints the reference values of PublishedVorticitySchemeTests.

The time stepper of the Fourier neural operator's data generator (data_generation/navier_stokes/ns_2d.py, as of
2020), written down plainly in numpy and double precision. Inputs are noise of every wave number, the mean and the
Nyquist frequency included, so that each of the code's conventions shows.

Run with: pip install numpy; python3 fno2020_navier_stokes.py
"""
import numpy as np


def noise(n):
    """Numbers in [-1, 1) from a 64-bit linear congruential generator (Knuth's MMIX constants)."""
    state, values = 2020, []
    for _ in range(n * n):
        state = (6364136223846793005 * state + 1442695040888963407) % (1 << 64)
        values.append((state >> 11) * 2.0**-52 - 1)
    return np.array(values).reshape(n, n)


def advance(w, viscosity, dt, steps):
    n = len(w)
    largest = n // 2
    line = np.concatenate([np.arange(0, largest), np.arange(-largest, 0)])
    kx = np.repeat(line[:, None], n, axis=1)[:, : largest + 1]
    ky = np.repeat(line[None, :], n, axis=0)[:, : largest + 1]
    laplacian = 4 * np.pi**2 * (kx**2 + ky**2)
    laplacian[0, 0] = 1
    mask = (np.abs(kx) <= (2.0 / 3.0) * largest) & (np.abs(ky) <= (2.0 / 3.0) * largest)
    t = np.linspace(0, 1, n + 1)[:-1]
    x, y = np.meshgrid(t, t, indexing="ij")
    f = np.fft.rfft2(0.1 * (np.sin(2 * np.pi * (x + y)) + np.cos(2 * np.pi * (x + y))))
    # Only the last axis is taken as that of a real field, as PyTorch does: numpy's irfft2 is defined so.
    field = lambda spectrum: np.fft.irfft2(spectrum, s=(n, n))
    w = np.fft.rfft2(w)
    for _ in range(steps):
        psi = w / laplacian
        q = field(2j * np.pi * ky * psi)
        v = field(-2j * np.pi * kx * psi)
        slope_x = field(2j * np.pi * kx * w)
        slope_y = field(2j * np.pi * ky * w)
        product = mask * np.fft.rfft2(q * slope_x + v * slope_y)
        w = (-dt * product + dt * f + (1.0 - 0.5 * dt * viscosity * laplacian) * w) / (
            1.0 + 0.5 * dt * viscosity * laplacian
        )
    return field(w)


for n in (16, 18):
    w = advance(noise(n), 1e-3, 1e-3, 300)
    print(f"    ({n}, [")
    for i in range(0, n * n, n + 3):
        print(f"      {w.flat[i]!r},".replace("np.float64(", "").replace(")", ""))
    print("    ]),")
