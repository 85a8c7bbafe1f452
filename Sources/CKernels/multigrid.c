#include "multiversion.h"

#include <string.h>

// Five-point and nine-point operators on the inner points (i, j), 1 <= i, j <= m, of a square grid, with zero
// values outside, and one cycle of the multigrid method for them.
//
// LAYOUT. Points are stored by the parity of (i, j), so that all loops below run over consecutive numbers. With
// h = m / 2 and s = h + 2, a vector is four planes of s * s numbers:
//
//     coarse  (k, l) = point (2k,     2l)        the points of the next coarser grid
//     across  (k, l) = point (2k,     2l + 1)    between two coarse points of a row
//     down    (k, l) = point (2k + 1, 2l)        between two coarse points of a column
//     center  (k, l) = point (2k + 1, 2l + 1)    between four coarse points
//
// Places that are no inner point hold zeros and are never written.
//
// The operator is (A x)_p = d_p x_p - sum of g_pq x_q over the neighbours q of p. A coupling g is stored once for
// each pair: 8 planes of axis-parallel ones and, for nine points, 8 planes of diagonal ones. Those of the finest
// grid are the transmissibilities of the faces, and d_p is their sum over all four faces of p.

enum { COARSE, ACROSS, DOWN, CENTER, KINDS };

enum {
  // coarse (k, l) - across (k, l); across (k, l) - coarse (k, l + 1)
  ROW_0, ROW_1,
  // down (k, l) - center (k, l); center (k, l) - down (k, l + 1)
  ROW_2, ROW_3,
  // coarse (k, l) - down (k, l); down (k, l) - coarse (k + 1, l)
  COLUMN_0, COLUMN_1,
  // across (k, l) - center (k, l); center (k, l) - across (k + 1, l)
  COLUMN_2, COLUMN_3,
  // 1 / d of the four kinds of points
  INVERSE,
  // The share of coarse (k, l) and (k, l + 1) in across (k, l), and of coarse (k, l) and (k + 1, l) in down (k, l)
  LEFT = INVERSE + KINDS, RIGHT, ABOVE, BELOW,
  FIVE_POINT_PLANES,
  // center (k, l) - coarse (k, l), (k, l + 1), (k + 1, l), (k + 1, l + 1)
  CORNER_0 = FIVE_POINT_PLANES, CORNER_1, CORNER_2, CORNER_3,
  // across (k, l) - down (k, l), (k, l + 1); across (k + 1, l) - down (k, l), (k, l + 1)
  BEND_0, BEND_1, BEND_2, BEND_3,
  NINE_POINT_PLANES
};

_Static_assert(FIVE_POINT_PLANES == 16 && NINE_POINT_PLANES == 24, "as kernels.h says");

// The planes of an operator, of a vector and of scratch memory do not overlap.
#define ROW_LOOP _Pragma("clang loop vectorize(assume_safety)")

typedef struct {
  size_t half, odd, side, plane;  // h, the number of odd indices, s, s * s
} layout;

INLINE layout layout_of(size_t inner) {
  size_t half = inner / 2, side = half + 2;
  return (layout){half, inner - half, side, side * side};
}

// The rows of a kind are start ... start + count - 1, and so are its columns.
INLINE size_t row_start(int kind) { return kind == COARSE || kind == ACROSS; }
INLINE size_t row_count(layout g, int kind) { return row_start(kind) ? g.half : g.odd; }
INLINE size_t column_start(int kind) { return kind == COARSE || kind == DOWN; }
INLINE size_t column_count(layout g, int kind) { return column_start(kind) ? g.half : g.odd; }
INLINE int has_row(layout g, int kind, size_t k) { return k - row_start(kind) < row_count(g, kind); }

// Where the inner points of row k of a kind begin in a plane.
INLINE size_t place(layout g, int kind, size_t k) { return k * g.side + column_start(kind); }

// MARK: - Neighbours

typedef struct { const double *coupling, *value; } neighbour;

// The neighbours of the inner points of row k of a kind: 4, or 8 for nine points.
INLINE void find_neighbours(
    int nine, layout g, int kind, size_t k, const double *a, const double *x, neighbour list[8]) {
  const size_t n = g.side, at = place(g, kind, k);
  const double *coarse = x + COARSE * g.plane + at, *across = x + ACROSS * g.plane + at,
               *down = x + DOWN * g.plane + at, *center = x + CENTER * g.plane + at;
#define A(which) (a + (which) * g.plane + at)
  switch (kind) {
    case COARSE:
      list[0] = (neighbour){A(ROW_0), across};
      list[1] = (neighbour){A(ROW_1) - 1, across - 1};
      list[2] = (neighbour){A(COLUMN_0), down};
      list[3] = (neighbour){A(COLUMN_1) - n, down - n};
      if (!nine) break;
      list[4] = (neighbour){A(CORNER_0), center};
      list[5] = (neighbour){A(CORNER_1) - 1, center - 1};
      list[6] = (neighbour){A(CORNER_2) - n, center - n};
      list[7] = (neighbour){A(CORNER_3) - n - 1, center - n - 1};
      break;
    case ACROSS:
      list[0] = (neighbour){A(ROW_0), coarse};
      list[1] = (neighbour){A(ROW_1), coarse + 1};
      list[2] = (neighbour){A(COLUMN_2), center};
      list[3] = (neighbour){A(COLUMN_3) - n, center - n};
      if (!nine) break;
      list[4] = (neighbour){A(BEND_0), down};
      list[5] = (neighbour){A(BEND_1), down + 1};
      list[6] = (neighbour){A(BEND_2) - n, down - n};
      list[7] = (neighbour){A(BEND_3) - n, down - n + 1};
      break;
    case DOWN:
      list[0] = (neighbour){A(COLUMN_0), coarse};
      list[1] = (neighbour){A(COLUMN_1), coarse + n};
      list[2] = (neighbour){A(ROW_2), center};
      list[3] = (neighbour){A(ROW_3) - 1, center - 1};
      if (!nine) break;
      list[4] = (neighbour){A(BEND_0), across};
      list[5] = (neighbour){A(BEND_2), across + n};
      list[6] = (neighbour){A(BEND_1) - 1, across - 1};
      list[7] = (neighbour){A(BEND_3) - 1, across + n - 1};
      break;
    default:
      list[0] = (neighbour){A(ROW_2), down};
      list[1] = (neighbour){A(ROW_3), down + 1};
      list[2] = (neighbour){A(COLUMN_2), across};
      list[3] = (neighbour){A(COLUMN_3), across + n};
      if (!nine) break;
      list[4] = (neighbour){A(CORNER_0), coarse};
      list[5] = (neighbour){A(CORNER_1), coarse + 1};
      list[6] = (neighbour){A(CORNER_2), coarse + n};
      list[7] = (neighbour){A(CORNER_3), coarse + n + 1};
  }
#undef A
}

// result = sum of coupling * value over neighbours first ... end - 1.
INLINE void sum_row(size_t count, const neighbour *list, int first, int end, double *result) {
  ROW_LOOP for (size_t l = 0; l < count; l++) {
    double sum = 0;
#pragma unroll
    for (int t = first; t < end; t++) sum += list[t].coupling[l] * list[t].value[l];
    result[l] = sum;
  }
}

// x = (b + sum of coupling * value) / d over neighbours first ... end - 1, for row k of a kind.
INLINE void relax_row(
    layout g, int kind, size_t k, const neighbour *list, int first, int end, const double *a, const double *b,
    double *x) {
  if (!has_row(g, kind, k)) return;
  size_t count = column_count(g, kind), at = place(g, kind, k);
  const double *inverse = a + (INVERSE + kind) * g.plane + at;
  b += kind * g.plane + at;
  x += kind * g.plane + at;
  ROW_LOOP for (size_t l = 0; l < count; l++) {
    double sum = b[l];
#pragma unroll
    for (int t = first; t < end; t++) sum += list[t].coupling[l] * list[t].value[l];
    x[l] = sum * inverse[l];
  }
}

// MARK: - Between rows of a grid and planes

// Row i of the inner points, 1 <= i <= m, into its two planes; row[0] is the point outside before it.
INLINE void split_row(layout g, size_t i, const double *row, double *x) {
  size_t k = i / 2;
  double *even = x + (i % 2 ? DOWN : COARSE) * g.plane + k * g.side;
  double *odd = x + (i % 2 ? CENTER : ACROSS) * g.plane + k * g.side;
  ROW_LOOP for (size_t l = 1; l <= g.half; l++) even[l] = row[2 * l];
  ROW_LOOP for (size_t l = 0; l < g.odd; l++) odd[l] = row[2 * l + 1];
}

// The reverse.
INLINE void join_row(layout g, size_t i, const double *x, double *row) {
  size_t k = i / 2;
  const double *even = x + (i % 2 ? DOWN : COARSE) * g.plane + k * g.side;
  const double *odd = x + (i % 2 ? CENTER : ACROSS) * g.plane + k * g.side;
  ROW_LOOP for (size_t l = 1; l <= g.half; l++) row[2 * l] = even[l];
  ROW_LOOP for (size_t l = 0; l < g.odd; l++) row[2 * l + 1] = odd[l];
}

KERNEL(void, ck_grid_split_f64, (size_t inner, const double *restrict grid, double *restrict x),
    (inner, grid, x)) {
  layout g = layout_of(inner);
  for (size_t i = 1; i <= inner; i++) split_row(g, i, grid + i * (inner + 2), x);
}

KERNEL(void, ck_grid_join_f64, (size_t inner, const double *restrict x, double *restrict grid),
    (inner, x, grid)) {
  layout g = layout_of(inner);
  for (size_t i = 1; i <= inner; i++) join_row(g, i, x, grid + i * (inner + 2));
}

// MARK: - The finest operator

INLINE double face(int harmonic, double a, double b) { return harmonic ? 2 * a * (b / (a + b)) : 0.5 * (a + b); }

// Couplings between (i, j + offset) and the point `step` further on, j = 0, 2, 4, ...
INLINE void faces_of_row(int harmonic, size_t count, const double *p, size_t step, double *result) {
  ROW_LOOP for (size_t l = 0; l < count; l++) result[l] = face(harmonic, p[2 * l], p[2 * l + step]);
}

INLINE void invert_diagonals(layout g, double *a) {
  for (int kind = 0; kind < KINDS; kind++)
    for (size_t k = row_start(kind); has_row(g, kind, k); k++) {
      neighbour list[8];
      find_neighbours(0, g, kind, k, a, a, list);
      size_t count = column_count(g, kind);
      double *inverse = a + (INVERSE + kind) * g.plane + place(g, kind, k);
      ROW_LOOP for (size_t l = 0; l < count; l++)
        inverse[l] = 1 / ((list[0].coupling[l] + list[1].coupling[l]) + (list[2].coupling[l] + list[3].coupling[l]));
    }
}

KERNEL(void, ck_darcy_assemble_f64, (size_t inner, int harmonic, const double *restrict permeability,
    double *restrict a), (inner, harmonic, permeability, a)) {
  layout g = layout_of(inner);
  size_t n = inner + 2, plane = g.plane;
  for (size_t i = 0; i <= inner; i++) {
    const double *row = permeability + i * n;
    size_t k = i / 2, at = k * g.side;
    double *rows[2] = {a + (i % 2 ? ROW_2 : ROW_0) * plane + at, a + (i % 2 ? ROW_3 : ROW_1) * plane + at};
    double *columns[2] = {a + (i % 2 ? COLUMN_1 : COLUMN_0) * plane + at, a + (i % 2 ? COLUMN_3 : COLUMN_2) * plane + at};
    // Faces (j, j + 1) for j = 0 ... m, those of even j and those of odd j.
    size_t even = (inner + 2) / 2, odd = (inner + 1) / 2;
    if (harmonic) {
      if (i > 0) faces_of_row(1, even, row, 1, rows[0]);
      if (i > 0) faces_of_row(1, odd, row + 1, 1, rows[1]);
      faces_of_row(1, g.half, row + 2, n, columns[0] + 1);
      faces_of_row(1, g.odd, row + 1, n, columns[1]);
    } else {
      if (i > 0) faces_of_row(0, even, row, 1, rows[0]);
      if (i > 0) faces_of_row(0, odd, row + 1, 1, rows[1]);
      faces_of_row(0, g.half, row + 2, n, columns[0] + 1);
      faces_of_row(0, g.odd, row + 1, n, columns[1]);
    }
  }
  invert_diagonals(g, a);
}

// y = A x for the row of a kind, as the sum of fluxes g (x_p - x_q): rounding then conserves them.
INLINE void flux_row(layout g, int kind, size_t k, const double *a, const double *x, double *y) {
  neighbour list[8];
  find_neighbours(0, g, kind, k, a, x, list);
  size_t count = column_count(g, kind);
  const double *own = x + kind * g.plane + place(g, kind, k);
  ROW_LOOP for (size_t l = 0; l < count; l++) {
    double sum = 0;
#pragma unroll
    for (int t = 0; t < 4; t++) sum += list[t].coupling[l] * (own[l] - list[t].value[l]);
    y[l] = sum;
  }
}

KERNEL(double, ck_darcy_multiply_f64, (size_t inner, const double *restrict a, const double *restrict x,
    double *restrict y), (inner, a, x, y)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  layout g = layout_of(inner);
  double total = 0;
  for (size_t k = 0; k <= g.half; k++)
    for (int kind = 0; kind < KINDS; kind++) {
      if (!has_row(g, kind, k)) continue;
      size_t count = column_count(g, kind), at = kind * g.plane + place(g, kind, k);
      flux_row(g, kind, k, a, x, y + at);
      for (size_t l = 0; l < count; l++) total += x[at + l] * y[at + l];
    }
  return total;
}

KERNEL(double, ck_darcy_residual_f64, (size_t inner, const double *restrict a, const double *restrict b,
    const double *restrict x, double *restrict residual), (inner, a, b, x, residual)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  layout g = layout_of(inner);
  double total = 0;
  for (size_t k = 0; k <= g.half; k++)
    for (int kind = 0; kind < KINDS; kind++) {
      if (!has_row(g, kind, k)) continue;
      size_t count = column_count(g, kind), at = kind * g.plane + place(g, kind, k);
      double *r = residual + at;
      flux_row(g, kind, k, a, x, r);
      for (size_t l = 0; l < count; l++) {
        r[l] = b[at + l] - r[l];
        total += r[l] * r[l];
      }
    }
  return total;
}

// MARK: - Conjugate gradients

KERNEL(double, ck_gradient_step_f64, (size_t n, double step, const double *restrict p,
    const double *restrict q, double *restrict x, double *restrict r), (n, step, p, q, x, r)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  double total = 0;
  for (size_t i = 0; i < n; i++) {
    x[i] += step * p[i];
    r[i] -= step * q[i];
    total += r[i] * r[i];
  }
  return total;
}

// Knuth's sum: x + c is exact, whichever is the larger.
KERNEL(void, ck_move_sum_f64, (size_t n, double *restrict x, double *restrict c), (n, x, c)) {
  for (size_t i = 0; i < n; i++) {
    double sum = x[i] + c[i], part = sum - x[i];
    c[i] = (x[i] - (sum - part)) + (c[i] - part);
    x[i] = sum;
  }
}

KERNEL(void, ck_next_direction_f64, (size_t n, double ratio, const double *restrict z, double *restrict p),
    (n, ratio, z, p)) {
  for (size_t i = 0; i < n; i++) p[i] = z[i] + ratio * p[i];
}

// MARK: - Coarsening

// The shares of two coarse points in the one between them: the equation there with the couplings summed across the
// line, so that the flux through a jump of the coefficient is continuous. Couplings of the wrong sign count as
// none, and a row sum that is zero but for rounding as zero.
INLINE void shares(double d, double sides, double one, double other, double *first, double *second) {
  one = one > 0 ? one : 0;
  other = other > 0 ? other : 0;
  double sum = one + other, rest = d - sides;
  rest = rest - sum < 1e-10 * d ? sum : rest;
  double scale = rest > 1e-12 * d ? 1 / rest : 0;
  *first = one * scale;
  *second = other * scale;
}

INLINE void interpolation(int nine, layout g, double *a) {
  size_t n = g.side, plane = g.plane;
  int is_even = g.odd == g.half;
  const double *row_0 = a + ROW_0 * plane, *row_1 = a + ROW_1 * plane, *column_0 = a + COLUMN_0 * plane,
               *column_1 = a + COLUMN_1 * plane, *row_2 = a + ROW_2 * plane, *row_3 = a + ROW_3 * plane,
               *column_2 = a + COLUMN_2 * plane, *column_3 = a + COLUMN_3 * plane;
  const double *bend_0 = a + BEND_0 * plane, *bend_1 = a + BEND_1 * plane, *bend_2 = a + BEND_2 * plane,
               *bend_3 = a + BEND_3 * plane;
  const double *across = a + (INVERSE + ACROSS) * plane, *down = a + (INVERSE + DOWN) * plane;
  double *left = a + LEFT * plane, *right = a + RIGHT * plane, *above = a + ABOVE * plane, *below = a + BELOW * plane;
  for (size_t k = 1; k <= g.half; k++) {
    // The row of centers below is outside if the last inner row is this one: a zero value, not an equal one.
    double inside = is_even && k == g.half ? 0 : 1;
    ROW_LOOP for (size_t l = 0; l < g.odd; l++) {
      size_t c = k * n + l;
      double one = row_0[c], other = row_1[c];
      if (nine) {
        one += inside * bend_0[c] + bend_2[c - n];
        other += inside * bend_1[c] + bend_3[c - n];
      }
      shares(1 / across[c], column_3[c - n] + inside * column_2[c], one, other, left + c, right + c);
    }
  }
  for (size_t k = 0; k < g.odd; k++) {
    for (size_t part = 0; part < 2; part++) {
      // The same for the last column of centers.
      size_t first = part ? g.half : 1, end = part ? g.half + 1 : g.half;
      double inside = part && is_even ? 0 : 1;
      ROW_LOOP for (size_t l = first; l < end; l++) {
        size_t c = k * n + l;
        double one = column_0[c], other = column_1[c];
        if (nine) {
          one += inside * bend_0[c] + bend_1[c - 1];
          other += inside * bend_2[c] + bend_3[c - 1];
        }
        shares(1 / down[c], row_3[c - 1] + inside * row_2[c], one, other, above + c, below + c);
      }
      if (g.half == 0) break;
    }
  }
}

// The rows of contributions of cells, one number per cell; gathered to coarse points afterwards.
enum { AT_0, AT_1, AT_2, AT_3, TOP, BOTTOM, WEST, EAST, FALLING, RISING, CELL_ROWS };

// One row of cells (k, l), l = 0 ... h, each between four coarse points: what the points on its left and upper side
// and inside of it contribute to P^T A P.
INLINE void cells_of_row(int nine, layout g, size_t k, const double *a, double *rows) {
  size_t n = g.side, plane = g.plane, at = k * n;
#define P(which) (a + (which) * plane + at)
  const double *row_0 = P(ROW_0), *row_1 = P(ROW_1), *row_2 = P(ROW_2), *row_3 = P(ROW_3);
  const double *column_0 = P(COLUMN_0), *column_1 = P(COLUMN_1), *column_2 = P(COLUMN_2), *column_3 = P(COLUMN_3);
  const double *across = P(INVERSE + ACROSS), *down = P(INVERSE + DOWN), *center = P(INVERSE + CENTER);
  const double *left = P(LEFT), *right = P(RIGHT), *above = P(ABOVE), *below = P(BELOW);
  const double *corner_0 = P(CORNER_0), *corner_1 = P(CORNER_1), *corner_2 = P(CORNER_2), *corner_3 = P(CORNER_3);
  const double *bend_0 = P(BEND_0), *bend_1 = P(BEND_1), *bend_2 = P(BEND_2), *bend_3 = P(BEND_3);
#undef P
  size_t count = g.half + 1;
#define R(which) double *which##_row = rows + (which) * g.side
  R(AT_0); R(AT_1); R(AT_2); R(AT_3); R(TOP); R(BOTTOM); R(WEST); R(EAST); R(FALLING); R(RISING);
#undef R
  ROW_LOOP for (size_t l = 0; l < count; l++) {
    // The shares in the four points between coarse ones: above, below, left and right of the center.
    double t0 = left[l], t1 = right[l], b2 = left[l + n], b3 = right[l + n];
    double w0 = above[l], w2 = below[l], e1 = above[l + 1], e3 = below[l + 1];
    // The center: eliminated exactly.
    double up = column_2[l], low = column_3[l], west = row_2[l], east = row_3[l];
    double q0 = up * t0 + west * w0, q1 = up * t1 + east * e1;
    double q2 = low * b2 + west * w2, q3 = low * b3 + east * e3;
    if (nine) {
      q0 += corner_0[l];
      q1 += corner_1[l];
      q2 += corner_2[l];
      q3 += corner_3[l];
    }
    double v = center[l];
    double m00 = -q0 * q0 * v, m11 = -q1 * q1 * v, m22 = -q2 * q2 * v, m33 = -q3 * q3 * v;
    double m01 = -q0 * q1 * v, m23 = -q2 * q3 * v, m02 = -q0 * q2 * v, m13 = -q1 * q3 * v;
    double m03 = -q0 * q3 * v, m12 = -q1 * q2 * v;
    // The point above the center, with its couplings to the coarse points on both sides.
    double d = across[l] > 0 ? 1 / across[l] : 0;
    m00 += t0 * (d * t0 - 2 * row_0[l]);
    m11 += t1 * (d * t1 - 2 * row_1[l]);
    m01 += d * t0 * t1 - row_0[l] * t1 - row_1[l] * t0;
    // The point on its left.
    d = down[l] > 0 ? 1 / down[l] : 0;
    m00 += w0 * (d * w0 - 2 * column_0[l]);
    m22 += w2 * (d * w2 - 2 * column_1[l]);
    m02 += d * w0 * w2 - column_0[l] * w2 - column_1[l] * w0;
    if (nine) {
      double c0 = bend_0[l], c1 = bend_1[l], c2 = bend_2[l], c3 = bend_3[l];
      m00 -= 2 * c0 * t0 * w0;
      m02 -= c0 * t0 * w2;
      m01 -= c0 * t1 * w0;
      m12 -= c0 * t1 * w2;
      m11 -= 2 * c1 * t1 * e1;
      m13 -= c1 * t1 * e3;
      m01 -= c1 * t0 * e1;
      m03 -= c1 * t0 * e3;
      m22 -= 2 * c2 * b2 * w2;
      m02 -= c2 * b2 * w0;
      m23 -= c2 * b3 * w2;
      m03 -= c2 * b3 * w0;
      m33 -= 2 * c3 * b3 * e3;
      m13 -= c3 * b3 * e1;
      m23 -= c3 * b2 * e3;
      m12 -= c3 * b2 * e1;
    }
    AT_0_row[l] = m00;
    AT_1_row[l] = m11;
    AT_2_row[l] = m22;
    AT_3_row[l] = m33;
    TOP_row[l] = -m01;
    BOTTOM_row[l] = -m23;
    WEST_row[l] = -m02;
    EAST_row[l] = -m13;
    FALLING_row[l] = -m03;
    RISING_row[l] = -m12;
  }
}

// Sends row i of couplings (i, j) - (i + down, j + right) on the coarse grid to the planes of its operator.
// `even` takes those of even j, `odd` those of odd j; a southwest coupling is filed under its lower left end's cell.
INLINE void file_row(size_t count, const double *row, double *even, double *odd) {
  size_t evens = (count + 1) / 2, odds = count / 2;
  ROW_LOOP for (size_t l = 0; l < evens; l++) even[l] = row[2 * l];
  ROW_LOOP for (size_t l = 0; l < odds; l++) odd[l] = row[2 * l + 1];
}

INLINE void coarsen(int nine, size_t inner, const double *a, double *coarse, double *scratch) {
  layout g = layout_of(inner), c = layout_of(g.half);
  size_t n = g.side, count = g.half + 1;
  // Two rows of cells; then rows of diagonals and couplings of coarse points.
  double *upper = scratch, *lower = scratch + CELL_ROWS * n;
  double *diagonal = lower + CELL_ROWS * n, *east = diagonal + n, *south = east + n;
  memset(scratch, 0, (2 * CELL_ROWS + 3) * n * sizeof *scratch);
#define C(which, k) (coarse + (which) * c.plane + (k) * c.side)
  for (size_t i = 0; i <= g.half; i++) {
    double *swap = upper;
    upper = lower;
    lower = swap;
    cells_of_row(nine, g, i, a, lower);
    // Coarse points of row i lie between the two rows of cells.
    const double *own = a + (INVERSE + COARSE) * g.plane + i * n;
    const double *nw = upper + AT_3 * n, *ne = upper + AT_2 * n, *sw = lower + AT_1 * n, *se = lower + AT_0 * n;
    const double *top = lower + TOP * n, *bottom = upper + BOTTOM * n, *west = lower + WEST * n,
                 *right = lower + EAST * n;
    ROW_LOOP for (size_t j = 1; j < count; j++)
      diagonal[j] = own[j] > 0 ? 1 / ((1 / own[j] + (nw[j - 1] + ne[j])) + (sw[j - 1] + se[j])) : 0;
    ROW_LOOP for (size_t j = 0; j < count; j++) east[j] = bottom[j] + top[j];
    south[0] = west[0];
    ROW_LOOP for (size_t j = 1; j < count; j++) south[j] = west[j] + right[j - 1];
    size_t k = i / 2;
    if (i % 2 == 0) {
      if (i > 0) file_row(count, diagonal, C(INVERSE + COARSE, k), C(INVERSE + ACROSS, k));
      if (i > 0) file_row(count, east, C(ROW_0, k), C(ROW_1, k));
      file_row(count, south, C(COLUMN_0, k), C(COLUMN_2, k));
      // (i, j) - (i + 1, j + 1) with even j joins coarse and center, with odd j across and down.
      file_row(count, lower + FALLING * n, C(CORNER_0, k), C(BEND_1, k));
      // (i, j + 1) - (i + 1, j) with even j joins across and down, with odd j coarse and center.
      file_row(count, lower + RISING * n, C(BEND_0, k), C(CORNER_1, k));
    } else {
      file_row(count, diagonal, C(INVERSE + DOWN, k), C(INVERSE + CENTER, k));
      file_row(count, east, C(ROW_2, k), C(ROW_3, k));
      file_row(count, south, C(COLUMN_1, k), C(COLUMN_3, k));
      file_row(count, lower + FALLING * n, C(BEND_2, k), C(CORNER_3, k));
      file_row(count, lower + RISING * n, C(CORNER_2, k), C(BEND_3, k));
    }
  }
#undef C
  interpolation(1, c, coarse);
}

KERNEL(void, ck_multigrid_prepare_f64, (size_t inner, double *a), (inner, a)) { interpolation(0, layout_of(inner), a); }

KERNEL(void, ck_multigrid_coarsen_five_f64, (size_t inner, const double *restrict a, double *restrict coarse,
    double *restrict scratch), (inner, a, coarse, scratch)) {
  coarsen(0, inner, a, coarse, scratch);
}

KERNEL(void, ck_multigrid_coarsen_nine_f64, (size_t inner, const double *restrict a, double *restrict coarse,
    double *restrict scratch), (inner, a, coarse, scratch)) {
  coarsen(1, inner, a, coarse, scratch);
}

// MARK: - The cycle

INLINE void go_down(int nine, size_t inner, const double *a, const double *b, double *x, double *coarse_b, double *scratch) {
  layout g = layout_of(inner), c = layout_of(g.half);
  size_t n = g.side;
  int all = nine ? 8 : 4;
  double *at_coarse = scratch, *at_across = scratch + n, *at_down = at_across + n, *at_down_before = at_down + n;
  double *gathered = at_down_before + n;
  memset(scratch, 0, 5 * n * sizeof *scratch);
  neighbour list[8];
  for (size_t k = 0; k <= g.half; k++) {
    // Relax kind by kind from zero: what comes later in the order still has the value zero. Rows k + 1 of coarse
    // and across, then rows k of down and center, all of whose neighbours then are new.
    relax_row(g, COARSE, k + 1, list, 0, 0, a, b, x);
    find_neighbours(nine, g, ACROSS, k + 1, a, x, list);
    relax_row(g, ACROSS, k + 1, list, 0, 2, a, b, x);
    find_neighbours(nine, g, DOWN, k, a, x, list);
    if (nine) {
      neighbour known[6] = {list[0], list[1], list[4], list[5], list[6], list[7]};
      relax_row(g, DOWN, k, known, 0, 6, a, b, x);
    } else {
      relax_row(g, DOWN, k, list, 0, 2, a, b, x);
    }
    find_neighbours(nine, g, CENTER, k, a, x, list);
    relax_row(g, CENTER, k, list, 0, all, a, b, x);
    // What has changed since a point was relaxed is its residual: all neighbours of coarse points, none of centers.
    double *before = at_down;
    at_down = at_down_before;
    at_down_before = before;
    if (has_row(g, DOWN, k)) {
      find_neighbours(nine, g, DOWN, k, a, x, list);
      sum_row(g.half, list, 2, 4, at_down + 1);
    }
    if (k == 0) continue;
    find_neighbours(nine, g, COARSE, k, a, x, list);
    sum_row(g.half, list, 0, all, at_coarse + 1);
    find_neighbours(nine, g, ACROSS, k, a, x, list);
    sum_row(g.odd, list, 2, all, at_across);
    const double *left = a + LEFT * g.plane + k * n, *right = a + RIGHT * g.plane + k * n;
    const double *above = a + ABOVE * g.plane + k * n, *below = a + BELOW * g.plane + (k - 1) * n;
    ROW_LOOP for (size_t l = 1; l <= g.half; l++)
      gathered[l] = at_coarse[l] + left[l] * at_across[l] + right[l - 1] * at_across[l - 1]
                  + above[l] * at_down[l] + below[l] * at_down_before[l];
    split_row(c, k, gathered, coarse_b);
  }
}

INLINE void go_up(int nine, size_t inner, const double *a, const double *b, const double *coarse_x, double *x, double *scratch) {
  layout g = layout_of(inner), c = layout_of(g.half);
  size_t n = g.side;
  int all = nine ? 8 : 4;
  double *here = scratch, *next = scratch + n;
  memset(scratch, 0, 2 * n * sizeof *scratch);
  neighbour list[8];
  for (size_t k = 0; k <= g.half; k++) {
    double *swap = here;
    here = next;
    next = swap;
    // Add the coarse correction to row k of down, rows k + 1 of coarse and across. Centers need none: they are
    // relaxed first.
    if (k + 1 <= g.half) {
      join_row(c, k + 1, coarse_x, next);
      double *coarse = x + COARSE * g.plane + (k + 1) * n, *across = x + ACROSS * g.plane + (k + 1) * n;
      const double *left = a + LEFT * g.plane + (k + 1) * n, *right = a + RIGHT * g.plane + (k + 1) * n;
      ROW_LOOP for (size_t l = 1; l <= g.half; l++) coarse[l] += next[l];
      ROW_LOOP for (size_t l = 0; l < g.odd; l++) across[l] += left[l] * next[l] + right[l] * next[l + 1];
    } else {
      memset(next, 0, n * sizeof *next);
    }
    if (has_row(g, DOWN, k)) {
      double *down = x + DOWN * g.plane + k * n;
      const double *above = a + ABOVE * g.plane + k * n, *below = a + BELOW * g.plane + k * n;
      ROW_LOOP for (size_t l = 1; l <= g.half; l++) down[l] += above[l] * here[l] + below[l] * next[l];
    }
    // Relax in the reverse order.
    for (int kind = CENTER; kind >= COARSE; kind--) {
      find_neighbours(nine, g, kind, k, a, x, list);
      relax_row(g, kind, k, list, 0, all, a, b, x);
    }
  }
}

KERNEL(void, ck_multigrid_down_five_f64, (size_t inner, const double *restrict a, const double *restrict b,
    double *restrict x, double *restrict coarse_b, double *restrict scratch),
    (inner, a, b, x, coarse_b, scratch)) {
  go_down(0, inner, a, b, x, coarse_b, scratch);
}

KERNEL(void, ck_multigrid_down_nine_f64, (size_t inner, const double *restrict a, const double *restrict b,
    double *restrict x, double *restrict coarse_b, double *restrict scratch),
    (inner, a, b, x, coarse_b, scratch)) {
  go_down(1, inner, a, b, x, coarse_b, scratch);
}

KERNEL(void, ck_multigrid_up_five_f64, (size_t inner, const double *restrict a, const double *restrict b,
    const double *restrict coarse_x, double *restrict x, double *restrict scratch),
    (inner, a, b, coarse_x, x, scratch)) {
  go_up(0, inner, a, b, coarse_x, x, scratch);
}

KERNEL(void, ck_multigrid_up_nine_f64, (size_t inner, const double *restrict a, const double *restrict b,
    const double *restrict coarse_x, double *restrict x, double *restrict scratch),
    (inner, a, b, coarse_x, x, scratch)) {
  go_up(1, inner, a, b, coarse_x, x, scratch);
}

void ck_multigrid_single_f64(const double *a, const double *b, double *x) {
  layout g = layout_of(1);
  x[CENTER * g.plane] = b[CENTER * g.plane] * a[(INVERSE + CENTER) * g.plane];
}
