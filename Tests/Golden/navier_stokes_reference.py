"""Compares a Navier-Stokes dataset with an independent solution of the same initial values.

Advection as u . grad w in physical space, cut off at |k|, |l| < n / 3, and the integrating-factor method of Runge
and Kutta with two fixed steps: nothing is shared with Phalarope but the equation. The difference of the two steps
bounds the error of the reference.

Run with: pip install numpy h5py; python3 navier_stokes_reference.py DATASET STEP BOUND
"""
import sys

import h5py
import numpy as np


class Flow:
    def __init__(self, n, viscosity):
        k = np.fft.fftfreq(n, 1 / n)[:, None]
        l = np.fft.rfftfreq(n, 1 / n)[None, :]
        self.kept = (3 * np.abs(k) < n) & (3 * l < n) & ((k != 0) | (l != 0))
        self.ik, self.il = 2j * np.pi * k, 2j * np.pi * l
        square = 4 * np.pi**2 * (k**2 + l**2)
        self.inverse = 1 / np.where(square > 0, square, 1)
        self.decay = -viscosity * square
        x = np.arange(n) / n
        phase = 2 * np.pi * (x[:, None] + x[None, :])
        self.f = np.fft.rfft2(0.1 * (np.sin(phase) + np.cos(phase)))

    def rate(self, w):
        psi = w * self.inverse
        u, v, wx, wy = (np.fft.irfft2(z) for z in (self.il * psi, -self.ik * psi, self.ik * w, self.il * w))
        return np.where(self.kept, self.f - np.fft.rfft2(u * wx + v * wy), 0)

    def advance(self, w, time, h):
        steps = round(time / h)
        assert abs(steps * h - time) < 1e-9 * time, "the step does not divide the time"
        half, whole = np.exp(h / 2 * self.decay), np.exp(h * self.decay)
        w = np.where(self.kept, w, 0)
        for _ in range(steps):
            a = self.rate(w)
            b = self.rate(half * (w + h / 2 * a))
            c = self.rate(half * w + h / 2 * b)
            d = self.rate(whole * w + h * half * c)
            w = whole * w + h / 6 * (whole * a + 2 * half * (b + c) + d)
        return w


path, step, bound = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
with h5py.File(path) as file:
    vorticity = file["t0_fields/vorticity"][:]
    times = file["dimensions/time"][:]
    viscosity = float(file["scalars/nu"][()])
assert vorticity.dtype == np.float64, "errors below 1e-7 need precision: double"
flow = Flow(vorticity.shape[-1], viscosity)
for sample, frames in enumerate(vorticity):
    start = np.fft.rfft2(frames[0])
    solutions = [np.fft.irfft2(flow.advance(start, times[-1], h)) for h in (step, step / 2)]
    distance = lambda a, b: np.linalg.norm(a - b) / np.linalg.norm(b)
    uncertainty, error = distance(*solutions) / 15, distance(frames[-1], solutions[1])
    print(
        f"sample {sample}, nu = {viscosity:g}, {frames.shape[-1]} x {frames.shape[-1]}, t = {times[-1]:g}: relative L2 "
        f"error {error:.1e}, at most {bound:g}; the reference's {uncertainty:.1e}"
    )
    if not (uncertainty < bound / 10 and error < bound):
        sys.exit("FAILED: " + path)
