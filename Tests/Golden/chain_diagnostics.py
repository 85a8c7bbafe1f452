"""Prints the reference values of ChainDiagnosticsTests: ArviZ's ess(method="mean") and rhat(method="split").

Run with: pip install arviz==0.23.4 numpy; python3 chain_diagnostics.py
"""
import arviz
import numpy


def chain(coefficient, length, seed):
    """An autoregressive sequence driven by a 64-bit linear congruential generator (Knuth's MMIX constants)."""
    state, value, values = seed, 0.0, []
    for _ in range(length):
        state = (6364136223846793005 * state + 1442695040888963407) % (1 << 64)
        value = coefficient * value + ((state >> 11) * 2.0**-53 - 0.5)
        values.append(value)
    return values


for coefficient in (0.0, 0.9, -0.5):
    for chains, length in ((3, 500), (2, 20)):
        x = numpy.array([chain(coefficient, length, c + 1) for c in range(chains)])
        print(coefficient, chains, length, arviz.ess(x, method="mean"), arviz.rhat(x, method="split"))
