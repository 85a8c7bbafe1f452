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

// In coarsening, the rows of contributions of cells, one number per cell; gathered to coarse points afterwards.
enum { AT_0, AT_1, AT_2, AT_3, TOP, BOTTOM, WEST, EAST, FALLING, RISING, CELL_ROWS };

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

// SUM_ROUNDING: as how large a share of d what rounding leaves of a sum of couplings that should be zero may come out;
// LEAST_SUM: a smaller share is nothing but rounding.

#define REAL double
#define NAME(x) x##_f64
#define SUM_ROUNDING 1e-10
#define LEAST_SUM 1e-12
#include "multigrid_template.h"
#undef REAL
#undef NAME
#undef SUM_ROUNDING
#undef LEAST_SUM

#define REAL float
#define NAME(x) x##_f32
#define SUM_ROUNDING 1e-5f
#define LEAST_SUM 1e-5f
#include "multigrid_template.h"

KERNEL(void, ck_grid_split_f64, (size_t inner, const double *restrict grid, double *restrict x),
    (inner, grid, x)) {
  layout g = layout_of(inner);
  for (size_t i = 1; i <= inner; i++) split_row_f64(g, i, grid + i * (inner + 2), x);
}

KERNEL(void, ck_grid_join_f64, (size_t inner, const double *restrict x, double *restrict grid),
    (inner, x, grid)) {
  layout g = layout_of(inner);
  for (size_t i = 1; i <= inner; i++) join_row_f64(g, i, x, grid + i * (inner + 2));
}

// MARK: - The finest operator

INLINE double face(int harmonic, double a, double b) { return harmonic ? 2 * a * (b / (a + b)) : 0.5 * (a + b); }

// Couplings between (i, j + offset) and the point `step` further on, j = 0, 2, 4, ...
INLINE void faces_of_row(int harmonic, size_t count, const double *p, size_t step, double *result) {
  ROW_LOOP for (size_t l = 0; l < count; l++) result[l] = face(harmonic, p[2 * l], p[2 * l + step]);
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
}

// Knuth's sum: x + c is exact, whichever is the larger.
KERNEL(void, ck_move_sum_f64, (size_t n, double *restrict x, double *restrict c), (n, x, c)) {
  for (size_t i = 0; i < n; i++) {
    double sum = x[i] + c[i], part = sum - x[i];
    c[i] = (x[i] - (sum - part)) + (c[i] - part);
    x[i] = sum;
  }
}

