#include <stddef.h>
#include <string.h>

#include "gelu.h"
#include "learning_kernels.h"

// Products of small matrices with long rows, as between the channels of a field. OpenBLAS packs both factors for
// large squares and knows neither two factors at once nor what follows a product; these kernels keep a block of
// the result in registers, stream the long rows through the first-level cache, and finish a block (bias,
// activation) before it leaves it.

/// A packed tile of this many rows stays in the cache.
enum { MAXIMUM_INNER = CK_LONGEST_SUM };
/// The floats of the tiles that are packed at once, most of the first cache: rows of fields lie far apart, on pages of
/// their own, so that a visit should be long.
enum { PANEL = 6144 };

/// The floats that tiles of packed rows need.
#define PACKED(tile) (MAXIMUM_INNER * (tile) > PANEL ? MAXIMUM_INNER * (tile) : PANEL)

/// How many tiles of so many rows are packed at once.
static size_t tiles_at_once(size_t rows, size_t tile) {
  size_t tiles = PANEL / ((rows > 0 ? rows : 1) * tile);
  return tiles > 0 ? tiles : 1;
}

// A cosine is the same and a sine opposite as far from the one end of an axis of n points as from the other; as far from
// the middle, cosines of even frequencies and sines of odd ones are the same, the others opposite. So rows are added and
// subtracted first, two or, where n is even, four of them, and half or a quarter of the products is left. The frequency
// 0 takes no products.

/// The frequencies that meet the same sums and differences of rows.
struct part {
  /// The points that have such a row: so many from the first on.
  size_t first, points;
  size_t frequencies;
  /// Cosines or sines of the first of these frequencies from point 0 on, and how far those of the next are.
  const float *factors;
  size_t factor_row;
  /// The row of the sums that belongs to the first frequency, and the distance to the next.
  size_t target, step;
};

/// The parts of an axis, of which an odd number of points leaves two empty, and the number of points that are not images
/// of others.
static size_t parts_of(const struct ck_axis *axis, struct part parts[4]) {
  size_t n = axis->points, m = axis->m, half = n / 2 + 1, quarter = n / 4;
  const float *cosines = axis->cosines, *sines = axis->sines;
  if (n % 2) {
    parts[0] = (struct part){0, half, m, cosines + half, half, 1, 1};
    parts[1] = (struct part){0, 0, 0, cosines, half, 0, 1};
    parts[2] = (struct part){1, half - 1, m, sines, half, m + 1, 1};
    parts[3] = (struct part){0, 0, 0, sines, half, 0, 1};
    return half;
  }
  size_t between = n % 4 ? quarter + 1 : quarter;  // the points that are not as far from the middle as from an end
  parts[0] = (struct part){0, quarter + 1, m / 2, cosines + 2 * half, 2 * half, 2, 2};
  parts[1] = (struct part){0, between, (m + 1) / 2, cosines + half, 2 * half, 1, 2};
  parts[2] = (struct part){1, quarter, (m + 1) / 2, sines, 2 * half, m + 1, 2};
  parts[3] = (struct part){1, between > 1 ? between - 1 : 0, m / 2, sines + half, 2 * half, m + 2, 2};
  return quarter + 1;
}

/// How many points of a part there are from `first` to `last`.
static size_t points_between(const struct part *part, size_t first, size_t last) {
  size_t end = part->first + part->points;
  if (first < part->first) first = part->first;
  if (last > end) last = end;
  return last > first ? last - first : 0;
}

/// Which rows are folded with that of a point: none, the one as far from the other end, the one as far from the middle,
/// or both and their image.
enum fold { FOLD_NOTHING, FOLD_ENDS, FOLD_MIDDLE, FOLD_BOTH };

/// Inner products pack so many rows of y and so many points of them at a time, where rows of fields lie a power of two apart
/// and would push each other out: 44 KiB, and of 20 rows what the first cache holds. While a piece is used the next one is
/// fetched, so that pieces should be short; adding up the lanes at the end of one costs as much as some hundred points.
enum { DOT_PANEL = 32, DOT_LENGTH = 352 };

typedef float four __attribute__((ext_vector_type(4)));

/// The most outputs of a perceptron whose hidden values go nowhere, and the numbers in which each of its sums is kept.
enum { NARROW = 4, MOST_LANES = CK_MOST_LANES };

#ifdef SEVERAL_INSTRUCTION_SETS
#define NAME(x) x##_avx512
#define TARGET TARGET_AVX512
#ifndef WIDE_KERNELS_ON_AVX2
#define GELU_BY_PIECES
#endif
#define LANES 16
#define PRODUCT_ROWS 8
#define PRODUCT_VECTORS 3
#define DOT_ROWS 4
#define DOT_COLUMNS 6
#include "matrix_template.h"

#define NAME(x) x##_avx2
#define TARGET TARGET_AVX2
#define LANES 8
#define PRODUCT_ROWS 4
#define PRODUCT_VECTORS 3
#define DOT_ROWS 4
#define DOT_COLUMNS 3
#include "matrix_template.h"
#endif

#define NAME(x) x##_baseline
#define TARGET
#define LANES 4
#if defined(__aarch64__)
#define PRODUCT_ROWS 6
#define PRODUCT_VECTORS 3
#define DOT_ROWS 4
#define DOT_COLUMNS 4
#else
#define PRODUCT_ROWS 4
#define PRODUCT_VECTORS 2
#define DOT_ROWS 2
#define DOT_COLUMNS 4
#endif
#include "matrix_template.h"

/// The functions for one instruction set.
struct matrix_kernels {
  void (*product)(size_t rows, size_t columns, const struct ck_factors *factors, const float *addend,
                  size_t addend_row, const struct ck_finish *finish, float *c, size_t c_row);
  void (*sum_axis)(const struct ck_axis *axis, const float *from, float *to);
  void (*expand_axis)(const struct ck_axis *axis, const float *from, float *to);
  void (*expand_some)(const struct ck_axis *axis, size_t first, size_t last, const float *from, float *to);
  void (*expand_quarters)(size_t channels, const struct ck_quarters *quarters, const float *sums, size_t start,
                          size_t count, float *packed, size_t quarter, size_t place, float *field);
  void (*inner_products)(size_t rows, size_t columns, size_t length, const float *x, size_t x_row,
                         const float *y, size_t y_row, int adds, float *c, size_t c_row);
  void (*perceptron)(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                     const float *addend, size_t addend_row, float *y, size_t y_row, float *rates);
  void (*perceptron_adjoint)(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                             const float *addend, size_t addend_row, const float *dy, size_t dy_row, float *dz,
                             float *sums);
  void (*perceptron_difference)(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                                const float *addend, size_t addend_row, const struct ck_target *target,
                                float *difference, size_t difference_row, float *dz, float *values, float *sums);
};

#define KERNELS(set)                                                                                    \
  {product_##set,         sum_axis_##set,       expand_axis_##set, expand_some_##set,        \
   expand_quarters_##set, inner_products_##set, perceptron_##set,  perceptron_adjoint_##set, \
   perceptron_difference_##set}

static const struct matrix_kernels baseline = KERNELS(baseline);
#ifdef SEVERAL_INSTRUCTION_SETS
static const struct matrix_kernels avx2 = KERNELS(avx2);
static const struct matrix_kernels avx512 = KERNELS(avx512);
#endif

/// The best kernels that use no more than `most`.
static const struct matrix_kernels *kernels(enum ck_instructions most) {
#ifdef SEVERAL_INSTRUCTION_SETS
  if (most > ck_chosen_instructions) most = ck_chosen_instructions;
  if (most == CK_AVX512) return &avx512;
  if (most == CK_AVX2) return &avx2;
#endif
  (void)most;
  return &baseline;
}

void ck_product_using(enum ck_instructions most, size_t rows, size_t columns, const struct ck_factors *factors,
                      const struct ck_finish *finish, float *c, size_t c_row) {
  const float *addend = finish ? finish->addend : NULL;
  size_t addend_row = finish ? finish->addend_row : 0;
  struct ck_factors part = *factors;
  size_t rest = factors->inner;
  do {  // as many terms as one visit of the result can take
    part.inner = rest < MAXIMUM_INNER ? rest : MAXIMUM_INNER;
    rest -= part.inner;
    kernels(most)->product(rows, columns, &part, addend, addend_row, rest == 0 ? finish : NULL, c, c_row);
    part.a += part.inner * part.column;
    part.b += part.inner * part.b_row;
    addend = c;
    addend_row = c_row;
  } while (rest > 0);
}

void ck_product(size_t rows, size_t columns, const struct ck_factors *factors, const struct ck_finish *finish, float *c,
                size_t c_row) {
  ck_product_using(CK_AVX512, rows, columns, factors, finish, c, c_row);
}

void ck_sum_axis_using(enum ck_instructions most, const struct ck_axis *axis, const float *from, float *to) {
  kernels(most)->sum_axis(axis, from, to);
}

void ck_expand_axis_using(enum ck_instructions most, const struct ck_axis *axis, const float *from, float *to) {
  kernels(most)->expand_axis(axis, from, to);
}

void ck_expand_some_using(enum ck_instructions most, size_t channels, const struct ck_axis *axis, size_t first,
                          size_t last, const float *from, float *to) {
  size_t sums = (2 * axis->m + 1) * axis->row, points = (axis->points % 2 ? 2 : 4) * (last - first) * axis->row;
  for (; channels > 0; channels--, from += sums, to += points) kernels(most)->expand_some(axis, first, last, from, to);
}

void ck_expand_quarters_using(enum ck_instructions most, size_t channels, const struct ck_quarters *quarters,
                              const float *sums, size_t start, size_t count, float *packed, size_t quarter,
                              size_t place, float *field) {
  kernels(most)->expand_quarters(channels, quarters, sums, start, count, packed, quarter, place, field);
}

void ck_inner_products_using(enum ck_instructions most, size_t rows, size_t columns, size_t length,
                             const float *x, size_t x_row, const float *y, size_t y_row, int adds, float *c,
                             size_t c_row) {
  kernels(most)->inner_products(rows, columns, length, x, x_row, y, y_row, adds, c, c_row);
}

void ck_inner_products(size_t rows, size_t columns, size_t length, const float *x, size_t x_row,
                       const float *y, size_t y_row, int adds, float *c, size_t c_row) {
  ck_inner_products_using(CK_AVX512, rows, columns, length, x, x_row, y, y_row, adds, c, c_row);
}

int ck_perceptron_is_narrow(const struct ck_perceptron *perceptron) {
  return perceptron->outputs <= NARROW && perceptron->inputs <= MAXIMUM_INNER;
}

void ck_perceptron_using(enum ck_instructions most, const struct ck_perceptron *perceptron, size_t columns,
                         const float *u, size_t u_row, const float *addend, size_t addend_row, float *y,
                         size_t y_row, float *rates) {
  kernels(most)->perceptron(perceptron, columns, u, u_row, addend, addend_row, y, y_row, rates);
}

void ck_perceptron(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                   const float *addend, size_t addend_row, float *y, size_t y_row, float *rates) {
  ck_perceptron_using(CK_AVX512, perceptron, columns, u, u_row, addend, addend_row, y, y_row, rates);
}

void ck_perceptron_adjoint_using(enum ck_instructions most, const struct ck_perceptron *perceptron, size_t columns,
                                 const float *u, size_t u_row, const float *addend, size_t addend_row,
                                 const float *dy, size_t dy_row, float *dz, float *sums) {
  kernels(most)->perceptron_adjoint(perceptron, columns, u, u_row, addend, addend_row, dy, dy_row, dz, sums);
}

void ck_perceptron_adjoint(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                           const float *addend, size_t addend_row, const float *dy, size_t dy_row, float *dz,
                           float *sums) {
  ck_perceptron_adjoint_using(CK_AVX512, perceptron, columns, u, u_row, addend, addend_row, dy, dy_row, dz, sums);
}

void ck_perceptron_difference_using(enum ck_instructions most, const struct ck_perceptron *perceptron, size_t columns,
                                    const float *u, size_t u_row, const float *addend, size_t addend_row,
                                    const struct ck_target *target, float *difference, size_t difference_row,
                                    float *dz, float *values, float *sums) {
  kernels(most)->perceptron_difference(perceptron, columns, u, u_row, addend, addend_row, target, difference,
                                       difference_row, dz, values, sums);
}

void ck_perceptron_difference(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                              const float *addend, size_t addend_row, const struct ck_target *target,
                              float *difference, size_t difference_row, float *dz, float *values, float *sums) {
  ck_perceptron_difference_using(CK_AVX512, perceptron, columns, u, u_row, addend, addend_row, target, difference,
                                 difference_row, dz, values, sums);
}
