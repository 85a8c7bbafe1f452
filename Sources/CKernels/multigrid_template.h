// What multigrid and conjugate gradients do in either precision, included by multigrid.c, where the layout is explained:
// REAL is the type of the numbers, NAME(x) gives a name its suffix.

// MARK: - Neighbours

typedef struct { const REAL *coupling, *value; } NAME(neighbour);

// The neighbours of the inner points of row k of a kind: 4, or 8 for nine points.
INLINE void NAME(find_neighbours)(
    int nine, layout g, int kind, size_t k, const REAL *a, const REAL *x, NAME(neighbour) list[8]) {
  const size_t n = g.side, at = place(g, kind, k);
  const REAL *coarse = x + COARSE * g.plane + at, *across = x + ACROSS * g.plane + at,
               *down = x + DOWN * g.plane + at, *center = x + CENTER * g.plane + at;
#define A(which) (a + (which) * g.plane + at)
  switch (kind) {
    case COARSE:
      list[0] = (NAME(neighbour)){A(ROW_0), across};
      list[1] = (NAME(neighbour)){A(ROW_1) - 1, across - 1};
      list[2] = (NAME(neighbour)){A(COLUMN_0), down};
      list[3] = (NAME(neighbour)){A(COLUMN_1) - n, down - n};
      if (!nine) break;
      list[4] = (NAME(neighbour)){A(CORNER_0), center};
      list[5] = (NAME(neighbour)){A(CORNER_1) - 1, center - 1};
      list[6] = (NAME(neighbour)){A(CORNER_2) - n, center - n};
      list[7] = (NAME(neighbour)){A(CORNER_3) - n - 1, center - n - 1};
      break;
    case ACROSS:
      list[0] = (NAME(neighbour)){A(ROW_0), coarse};
      list[1] = (NAME(neighbour)){A(ROW_1), coarse + 1};
      list[2] = (NAME(neighbour)){A(COLUMN_2), center};
      list[3] = (NAME(neighbour)){A(COLUMN_3) - n, center - n};
      if (!nine) break;
      list[4] = (NAME(neighbour)){A(BEND_0), down};
      list[5] = (NAME(neighbour)){A(BEND_1), down + 1};
      list[6] = (NAME(neighbour)){A(BEND_2) - n, down - n};
      list[7] = (NAME(neighbour)){A(BEND_3) - n, down - n + 1};
      break;
    case DOWN:
      list[0] = (NAME(neighbour)){A(COLUMN_0), coarse};
      list[1] = (NAME(neighbour)){A(COLUMN_1), coarse + n};
      list[2] = (NAME(neighbour)){A(ROW_2), center};
      list[3] = (NAME(neighbour)){A(ROW_3) - 1, center - 1};
      if (!nine) break;
      list[4] = (NAME(neighbour)){A(BEND_0), across};
      list[5] = (NAME(neighbour)){A(BEND_2), across + n};
      list[6] = (NAME(neighbour)){A(BEND_1) - 1, across - 1};
      list[7] = (NAME(neighbour)){A(BEND_3) - 1, across + n - 1};
      break;
    default:
      list[0] = (NAME(neighbour)){A(ROW_2), down};
      list[1] = (NAME(neighbour)){A(ROW_3), down + 1};
      list[2] = (NAME(neighbour)){A(COLUMN_2), across};
      list[3] = (NAME(neighbour)){A(COLUMN_3), across + n};
      if (!nine) break;
      list[4] = (NAME(neighbour)){A(CORNER_0), coarse};
      list[5] = (NAME(neighbour)){A(CORNER_1), coarse + 1};
      list[6] = (NAME(neighbour)){A(CORNER_2), coarse + n};
      list[7] = (NAME(neighbour)){A(CORNER_3), coarse + n + 1};
  }
#undef A
}

// result = sum of coupling * value over neighbours first ... end - 1.
INLINE void NAME(sum_row)(size_t count, const NAME(neighbour) *list, int first, int end, REAL *result) {
  ROW_LOOP for (size_t l = 0; l < count; l++) {
    REAL sum = 0;
#pragma unroll
    for (int t = first; t < end; t++) sum += list[t].coupling[l] * list[t].value[l];
    result[l] = sum;
  }
}

// x = (b + sum of coupling * value) / d over neighbours first ... end - 1, for row k of a kind; b · x.
INLINE REAL NAME(relax_row)(
    layout g, int kind, size_t k, const NAME(neighbour) *list, int first, int end, const REAL *a, const REAL *b,
    REAL *x) {
  _Pragma("clang fp reassociate(on)")
  if (!has_row(g, kind, k)) return 0;
  size_t count = column_count(g, kind), at = place(g, kind, k);
  const REAL *inverse = a + (INVERSE + kind) * g.plane + at;
  b += kind * g.plane + at;
  x += kind * g.plane + at;
  REAL product = 0;
  ROW_LOOP for (size_t l = 0; l < count; l++) {
    REAL sum = b[l];
#pragma unroll
    for (int t = first; t < end; t++) sum += list[t].coupling[l] * list[t].value[l];
    x[l] = sum * inverse[l];
    product += b[l] * x[l];
  }
  return product;
}

// MARK: - Between rows of a grid and planes

// Row i of the inner points, 1 <= i <= m, into its two planes; row[0] is the point outside before it.
INLINE void NAME(split_row)(layout g, size_t i, const REAL *row, REAL *x) {
  size_t k = i / 2;
  REAL *even = x + (i % 2 ? DOWN : COARSE) * g.plane + k * g.side;
  REAL *odd = x + (i % 2 ? CENTER : ACROSS) * g.plane + k * g.side;
  ROW_LOOP for (size_t l = 1; l <= g.half; l++) even[l] = row[2 * l];
  ROW_LOOP for (size_t l = 0; l < g.odd; l++) odd[l] = row[2 * l + 1];
}

// The reverse.
INLINE void NAME(join_row)(layout g, size_t i, const REAL *x, REAL *row) {
  size_t k = i / 2;
  const REAL *even = x + (i % 2 ? DOWN : COARSE) * g.plane + k * g.side;
  const REAL *odd = x + (i % 2 ? CENTER : ACROSS) * g.plane + k * g.side;
  ROW_LOOP for (size_t l = 1; l <= g.half; l++) row[2 * l] = even[l];
  ROW_LOOP for (size_t l = 0; l < g.odd; l++) row[2 * l + 1] = odd[l];
}

// MARK: - The finest operator

INLINE void NAME(invert_diagonals)(layout g, REAL *a) {
  for (int kind = 0; kind < KINDS; kind++)
    for (size_t k = row_start(kind); has_row(g, kind, k); k++) {
      NAME(neighbour) list[8];
      NAME(find_neighbours)(0, g, kind, k, a, a, list);
      size_t count = column_count(g, kind);
      REAL *inverse = a + (INVERSE + kind) * g.plane + place(g, kind, k);
      ROW_LOOP for (size_t l = 0; l < count; l++)
        inverse[l] = 1 / ((list[0].coupling[l] + list[1].coupling[l]) + (list[2].coupling[l] + list[3].coupling[l]));
    }
}

// y = A x for the row of a kind, as the sum of fluxes g (x_p - x_q): rounding then conserves them.
INLINE void NAME(flux_row)(layout g, int kind, size_t k, const REAL *a, const REAL *x, REAL *y) {
  NAME(neighbour) list[8];
  NAME(find_neighbours)(0, g, kind, k, a, x, list);
  size_t count = column_count(g, kind);
  const REAL *own = x + kind * g.plane + place(g, kind, k);
  ROW_LOOP for (size_t l = 0; l < count; l++) {
    REAL sum = 0;
#pragma unroll
    for (int t = 0; t < 4; t++) sum += list[t].coupling[l] * (own[l] - list[t].value[l]);
    y[l] = sum;
  }
}

KERNEL(double, NAME(ck_darcy_multiply), (size_t inner, const REAL *restrict a, const REAL *restrict x,
    REAL *restrict y), (inner, a, x, y)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  layout g = layout_of(inner);
  double total = 0;
  for (size_t k = 0; k <= g.half; k++)
    for (int kind = 0; kind < KINDS; kind++) {
      if (!has_row(g, kind, k)) continue;
      size_t count = column_count(g, kind), at = kind * g.plane + place(g, kind, k);
      NAME(flux_row)(g, kind, k, a, x, y + at);
      REAL row = 0;
      for (size_t l = 0; l < count; l++) row += x[at + l] * y[at + l];
      total += row;
    }
  return total;
}

KERNEL(double, NAME(ck_darcy_residual), (size_t inner, const double *restrict a, const double *restrict b,
    const double *restrict x, const double *restrict rest, double scale, REAL *restrict residual,
    double *restrict rounded), (inner, a, b, x, rest, scale, residual, rounded)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  layout g = layout_of(inner);
  double total = 0, total_rounded = 0;
  for (size_t k = 0; k <= g.half; k++)
    for (int kind = 0; kind < KINDS; kind++) {
      if (!has_row(g, kind, k)) continue;
      size_t count = column_count(g, kind), at = kind * g.plane + place(g, kind, k);
      neighbour_f64 list[8], rests[8];
      find_neighbours_f64(0, g, kind, k, a, x, list);
      find_neighbours_f64(0, g, kind, k, a, rest, rests);
      ROW_LOOP for (size_t l = 0; l < count; l++) {
        double first = 0, second = 0;
#pragma unroll
        for (int t = 0; t < 4; t++) {
          first += list[t].coupling[l] * (x[at + l] - list[t].value[l]);
          second += list[t].coupling[l] * (rest[at + l] - rests[t].value[l]);
        }
        first = b[at + l] - first;
        total_rounded += first * first;
        first -= second;
        total += first * first;
        residual[at + l] = (REAL)(scale * first);
      }
    }
  *rounded = total_rounded;
  return total;
}

// MARK: - Conjugate gradients

KERNEL(void, NAME(ck_scaled), (size_t n, double scale, const double *restrict x, REAL *restrict y), (n, scale, x, y)) {
  for (size_t i = 0; i < n; i++) y[i] = (REAL)(scale * x[i]);
}

KERNEL(double, NAME(ck_gradient_step), (size_t n, double step, double unit, const REAL *restrict p,
    const REAL *restrict q, double *restrict x, REAL *restrict r), (n, step, unit, p, q, x, r)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  enum { PIECE = 512 };
  double total = 0, scaled = step * unit;
  REAL down = (REAL)step;
  for (size_t start = 0; start < n; start += PIECE) {
    size_t end = n - start < PIECE ? n : start + PIECE;
    REAL piece = 0;
    for (size_t i = start; i < end; i++) {
      x[i] += scaled * p[i];
      r[i] -= down * q[i];
      piece += r[i] * r[i];
    }
    total += piece;
  }
  return total;
}

KERNEL(void, NAME(ck_next_direction), (size_t n, double ratio, const REAL *restrict z, REAL *restrict p),
    (n, ratio, z, p)) {
  REAL share = (REAL)ratio;
  for (size_t i = 0; i < n; i++) p[i] = z[i] + share * p[i];
}

// MARK: - Coarsening

// The shares of two coarse points in the one between them: the equation there with the couplings summed across the
// line, so that the flux through a jump of the coefficient is continuous. Couplings of the wrong sign count as
// none, and a row sum that is zero but for rounding as zero.
INLINE void NAME(shares)(REAL d, REAL sides, REAL one, REAL other, REAL *first, REAL *second) {
  one = one > 0 ? one : 0;
  other = other > 0 ? other : 0;
  REAL sum = one + other, rest = d - sides;
  rest = rest - sum < SUM_ROUNDING * d ? sum : rest;
  REAL scale = rest > LEAST_SUM * d ? 1 / rest : 0;
  *first = one * scale;
  *second = other * scale;
}

INLINE void NAME(interpolation)(int nine, layout g, REAL *a) {
  size_t n = g.side, plane = g.plane;
  int is_even = g.odd == g.half;
  const REAL *row_0 = a + ROW_0 * plane, *row_1 = a + ROW_1 * plane, *column_0 = a + COLUMN_0 * plane,
               *column_1 = a + COLUMN_1 * plane, *row_2 = a + ROW_2 * plane, *row_3 = a + ROW_3 * plane,
               *column_2 = a + COLUMN_2 * plane, *column_3 = a + COLUMN_3 * plane;
  const REAL *bend_0 = a + BEND_0 * plane, *bend_1 = a + BEND_1 * plane, *bend_2 = a + BEND_2 * plane,
               *bend_3 = a + BEND_3 * plane;
  const REAL *across = a + (INVERSE + ACROSS) * plane, *down = a + (INVERSE + DOWN) * plane;
  REAL *left = a + LEFT * plane, *right = a + RIGHT * plane, *above = a + ABOVE * plane, *below = a + BELOW * plane;
  for (size_t k = 1; k <= g.half; k++) {
    // The row of centers below is outside if the last inner row is this one: a zero value, not an equal one.
    REAL inside = is_even && k == g.half ? 0 : 1;
    ROW_LOOP for (size_t l = 0; l < g.odd; l++) {
      size_t c = k * n + l;
      REAL one = row_0[c], other = row_1[c];
      if (nine) {
        one += inside * bend_0[c] + bend_2[c - n];
        other += inside * bend_1[c] + bend_3[c - n];
      }
      NAME(shares)(1 / across[c], column_3[c - n] + inside * column_2[c], one, other, left + c, right + c);
    }
  }
  for (size_t k = 0; k < g.odd; k++) {
    for (size_t part = 0; part < 2; part++) {
      // The same for the last column of centers.
      size_t first = part ? g.half : 1, end = part ? g.half + 1 : g.half;
      REAL inside = part && is_even ? 0 : 1;
      ROW_LOOP for (size_t l = first; l < end; l++) {
        size_t c = k * n + l;
        REAL one = column_0[c], other = column_1[c];
        if (nine) {
          one += inside * bend_0[c] + bend_1[c - 1];
          other += inside * bend_2[c] + bend_3[c - 1];
        }
        NAME(shares)(1 / down[c], row_3[c - 1] + inside * row_2[c], one, other, above + c, below + c);
      }
      if (g.half == 0) break;
    }
  }
}

// One row of cells (k, l), l = 0 ... h, each between four coarse points: what the points on its left and upper side
// and inside of it contribute to P^T A P.
INLINE void NAME(cells_of_row)(int nine, layout g, size_t k, const REAL *a, REAL *rows) {
  size_t n = g.side, plane = g.plane, at = k * n;
#define P(which) (a + (which) * plane + at)
  const REAL *row_0 = P(ROW_0), *row_1 = P(ROW_1), *row_2 = P(ROW_2), *row_3 = P(ROW_3);
  const REAL *column_0 = P(COLUMN_0), *column_1 = P(COLUMN_1), *column_2 = P(COLUMN_2), *column_3 = P(COLUMN_3);
  const REAL *across = P(INVERSE + ACROSS), *down = P(INVERSE + DOWN), *center = P(INVERSE + CENTER);
  const REAL *left = P(LEFT), *right = P(RIGHT), *above = P(ABOVE), *below = P(BELOW);
  const REAL *corner_0 = P(CORNER_0), *corner_1 = P(CORNER_1), *corner_2 = P(CORNER_2), *corner_3 = P(CORNER_3);
  const REAL *bend_0 = P(BEND_0), *bend_1 = P(BEND_1), *bend_2 = P(BEND_2), *bend_3 = P(BEND_3);
#undef P
  size_t count = g.half + 1;
#define R(which) REAL *which##_row = rows + (which) * g.side
  R(AT_0); R(AT_1); R(AT_2); R(AT_3); R(TOP); R(BOTTOM); R(WEST); R(EAST); R(FALLING); R(RISING);
#undef R
  ROW_LOOP for (size_t l = 0; l < count; l++) {
    // The NAME(shares) in the four points between coarse ones: above, below, left and right of the center.
    REAL t0 = left[l], t1 = right[l], b2 = left[l + n], b3 = right[l + n];
    REAL w0 = above[l], w2 = below[l], e1 = above[l + 1], e3 = below[l + 1];
    // The center: eliminated exactly.
    REAL up = column_2[l], low = column_3[l], west = row_2[l], east = row_3[l];
    REAL q0 = up * t0 + west * w0, q1 = up * t1 + east * e1;
    REAL q2 = low * b2 + west * w2, q3 = low * b3 + east * e3;
    if (nine) {
      q0 += corner_0[l];
      q1 += corner_1[l];
      q2 += corner_2[l];
      q3 += corner_3[l];
    }
    REAL v = center[l];
    REAL m00 = -q0 * q0 * v, m11 = -q1 * q1 * v, m22 = -q2 * q2 * v, m33 = -q3 * q3 * v;
    REAL m01 = -q0 * q1 * v, m23 = -q2 * q3 * v, m02 = -q0 * q2 * v, m13 = -q1 * q3 * v;
    REAL m03 = -q0 * q3 * v, m12 = -q1 * q2 * v;
    // The point above the center, with its couplings to the coarse points on both sides.
    REAL d = across[l] > 0 ? 1 / across[l] : 0;
    m00 += t0 * (d * t0 - 2 * row_0[l]);
    m11 += t1 * (d * t1 - 2 * row_1[l]);
    m01 += d * t0 * t1 - row_0[l] * t1 - row_1[l] * t0;
    // The point on its left.
    d = down[l] > 0 ? 1 / down[l] : 0;
    m00 += w0 * (d * w0 - 2 * column_0[l]);
    m22 += w2 * (d * w2 - 2 * column_1[l]);
    m02 += d * w0 * w2 - column_0[l] * w2 - column_1[l] * w0;
    if (nine) {
      REAL c0 = bend_0[l], c1 = bend_1[l], c2 = bend_2[l], c3 = bend_3[l];
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
INLINE void NAME(file_row)(size_t count, const REAL *row, REAL *even, REAL *odd) {
  size_t evens = (count + 1) / 2, odds = count / 2;
  ROW_LOOP for (size_t l = 0; l < evens; l++) even[l] = row[2 * l];
  ROW_LOOP for (size_t l = 0; l < odds; l++) odd[l] = row[2 * l + 1];
}

INLINE void NAME(coarsen)(int nine, size_t inner, const REAL *a, REAL *coarse, REAL *scratch) {
  layout g = layout_of(inner), c = layout_of(g.half);
  size_t n = g.side, count = g.half + 1;
  // Two rows of cells; then rows of diagonals and couplings of coarse points.
  REAL *upper = scratch, *lower = scratch + CELL_ROWS * n;
  REAL *diagonal = lower + CELL_ROWS * n, *east = diagonal + n, *south = east + n;
  memset(scratch, 0, (2 * CELL_ROWS + 3) * n * sizeof *scratch);
#define C(which, k) (coarse + (which) * c.plane + (k) * c.side)
  for (size_t i = 0; i <= g.half; i++) {
    REAL *swap = upper;
    upper = lower;
    lower = swap;
    NAME(cells_of_row)(nine, g, i, a, lower);
    // Coarse points of row i lie between the two rows of cells.
    const REAL *own = a + (INVERSE + COARSE) * g.plane + i * n;
    const REAL *nw = upper + AT_3 * n, *ne = upper + AT_2 * n, *sw = lower + AT_1 * n, *se = lower + AT_0 * n;
    const REAL *top = lower + TOP * n, *bottom = upper + BOTTOM * n, *west = lower + WEST * n,
                 *right = lower + EAST * n;
    ROW_LOOP for (size_t j = 1; j < count; j++)
      diagonal[j] = own[j] > 0 ? 1 / ((1 / own[j] + (nw[j - 1] + ne[j])) + (sw[j - 1] + se[j])) : 0;
    ROW_LOOP for (size_t j = 0; j < count; j++) east[j] = bottom[j] + top[j];
    south[0] = west[0];
    ROW_LOOP for (size_t j = 1; j < count; j++) south[j] = west[j] + right[j - 1];
    size_t k = i / 2;
    if (i % 2 == 0) {
      if (i > 0) NAME(file_row)(count, diagonal, C(INVERSE + COARSE, k), C(INVERSE + ACROSS, k));
      if (i > 0) NAME(file_row)(count, east, C(ROW_0, k), C(ROW_1, k));
      NAME(file_row)(count, south, C(COLUMN_0, k), C(COLUMN_2, k));
      // (i, j) - (i + 1, j + 1) with even j joins coarse and center, with odd j across and down.
      NAME(file_row)(count, lower + FALLING * n, C(CORNER_0, k), C(BEND_1, k));
      // (i, j + 1) - (i + 1, j) with even j joins across and down, with odd j coarse and center.
      NAME(file_row)(count, lower + RISING * n, C(BEND_0, k), C(CORNER_1, k));
    } else {
      NAME(file_row)(count, diagonal, C(INVERSE + DOWN, k), C(INVERSE + CENTER, k));
      NAME(file_row)(count, east, C(ROW_2, k), C(ROW_3, k));
      NAME(file_row)(count, south, C(COLUMN_1, k), C(COLUMN_3, k));
      NAME(file_row)(count, lower + FALLING * n, C(BEND_2, k), C(CORNER_3, k));
      NAME(file_row)(count, lower + RISING * n, C(CORNER_2, k), C(BEND_3, k));
    }
  }
#undef C
  NAME(interpolation)(1, c, coarse);
}

KERNEL(void, NAME(ck_multigrid_prepare), (size_t inner, REAL *a), (inner, a)) {
  NAME(invert_diagonals)(layout_of(inner), a);
  NAME(interpolation)(0, layout_of(inner), a);
}

KERNEL(void, NAME(ck_multigrid_coarsen_five), (size_t inner, const REAL *restrict a, REAL *restrict coarse,
    REAL *restrict scratch), (inner, a, coarse, scratch)) {
  NAME(coarsen)(0, inner, a, coarse, scratch);
}

KERNEL(void, NAME(ck_multigrid_coarsen_nine), (size_t inner, const REAL *restrict a, REAL *restrict coarse,
    REAL *restrict scratch), (inner, a, coarse, scratch)) {
  NAME(coarsen)(1, inner, a, coarse, scratch);
}

// MARK: - The cycle

INLINE void NAME(go_down)(
    int nine, size_t inner, const REAL *a, const REAL *b, REAL *x, REAL *coarse_b, REAL *scratch) {
  layout g = layout_of(inner), c = layout_of(g.half);
  size_t n = g.side;
  int all = nine ? 8 : 4;
  REAL *at_coarse = scratch, *at_across = scratch + n, *at_down = at_across + n, *at_down_before = at_down + n;
  REAL *gathered = at_down_before + n;
  memset(scratch, 0, 5 * n * sizeof *scratch);
  NAME(neighbour) list[8];
  for (size_t k = 0; k <= g.half; k++) {
    // Relax kind by kind from zero: what comes later in the order still has the value zero. Rows k + 1 of coarse
    // and across, then rows k of down and center, all of whose neighbours then are new.
    NAME(relax_row)(g, COARSE, k + 1, list, 0, 0, a, b, x);
    NAME(find_neighbours)(nine, g, ACROSS, k + 1, a, x, list);
    NAME(relax_row)(g, ACROSS, k + 1, list, 0, 2, a, b, x);
    NAME(find_neighbours)(nine, g, DOWN, k, a, x, list);
    if (nine) {
      NAME(neighbour) known[6] = {list[0], list[1], list[4], list[5], list[6], list[7]};
      NAME(relax_row)(g, DOWN, k, known, 0, 6, a, b, x);
    } else {
      NAME(relax_row)(g, DOWN, k, list, 0, 2, a, b, x);
    }
    NAME(find_neighbours)(nine, g, CENTER, k, a, x, list);
    NAME(relax_row)(g, CENTER, k, list, 0, all, a, b, x);
    // What has changed since a point was relaxed is its residual: all neighbours of coarse points, none of centers.
    REAL *before = at_down;
    at_down = at_down_before;
    at_down_before = before;
    if (has_row(g, DOWN, k)) {
      NAME(find_neighbours)(nine, g, DOWN, k, a, x, list);
      NAME(sum_row)(g.half, list, 2, 4, at_down + 1);
    }
    if (k == 0) continue;
    NAME(find_neighbours)(nine, g, COARSE, k, a, x, list);
    NAME(sum_row)(g.half, list, 0, all, at_coarse + 1);
    NAME(find_neighbours)(nine, g, ACROSS, k, a, x, list);
    NAME(sum_row)(g.odd, list, 2, all, at_across);
    const REAL *left = a + LEFT * g.plane + k * n, *right = a + RIGHT * g.plane + k * n;
    const REAL *above = a + ABOVE * g.plane + k * n, *below = a + BELOW * g.plane + (k - 1) * n;
    ROW_LOOP for (size_t l = 1; l <= g.half; l++)
      gathered[l] = at_coarse[l] + left[l] * at_across[l] + right[l - 1] * at_across[l - 1]
                  + above[l] * at_down[l] + below[l] * at_down_before[l];
    NAME(split_row)(c, k, gathered, coarse_b);
  }
}

// The product of b and the new x.
INLINE double NAME(go_up)(
    int nine, size_t inner, const REAL *a, const REAL *b, const REAL *coarse_x, REAL *x, REAL *scratch) {
  layout g = layout_of(inner), c = layout_of(g.half);
  size_t n = g.side;
  int all = nine ? 8 : 4;
  REAL *here = scratch, *next = scratch + n;
  memset(scratch, 0, 2 * n * sizeof *scratch);
  NAME(neighbour) list[8];
  double product = 0;
  for (size_t k = 0; k <= g.half; k++) {
    REAL *swap = here;
    here = next;
    next = swap;
    // Add the coarse correction to row k of down, rows k + 1 of coarse and across. Centers need none: they are
    // relaxed first.
    if (k + 1 <= g.half) {
      NAME(join_row)(c, k + 1, coarse_x, next);
      REAL *coarse = x + COARSE * g.plane + (k + 1) * n, *across = x + ACROSS * g.plane + (k + 1) * n;
      const REAL *left = a + LEFT * g.plane + (k + 1) * n, *right = a + RIGHT * g.plane + (k + 1) * n;
      ROW_LOOP for (size_t l = 1; l <= g.half; l++) coarse[l] += next[l];
      ROW_LOOP for (size_t l = 0; l < g.odd; l++) across[l] += left[l] * next[l] + right[l] * next[l + 1];
    } else {
      memset(next, 0, n * sizeof *next);
    }
    if (has_row(g, DOWN, k)) {
      REAL *down = x + DOWN * g.plane + k * n;
      const REAL *above = a + ABOVE * g.plane + k * n, *below = a + BELOW * g.plane + k * n;
      ROW_LOOP for (size_t l = 1; l <= g.half; l++) down[l] += above[l] * here[l] + below[l] * next[l];
    }
    // Relax in the reverse order.
    for (int kind = CENTER; kind >= COARSE; kind--) {
      NAME(find_neighbours)(nine, g, kind, k, a, x, list);
      product += NAME(relax_row)(g, kind, k, list, 0, all, a, b, x);
    }
  }
  return product;
}

KERNEL(void, NAME(ck_multigrid_down_five), (size_t inner, const REAL *restrict a, const REAL *restrict b,
    REAL *restrict x, REAL *restrict coarse_b, REAL *restrict scratch),
    (inner, a, b, x, coarse_b, scratch)) {
  NAME(go_down)(0, inner, a, b, x, coarse_b, scratch);
}

KERNEL(void, NAME(ck_multigrid_down_nine), (size_t inner, const REAL *restrict a, const REAL *restrict b,
    REAL *restrict x, REAL *restrict coarse_b, REAL *restrict scratch),
    (inner, a, b, x, coarse_b, scratch)) {
  NAME(go_down)(1, inner, a, b, x, coarse_b, scratch);
}

KERNEL(double, NAME(ck_multigrid_up_five), (size_t inner, const REAL *restrict a, const REAL *restrict b,
    const REAL *restrict coarse_x, REAL *restrict x, REAL *restrict scratch),
    (inner, a, b, coarse_x, x, scratch)) {
  return NAME(go_up)(0, inner, a, b, coarse_x, x, scratch);
}

KERNEL(double, NAME(ck_multigrid_up_nine), (size_t inner, const REAL *restrict a, const REAL *restrict b,
    const REAL *restrict coarse_x, REAL *restrict x, REAL *restrict scratch),
    (inner, a, b, coarse_x, x, scratch)) {
  return NAME(go_up)(1, inner, a, b, coarse_x, x, scratch);
}

double NAME(ck_multigrid_single)(const REAL *a, const REAL *b, REAL *x) {
  size_t at = CENTER * layout_of(1).plane;
  x[at] = b[at] * a[INVERSE * layout_of(1).plane + at];
  return (double)b[at] * (double)x[at];
}
