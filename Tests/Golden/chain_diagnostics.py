"""Prints the reference values of ChainDiagnosticsTests, from ArviZ.

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


def rounded(values):
    """Values with many ties, as those of a chain that often rejects."""
    return numpy.round(2 * values) / 2


for coefficient in (0.0, 0.9, -0.5):
    for chains, length in ((3, 501), (2, 20)):
        for name, change in (("plain", lambda x: x), ("skewed", lambda x: numpy.exp(2 * x)), ("ties", rounded)):
            x = change(numpy.array([chain(coefficient, length, c + 1) for c in range(chains)]))
            print(
                f"(.{name}, {coefficient}, {chains}, {length}, {arviz.ess(x, method='bulk')}, "
                f"{arviz.ess(x, method='tail')}, {arviz.ess(x, method='mean')}, {arviz.rhat(x, method='rank')}),"
            )
