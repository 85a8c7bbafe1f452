#include "lanes.h"
#include "learning_kernels.h"
#include "multiversion.h"

#include <string.h>

/// `height` rows of the product, kept in registers over the whole sum, at one or two vectors of columns, the second one
/// `second` columns behind the first; `alike` if both or none of the factors is conjugated.
///
/// With `apart` the two products of a term go to sums of their own: a term does not wait for two additions then, but twice
/// as many registers are needed. With `fetches` what lies behind b is fetched meanwhile: the matrix of the next mode.
INLINE void planar_block(const size_t height, const int vectors, const int apart, const int fetches, const int alike,
                         size_t inner, struct ck_planar la, const float *a, struct ck_planar lb, const float *b,
                         size_t second, struct ck_planar lc, float *c) {
  lanes re[4][2] = {{{0}}}, im[4][2] = {{{0}}}, more_re[4][2] = {{{0}}}, more_im[4][2] = {{{0}}};
  for (size_t k = 0; k < inner; k++) {
    lanes br[2], bi[2];
    UNROLL for (int v = 0; v < vectors; v++) {
      br[v] = LOAD(b + k * lb.row + v * second);
      bi[v] = LOAD(b + k * lb.row + v * second + lb.imaginary);
      if (fetches) {
        const float *next = b + k * lb.row + v * second + 2 * lb.imaginary;
        __builtin_prefetch(next);
        __builtin_prefetch(next + lb.imaginary);
      }
    }
    UNROLL for (size_t r = 0; r < height; r++) {
      float ar = a[r * la.row + k * la.column], ai = a[r * la.row + k * la.column + la.imaginary];
      UNROLL for (int v = 0; v < vectors; v++) {
        // The imaginary part but for the sign of a's.
        re[r][v] += ar * br[v];
        im[r][v] += ai * br[v];
        if (apart) {
          more_re[r][v] += ai * bi[v];
          more_im[r][v] += ar * bi[v];
        } else if (alike) {
          re[r][v] -= ai * bi[v];
          im[r][v] += ar * bi[v];
        } else {
          re[r][v] += ai * bi[v];
          im[r][v] -= ar * bi[v];
        }
      }
    }
  }
  float sign = la.conjugate ? -1.0f : 1.0f;
  UNROLL for (size_t r = 0; r < height; r++) {
    UNROLL for (int v = 0; v < vectors; v++) {
      if (apart) {
        re[r][v] = alike ? re[r][v] - more_re[r][v] : re[r][v] + more_re[r][v];
        im[r][v] = alike ? im[r][v] + more_im[r][v] : im[r][v] - more_im[r][v];
      }
      STORE(c + r * lc.row + v * second, re[r][v]);
      STORE(c + r * lc.row + v * second + lc.imaginary, sign * im[r][v]);
    }
  }
}

/// All rows, in blocks of `height`, the first of which fetches: the others find the matrix in the cache.
INLINE void planar_rows(const size_t height, const int vectors, const int apart, const int alike, size_t rows,
                        size_t inner, struct ck_planar la, const float *a, struct ck_planar lb, const float *b,
                        size_t second, struct ck_planar lc, float *c) {
  size_t r = 0;
  if (rows >= height) {
    planar_block(height, vectors, apart, 1, alike, inner, la, a, lb, b, second, lc, c);
    r = height;
  }
  for (; r + height <= rows; r += height)
    planar_block(height, vectors, apart, 0, alike, inner, la, a + r * la.row, lb, b, second, lc, c + r * lc.row);
  for (; r < rows; r++)
    planar_block(1, vectors, apart, 1, alike, inner, la, a + r * la.row, lb, b, second, lc, c + r * lc.row);
}

/// All rows at one or two vectors of columns: sixteen sums fill half of the 32 registers of AVX-512, those of two rows half
/// of the 16 of others.
INLINE void planar_columns(const int vectors, const int alike, size_t rows, size_t inner, struct ck_planar la,
                           const float *a, struct ck_planar lb, const float *b, size_t second, struct ck_planar lc,
                           float *c) {
  if (ck_chosen_instructions == CK_AVX512)
    planar_rows(vectors == 1 ? 4 : 2, vectors, 1, alike, rows, inner, la, a, lb, b, second, lc, c);
  else
    planar_rows(2, vectors, 0, alike, rows, inner, la, a, lb, b, second, lc, c);
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
  // Two vectors at a time where registers allow it.
  const size_t step = ck_chosen_instructions == CK_AVX512 ? 2 * LANES : LANES;
  for (size_t start = 0; start < columns; start += step) {
    // The last vector overlaps the one before it instead of being narrower; what it repeats is equal.
    size_t j = start + LANES <= columns ? start : columns - LANES;
    size_t next = start + 2 * LANES <= columns ? start + LANES : columns - LANES, second = next - j;
    int alike = la.conjugate == lb.conjugate, is_one = step == LANES || start + LANES >= columns;
    if (is_one && alike)
      planar_columns(1, 1, rows, inner, la, a, lb, b + j, 0, lc, c + j);
    else if (is_one)
      planar_columns(1, 0, rows, inner, la, a, lb, b + j, 0, lc, c + j);
    else if (alike)
      planar_columns(2, 1, rows, inner, la, a, lb, b + j, second, lc, c + j);
    else
      planar_columns(2, 0, rows, inner, la, a, lb, b + j, second, lc, c + j);
  }
}

/// The place of a block of `size` that begins at `start` and does not reach behind `length`: the last one overlaps the
/// one before.
INLINE size_t block_place(size_t start, size_t size, size_t length) {
  return start + size <= length ? start : length - size;
}

/// The columns of a square whose rows are so far apart.
INLINE void load_square(const float *in, size_t row, lanes v[LANES]) {
  for (size_t i = 0; i < LANES; i++) v[i] = LOAD(in + i * row);
  transpose_lanes(v);
}

/// Stores the columns of a square so that its rows are so far apart.
INLINE void store_square(lanes v[LANES], size_t row, float *out) {
  transpose_lanes(v);
  for (size_t i = 0; i < LANES; i++) STORE(out + i * row, v[i]);
}

KERNEL(void, ck_transpose, (size_t rows, size_t columns, const float *restrict in, float *restrict out),
    (rows, columns, in, out)) {
  if (rows < LANES || columns < LANES) {
    for (size_t j = 0; j < columns; j++)
      for (size_t r = 0; r < rows; r++) out[j * rows + r] = in[r * columns + j];
    return;
  }
  for (size_t start = 0; start < rows; start += LANES)
    for (size_t first = 0; first < columns; first += LANES) {
      size_t r = block_place(start, LANES, rows), j = block_place(first, LANES, columns);
      lanes v[LANES];
      load_square(in + r * columns + j, columns, v);
      for (int i = 0; i < LANES; i++) STORE(out + (j + i) * rows + r, v[i]);
    }
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

// Complex numbers of 16 channels and 8 modes at a time, as a square of reals.
enum { MODES_AT_ONCE = LANES / 2 };

/// Fetches some modes of a sample, which lie far apart among those of a batch, so that the processor does not foresee them.
INLINE void fetch_modes(size_t start, size_t m, size_t channels, size_t stride, size_t imaginary, const float *modes) {
  for (size_t k = start; k < start + MODES_AT_ONCE && k < m; k++) {
    const float *mode = modes + k * stride;
    for (size_t i = 0; i < channels; i += LANES) {
      __builtin_prefetch(mode + i);
      __builtin_prefetch(mode + imaginary + i);
    }
    __builtin_prefetch(mode + imaginary + channels - 1);
  }
}

KERNEL(void, ck_scatter_modes, (size_t m, size_t channels, const float *restrict in, size_t stride,
    float *restrict modes), (m, channels, in, stride, modes)) {
  if (m < MODES_AT_ONCE || channels < LANES) {
    for (size_t k = 0; k < m; k++)
      for (size_t c = 0; c < channels; c++) {
        modes[k * stride + c] = in[(c * m + k) * 2];
        modes[k * stride + channels + c] = in[(c * m + k) * 2 + 1];
      }
    return;
  }
  for (size_t start = 0; start < m; start += MODES_AT_ONCE) {
    fetch_modes(start + 2 * MODES_AT_ONCE, m, channels, stride, channels, modes);
    for (size_t first = 0; first < channels; first += LANES) {
      size_t k = block_place(start, MODES_AT_ONCE, m), c = block_place(first, LANES, channels);
      lanes v[LANES];
      load_square(in + (c * m + k) * 2, 2 * m, v);
      for (size_t i = 0; i < LANES; i++) STORE(modes + (k + i / 2) * stride + i % 2 * channels + c, v[i]);
    }
  }
}

KERNEL(void, ck_gather_modes, (size_t m, size_t channels, const float *restrict modes, size_t stride,
    size_t imaginary, float *restrict out), (m, channels, modes, stride, imaginary, out)) {
  if (m < MODES_AT_ONCE || channels < LANES) {
    for (size_t k = 0; k < m; k++)
      for (size_t c = 0; c < channels; c++) {
        out[(c * m + k) * 2] = modes[k * stride + c];
        out[(c * m + k) * 2 + 1] = modes[k * stride + imaginary + c];
      }
    return;
  }
  for (size_t start = 0; start < m; start += MODES_AT_ONCE) {
    fetch_modes(start + 2 * MODES_AT_ONCE, m, channels, stride, imaginary, modes);
    for (size_t first = 0; first < channels; first += LANES) {
      size_t k = block_place(start, MODES_AT_ONCE, m), c = block_place(first, LANES, channels);
      lanes v[LANES];
      for (size_t i = 0; i < LANES; i++) v[i] = LOAD(modes + (k + i / 2) * stride + i % 2 * imaginary + c);
      store_square(v, 2 * m, out + (c * m + k) * 2);
    }
  }
}

/// The numbers of one sample's modes (row, k) at 16 channels from c on, real parts and imaginary ones.
#define MODE(row, k) (modes + ((row) * m + (k)) * stride + c)
#define RE(row, k) LOAD(MODE(row, k))
#define IM(row, k) LOAD(MODE(row, k) + imaginary)

/// Fetches the modes k, k + 1, ... of the frequencies f and -f.
INLINE void fetch_pairs(size_t f, size_t k, size_t n, size_t m, size_t channels, size_t stride, size_t imaginary,
                        const float *modes) {
  fetch_modes(k, m, channels, stride, imaginary, modes + f * m * stride);
  fetch_modes(k, m, channels, stride, imaginary, modes + (2 * n - f) * m * stride);
}

/// The factors of the cosines and sines of the frequency f, which has the modes f if it is less than n and -f if it is
/// not 0.
INLINE void gather_frequency(const int has_positive, const int has_negative, size_t f, size_t n, size_t m,
                             size_t channels, const float *modes, size_t stride, size_t imaginary, float *out,
                             size_t out_row) {
  for (size_t start = 0; start < m; start += MODES_AT_ONCE) {
    size_t k = block_place(start, MODES_AT_ONCE, m);
    if (f < n) fetch_pairs(f + 1, k, n, m, channels, stride, imaginary, modes);
    for (size_t first = 0; first < channels; first += LANES) {
      size_t c = block_place(first, LANES, channels);
      lanes v[LANES];
      UNROLL for (size_t i = 0; i < MODES_AT_ONCE; i++) {
        v[2 * i] = has_positive ? RE(f, k + i) : RE(2 * n - f, k + i);
        v[2 * i + 1] = has_positive ? IM(f, k + i) : IM(2 * n - f, k + i);
        if (has_positive && has_negative) {
          v[2 * i] += RE(2 * n - f, k + i);
          v[2 * i + 1] += IM(2 * n - f, k + i);
        }
      }
      float *to = out + c * out_row + 2 * k;
      store_square(v, out_row, to + 2 * f * m);
      if (!has_negative) continue;
      UNROLL for (size_t i = 0; i < MODES_AT_ONCE; i++) {
        v[2 * i] = has_positive ? IM(2 * n - f, k + i) - IM(f, k + i) : IM(2 * n - f, k + i);
        v[2 * i + 1] = has_positive ? RE(f, k + i) - RE(2 * n - f, k + i) : -RE(2 * n - f, k + i);
      }
      store_square(v, out_row, to + 2 * (n + f) * m);
    }
  }
}

KERNEL(void, ck_gather_folded, (size_t n, size_t m, size_t channels, const float *restrict modes, size_t stride,
    size_t imaginary, float *restrict out, size_t out_row),
    (n, m, channels, modes, stride, imaginary, out, out_row)) {
  if (m < MODES_AT_ONCE || channels < LANES) {
    for (size_t c = 0; c < channels; c++)
      for (size_t k = 0; k < m; k++) {
        float *to = out + c * out_row + 2 * k;
        to[0] = *MODE(0, k);
        to[1] = MODE(0, k)[imaginary];
        for (size_t f = 1; f <= n; f++) {
          const float *negative = MODE(2 * n - f, k), *positive = MODE(f, k);
          float re = f < n ? positive[0] : 0, im = f < n ? positive[imaginary] : 0;
          to[2 * f * m] = re + negative[0];
          to[2 * f * m + 1] = im + negative[imaginary];
          to[2 * (n + f) * m] = negative[imaginary] - im;
          to[2 * (n + f) * m + 1] = re - negative[0];
        }
      }
    return;
  }
  gather_frequency(1, 0, 0, n, m, channels, modes, stride, imaginary, out, out_row);
  for (size_t f = 1; f < n; f++) gather_frequency(1, 1, f, n, m, channels, modes, stride, imaginary, out, out_row);
  gather_frequency(0, 1, n, n, m, channels, modes, stride, imaginary, out, out_row);
}

/// The modes f, if it is less than n, and -f, if it is not 0, of the sums with cosines and sines of the frequency f.
INLINE void scatter_frequency(const int has_positive, const int has_negative, size_t f, size_t n, size_t m,
                              size_t channels, const float *in, size_t in_row, size_t stride, float *modes) {
  for (size_t start = 0; start < m; start += MODES_AT_ONCE) {
    size_t k = block_place(start, MODES_AT_ONCE, m);
    if (f < n) fetch_pairs(f + 1, k, n, m, channels, stride, channels, modes);
    for (size_t first = 0; first < channels; first += LANES) {
      size_t c = block_place(first, LANES, channels);
      const float *from = in + c * in_row + 2 * k;
      lanes p[LANES], q[LANES] = {{0}};
      load_square(from + 2 * f * m, in_row, p);
      if (has_negative) load_square(from + 2 * (n + f) * m, in_row, q);
      UNROLL for (size_t i = 0; i < MODES_AT_ONCE; i++) {
        if (has_positive) {
          STORE(MODE(f, k + i), has_negative ? p[2 * i] + q[2 * i + 1] : p[2 * i]);
          STORE(MODE(f, k + i) + channels, has_negative ? p[2 * i + 1] - q[2 * i] : p[2 * i + 1]);
        }
        if (has_negative) {
          STORE(MODE(2 * n - f, k + i), p[2 * i] - q[2 * i + 1]);
          STORE(MODE(2 * n - f, k + i) + channels, p[2 * i + 1] + q[2 * i]);
        }
      }
    }
  }
}

KERNEL(void, ck_scatter_unfolded, (size_t n, size_t m, size_t channels, const float *restrict in, size_t in_row,
    size_t stride, float *restrict modes), (n, m, channels, in, in_row, stride, modes)) {
  if (m < MODES_AT_ONCE || channels < LANES) {
    for (size_t c = 0; c < channels; c++)
      for (size_t k = 0; k < m; k++) {
        const float *from = in + c * in_row + 2 * k;
        MODE(0, k)[0] = from[0];
        MODE(0, k)[channels] = from[1];
        for (size_t f = 1; f <= n; f++) {
          const float *p = from + 2 * f * m, *q = from + 2 * (n + f) * m;
          MODE(2 * n - f, k)[0] = p[0] - q[1];
          MODE(2 * n - f, k)[channels] = p[1] + q[0];
          if (f == n) break;
          MODE(f, k)[0] = p[0] + q[1];
          MODE(f, k)[channels] = p[1] - q[0];
        }
      }
    return;
  }
  scatter_frequency(1, 0, 0, n, m, channels, in, in_row, stride, modes);
  for (size_t f = 1; f < n; f++) scatter_frequency(1, 1, f, n, m, channels, in, in_row, stride, modes);
  scatter_frequency(0, 1, n, n, m, channels, in, in_row, stride, modes);
}

#undef MODE
#undef RE
#undef IM

static size_t points_of(const struct ck_axis *axis) { return axis->outer * axis->points * axis->row; }

static size_t sums_of(const struct ck_axis *axis) { return axis->outer * (2 * axis->m + 1) * axis->row; }

/// Fetches the next channel while one is worked on, unless it is too long to be kept.
static void fetch_channel(const float *from, size_t count) {
  for (size_t i = 0; count <= 16384 && i < count; i += 16) __builtin_prefetch(from + i, 0, 2);
}

void ck_sum_axes(size_t channels, size_t count, const struct ck_axis *axes, const float *from, float *between,
                 float *to) {
  const struct ck_axis *last = axes + count - 1;
  for (; channels > 0; channels--, from += points_of(axes), to += sums_of(last)) {
    if (channels > 1) fetch_channel(from + points_of(axes), points_of(axes));
    if (count == 2) ck_sum_axis_using(CK_AVX512, axes, from, between);
    ck_sum_axis_using(CK_AVX512, last, count == 2 ? between : from, to);
  }
}

void ck_expand_axes(size_t channels, size_t count, const struct ck_axis *axes, const float *from, float *between,
                    float *to) {
  const struct ck_axis *last = axes + count - 1;
  for (; channels > 0; channels--, from += sums_of(last), to += points_of(axes)) {
    if (channels > 1) fetch_channel(to + points_of(axes), points_of(axes));
    ck_expand_axis_using(CK_AVX512, last, from, count == 2 ? between : to);
    if (count == 2) ck_expand_axis_using(CK_AVX512, axes, between, to);
  }
}

KERNEL(void, ck_fold_quarters, (size_t quarter, const float *restrict x, float *restrict parts),
    (quarter, x, parts)) {
  const float *restrict second = x + 2 * quarter - 1, *restrict third = x + 2 * quarter,
                        *restrict fourth = x + 4 * quarter - 1;
  float *restrict odd_cosines = parts + quarter, *restrict even_sines = parts + 2 * quarter,
                  *restrict odd_sines = parts + 3 * quarter;
  for (size_t j = 0; j < quarter; j++) {
    size_t back = -j;
    float sum = x[j] + fourth[back], middle_sum = second[back] + third[j];
    float difference = x[j] - fourth[back], middle_difference = second[back] - third[j];
    parts[j] = sum + middle_sum;
    odd_cosines[j] = sum - middle_sum;
    even_sines[j] = difference - middle_difference;
    odd_sines[j] = difference + middle_difference;
  }
}

void ck_scatter_turned(size_t m, size_t channels, const float *sums, const float *turns, size_t stride,
                       float *modes) {
  for (size_t k = 0; k < m; k++) {
    const float *a = sums + k % 2 * ((m + 1) / 2) + k / 2;
    float c = turns[2 * k], s = turns[2 * k + 1];
    for (size_t channel = 0; channel < channels; channel++, a += 2 * m) {
      modes[k * stride + channel] = a[0] * c + a[m] * s;
      modes[k * stride + channels + channel] = a[0] * s - a[m] * c;
    }
  }
}

void ck_gather_turned(size_t m, size_t channels, const float *modes, size_t stride, size_t imaginary,
                      const float *turns, float *sums) {
  for (size_t k = 0; k < m; k++) {
    float *a = sums + k % 2 * ((m + 1) / 2) + k / 2;
    float c = turns[2 * k], s = turns[2 * k + 1];
    for (size_t channel = 0; channel < channels; channel++, a += 2 * m) {
      float re = modes[k * stride + channel], im = modes[k * stride + imaginary + channel];
      a[0] = re * c + im * s;
      a[m] = re * s - im * c;
    }
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

void ck_fetch_rows(size_t rows, size_t row, size_t count, const float *x) {
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < count; i += 16) __builtin_prefetch(x + r * row + i);
}
