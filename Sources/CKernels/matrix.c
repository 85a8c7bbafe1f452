#include <stddef.h>
#include <string.h>

#include "gelu.h"
#include "learning_kernels.h"

// Products of small matrices with long rows, as between the channels of a field. OpenBLAS packs both factors for
// large squares and knows neither two factors at once nor what follows a product; these kernels keep a block of
// the result in registers, stream the long rows through the first-level cache, and finish a block (bias,
// activation) before it leaves it.

#define UNROLL _Pragma("clang loop unroll(full)")

/// The longest sums between two visits of the result: a packed tile of this many rows stays in the cache.
enum { MAXIMUM_INNER = 384 };
/// Inner products pack so many rows of y and so many points of them at a time: 36 KiB, that stay in the cache. Rows of
/// fields lie a power of two apart and would push each other out of it.
enum { DOT_PANEL = 32, DOT_LENGTH = 288 };

/// The most outputs of a perceptron whose hidden values go nowhere, and the numbers in which each of its sums is kept.
enum { NARROW = 4, MOST_LANES = 16 };

#ifdef SEVERAL_INSTRUCTION_SETS
#define NAME(x) x##_avx512
#define TARGET TARGET_AVX512
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
  void (*product)(size_t rows, size_t columns, int count, const struct ck_factors *factors, int continues,
                  const struct ck_finish *finish, float *c, size_t c_row);
  void (*mirrored_product)(size_t rows, size_t columns, const struct ck_factors *even,
                           const struct ck_factors *odd, int continues, float *c, float *mirror,
                           size_t c_row);
  void (*inner_products)(size_t rows, size_t columns, size_t length, const float *x, size_t x_row,
                         const float *y, size_t y_row, int adds, float *c, size_t c_row);
  void (*perceptron)(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row, float *y,
                     size_t y_row);
  void (*perceptron_adjoint)(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                             const float *dy, size_t dy_row, float *dz, float *sums);
};

#define KERNELS(set)                                                                            \
  {product_##set, mirrored_product_##set, inner_products_##set, perceptron_##set, perceptron_adjoint_##set}

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

/// The sums of a product from the term `done` on, at most `most`.
static struct ck_factors part_of(struct ck_factors factors, size_t done, size_t most) {
  if (done > factors.inner) done = factors.inner;
  size_t rest = factors.inner - done;
  factors.inner = rest < most ? rest : most;
  factors.a += done * factors.column;
  factors.b += done * factors.b_row;
  if (factors.mirror) factors.mirror -= done * factors.b_row;
  return factors;
}

void ck_product_using(enum ck_instructions most, size_t rows, size_t columns, size_t count,
                      const struct ck_factors *factors, const struct ck_finish *finish, float *c,
                      size_t c_row) {
  const struct matrix_kernels *use = kernels(most);
  size_t factor = 0, done = 0;  // the factor that is next, and how much of its sums is done
  int continues = finish && finish->adds;
  // Sums that are only added to what is there are finished when they are there.
  if (finish && finish->kind == CK_IDENTITY && !finish->bias && !finish->factor) finish = NULL;
  while (factor < count) {
    // As many factors, whole or in part, as one visit of the result can take.
    struct ck_factors parts[4];
    int n = 0;
    size_t total = 0;
    while (factor < count && total < MAXIMUM_INNER && n < 4) {
      struct ck_factors part = part_of(factors[factor], done, MAXIMUM_INNER - total);
      parts[n++] = part;
      total += part.inner;
      done += part.inner;
      if (done == factors[factor].inner) {
        factor++;
        done = 0;
      }
    }
    use->product(rows, columns, n, parts, continues, factor == count ? finish : NULL, c, c_row);
    continues = 1;
  }
}

void ck_product(size_t rows, size_t columns, size_t count, const struct ck_factors *factors,
                const struct ck_finish *finish, float *c, size_t c_row) {
  ck_product_using(CK_AVX512, rows, columns, count, factors, finish, c, c_row);
}

void ck_mirrored_product_using(enum ck_instructions most, size_t rows, size_t columns,
                               const struct ck_factors *even, const struct ck_factors *odd, float *c,
                               float *mirror, size_t c_row) {
  const struct matrix_kernels *use = kernels(most);
  // Half of what one visit of the result can take of either.
  enum { most_inner = MAXIMUM_INNER / 2 };
  for (size_t done = 0; done == 0 || done < even->inner || done < odd->inner; done += most_inner) {
    struct ck_factors e = part_of(*even, done, most_inner), o = part_of(*odd, done, most_inner);
    use->mirrored_product(rows, columns, &e, &o, done > 0, c, mirror, c_row);
  }
}

void ck_mirrored_product(size_t rows, size_t columns, const struct ck_factors *even, const struct ck_factors *odd,
                         float *c, float *mirror, size_t c_row) {
  ck_mirrored_product_using(CK_AVX512, rows, columns, even, odd, c, mirror, c_row);
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
                         const float *u, size_t u_row, float *y, size_t y_row) {
  kernels(most)->perceptron(perceptron, columns, u, u_row, y, y_row);
}

void ck_perceptron(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row, float *y,
                   size_t y_row) {
  ck_perceptron_using(CK_AVX512, perceptron, columns, u, u_row, y, y_row);
}

void ck_perceptron_adjoint_using(enum ck_instructions most, const struct ck_perceptron *perceptron, size_t columns,
                                 const float *u, size_t u_row, const float *dy, size_t dy_row, float *dz,
                                 float *sums) {
  kernels(most)->perceptron_adjoint(perceptron, columns, u, u_row, dy, dy_row, dz, sums);
}

void ck_perceptron_adjoint(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                           const float *dy, size_t dy_row, float *dz, float *sums) {
  ck_perceptron_adjoint_using(CK_AVX512, perceptron, columns, u, u_row, dy, dy_row, dz, sums);
}
