"""Prints the reference values of DarcyStatisticsTests: the papers' Darcy data by scipy's transforms and direct solver.

Run with: pip install numpy scipy; python3 darcy_statistics.py 1 400
(seed, number of draws; about a second per draw). The number that is compared is the mean of the solution where the
coefficient has the published mean: its regression on the mean of the coefficient, which halves the spread.
"""
import sys

import numpy
import scipy.fft
import scipy.sparse
import scipy.sparse.linalg

grid = 241
published_coefficient_mean = 7.4836


def coefficient(random):
    """12 and 3 by the sign of a field with covariance (-Laplace + 9)^(-2) on cell centres, Neumann, mean zero."""
    k = numpy.arange(grid)
    amplitude = 3 / (numpy.pi**2 * (k[:, None] ** 2 + k[None] ** 2) + 9)
    modes = grid * amplitude * random.standard_normal((grid, grid))
    modes[0, 0] = 0
    return numpy.where(scipy.fft.idctn(modes, norm="ortho") >= 0, 12.0, 3.0)


def solution(a):
    """The five-point scheme with arithmetic means on faces and zeros on the boundary, source 1."""
    inner = grid - 2
    x_faces = 0.5 * (a[1:] + a[:-1])[:, 1:-1]
    y_faces = 0.5 * (a[:, 1:] + a[:, :-1])[1:-1]
    number = numpy.arange(inner**2).reshape(inner, inner)
    diagonal = x_faces[1:] + x_faces[:-1] + y_faces[:, 1:] + y_faces[:, :-1]
    rows, columns, values = [number.ravel()], [number.ravel()], [diagonal.ravel()]
    for one, other, face in (
        (number[:-1], number[1:], x_faces[1:-1]),
        (number[:, :-1], number[:, 1:], y_faces[:, 1:-1]),
    ):
        rows += [one.ravel(), other.ravel()]
        columns += [other.ravel(), one.ravel()]
        values += [-face.ravel()] * 2
    matrix = scipy.sparse.csc_matrix(
        (numpy.concatenate(values), (numpy.concatenate(rows), numpy.concatenate(columns)))
    )
    right = numpy.full(inner**2, (grid - 1.0) ** -2)
    u = numpy.zeros((grid, grid))
    u[1:-1, 1:-1] = scipy.sparse.linalg.spsolve(matrix, right, permc_spec="MMD_AT_PLUS_A").reshape(inner, inner)
    return u


seed, draws = (int(word) for word in sys.argv[1:])
random = numpy.random.default_rng(seed)
rows = []
for _ in range(draws):
    a = coefficient(random)
    u = solution(a)
    rows.append((a.mean(), u.mean(), (u * u).mean()))
a, u, square = numpy.array(rows).T
slope, mean = numpy.polyfit(a - published_coefficient_mean, u, 1)
residual = u - mean - slope * (a - published_coefficient_mean)
deviation = numpy.sqrt(square.mean() - u.mean() ** 2)
print(f"coefficient mean {a.mean():.4f} +- {a.std() / draws**0.5:.4f}")
print(f"solution mean {u.mean():.6e}, deviation {deviation:.6e}, their ratio {u.mean() / deviation:.4f}")
print(f"solution mean at the published coefficient mean {mean:.4e} +- {residual.std() / draws**0.5:.1e}")
