#include "lanes.h"
#include "learning_kernels.h"
#include "multiversion.h"

#include <string.h>

/// `height` rows by 16 columns of the product, kept in registers over the whole sum.
INLINE void planar_block(size_t height, size_t inner, struct ck_planar la, const float *a, struct ck_planar lb,
                         const float *b, struct ck_planar lc, float *c) {
  lanes re[4] = {{0}}, im[4] = {{0}};
  float sign_a = la.conjugate ? -1.0f : 1.0f, sign_b = lb.conjugate ? -1.0f : 1.0f;
  for (size_t k = 0; k < inner; k++) {
    lanes br = LOAD(b + k * lb.row), bi = sign_b * LOAD(b + k * lb.row + lb.imaginary);
    for (size_t r = 0; r < height; r++) {
      float ar = a[r * la.row + k * la.column], ai = sign_a * a[r * la.row + k * la.column + la.imaginary];
      re[r] += ar * br;
      re[r] -= ai * bi;
      im[r] += ar * bi;
      im[r] += ai * br;
    }
  }
  for (size_t r = 0; r < height; r++) {
    STORE(c + r * lc.row, re[r]);
    STORE(c + r * lc.row + lc.imaginary, im[r]);
  }
}

/// The same for any number of columns, for rows shorter than a vector.
INLINE void planar_narrow(size_t rows, size_t columns, size_t inner, struct ck_planar la, const float *a,
                          struct ck_planar lb, const float *b, struct ck_planar lc, float *c) {
  float sign_a = la.conjugate ? -1.0f : 1.0f, sign_b = lb.conjugate ? -1.0f : 1.0f;
  for (size_t r = 0; r < rows; r++) {
    float re[LANES] = {0}, im[LANES] = {0};
    for (size_t k = 0; k < inner; k++) {
      float ar = a[r * la.row + k * la.column], ai = sign_a * a[r * la.row + k * la.column + la.imaginary];
      const float *br = b + k * lb.row, *bi = br + lb.imaginary;
      for (size_t j = 0; j < columns; j++) {
        re[j] += ar * br[j] - ai * (sign_b * bi[j]);
        im[j] += ar * (sign_b * bi[j]) + ai * br[j];
      }
    }
    memcpy(c + r * lc.row, re, columns * sizeof *c);
    memcpy(c + r * lc.row + lc.imaginary, im, columns * sizeof *c);
  }
}

KERNEL(void, ck_planar_product, (size_t rows, size_t columns, size_t inner, struct ck_planar la,
    const float *a, struct ck_planar lb, const float *b, struct ck_planar lc, float *c),
    (rows, columns, inner, la, a, lb, b, lc, c)) {
  if (columns < LANES) {
    planar_narrow(rows, columns, inner, la, a, lb, b, lc, c);
    return;
  }
  for (size_t start = 0; start < columns; start += LANES) {
    // The last block overlaps the one before it instead of being narrower; what it repeats is equal.
    size_t j = start + LANES <= columns ? start : columns - LANES;
    size_t r = 0;
    for (; r + 4 <= rows; r += 4)
      planar_block(4, inner, la, a + r * la.row, lb, b + j, lc, c + r * lc.row + j);
    for (; r + 2 <= rows; r += 2)
      planar_block(2, inner, la, a + r * la.row, lb, b + j, lc, c + r * lc.row + j);
    if (r < rows) planar_block(1, inner, la, a + r * la.row, lb, b + j, lc, c + r * lc.row + j);
  }
}

KERNEL(void, ck_transpose, (size_t rows, size_t columns, const float *restrict in, float *restrict out),
    (rows, columns, in, out)) {
  for (size_t j = 0; j < columns; j++)
    for (size_t r = 0; r < rows; r++) out[j * rows + r] = in[r * columns + j];
}

KERNEL(void, ck_unfold_axis, (size_t m, size_t count, const float *restrict folded, float *restrict modes),
    (m, count, folded, modes)) {
  size_t row = 2 * count;
  memcpy(modes, folded, row * sizeof *modes);
  for (size_t f = 1; f <= m; f++) {
    const float *p = folded + f * row, *q = folded + (m + f) * row;
    float *negative = modes + (2 * m - f) * row;
    for (size_t i = 0; i < row; i += 2) {
      negative[i] = p[i] - q[i + 1];
      negative[i + 1] = p[i + 1] + q[i];
    }
    if (f == m) break;
    float *positive = modes + f * row;
    for (size_t i = 0; i < row; i += 2) {
      positive[i] = p[i] + q[i + 1];
      positive[i + 1] = p[i + 1] - q[i];
    }
  }
}

KERNEL(void, ck_fold_axis, (size_t m, size_t count, const float *restrict modes, float *restrict folded),
    (m, count, modes, folded)) {
  size_t row = 2 * count;
  memcpy(folded, modes, row * sizeof *modes);
  for (size_t f = 1; f < m; f++) {
    const float *positive = modes + f * row, *negative = modes + (2 * m - f) * row;
    float *p = folded + f * row, *q = folded + (m + f) * row;
    for (size_t i = 0; i < row; i += 2) {
      p[i] = positive[i] + negative[i];
      p[i + 1] = positive[i + 1] + negative[i + 1];
      q[i] = negative[i + 1] - positive[i + 1];
      q[i + 1] = positive[i] - negative[i];
    }
  }
  const float *negative = modes + m * row;
  float *p = folded + m * row, *q = folded + 2 * m * row;
  for (size_t i = 0; i < row; i += 2) {
    p[i] = negative[i];
    p[i + 1] = negative[i + 1];
    q[i] = negative[i + 1];
    q[i + 1] = -negative[i];
  }
}

void ck_scatter_modes(size_t m, size_t channels, const float *in, size_t stride, float *modes) {
  for (size_t k = 0; k < m; k++)
    for (size_t c = 0; c < channels; c++) {
      modes[k * stride + c] = in[(c * m + k) * 2];
      modes[k * stride + channels + c] = in[(c * m + k) * 2 + 1];
    }
}

void ck_gather_modes(size_t m, size_t channels, const float *modes, size_t stride, float *out) {
  for (size_t k = 0; k < m; k++)
    for (size_t c = 0; c < channels; c++) {
      out[(c * m + k) * 2] = modes[k * stride + c];
      out[(c * m + k) * 2 + 1] = modes[k * stride + channels + c];
    }
}

KERNEL(void, ck_planar_scale, (size_t rows, size_t columns, struct ck_planar la, const float *a,
    struct ck_planar lb, const float *b, struct ck_planar lc, float *c),
    (rows, columns, la, a, lb, b, lc, c)) {
  float sign_a = la.conjugate ? -1.0f : 1.0f, sign_b = lb.conjugate ? -1.0f : 1.0f;
  for (size_t r = 0; r < rows; r++) {
    const float *ar = a + r * la.row, *ai = ar + la.imaginary, *bi = b + lb.imaginary;
    float *restrict re = c + r * lc.row, *restrict im = re + lc.imaginary;
    for (size_t j = 0; j < columns; j++) {
      re[j] = ar[j] * b[j] - sign_a * ai[j] * sign_b * bi[j];
      im[j] = ar[j] * sign_b * bi[j] + sign_a * ai[j] * b[j];
    }
  }
}

KERNEL(void, ck_planar_correlate, (size_t rows, size_t columns, struct ck_planar la, const float *a,
    struct ck_planar lb, const float *b, struct ck_planar lc, float *c),
    (rows, columns, la, a, lb, b, lc, c)) {
  float sign_a = la.conjugate ? -1.0f : 1.0f, sign_b = lb.conjugate ? -1.0f : 1.0f;
  float *restrict re = c, *restrict im = c + lc.imaginary;
  memset(re, 0, columns * sizeof *c);
  memset(im, 0, columns * sizeof *c);
  for (size_t r = 0; r < rows; r++) {
    const float *ar = a + r * la.row, *ai = ar + la.imaginary, *br = b + r * lb.row, *bi = br + lb.imaginary;
    for (size_t j = 0; j < columns; j++) {
      re[j] += ar[j] * br[j] - sign_a * ai[j] * sign_b * bi[j];
      im[j] += ar[j] * sign_b * bi[j] + sign_a * ai[j] * br[j];
    }
  }
}
