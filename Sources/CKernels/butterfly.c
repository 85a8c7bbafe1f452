#include "lanes.h"
#include "learning_kernels.h"
#include "multiversion.h"

#include <string.h>

// A factor of stride s acts on the pairs of positions (i, i + s) with bit s of i clear, pair number p by the
// complex 2 x 2 matrix twiddle[p]. Up to three neighbouring factors are merged into a pass, which reads and
// writes every position once: it takes the 8 positions that differ in three bits into registers.

enum { MERGED = 3 };

/// `levels` neighbouring factors of one block, the smallest of stride `stride`.
struct pass {
  size_t size, width, stride;
  size_t level_count;  // factors in this pass
  int increasing;
  const float *twiddle;  // of the factor that acts first; the others follow, size * 4 floats each
};

/// The pass number `index` of the product, in the order of application.
static struct pass pass_at(struct ck_butterfly product, size_t width, const float *twiddle, size_t index) {
  size_t per_block = (product.levels + MERGED - 1) / MERGED;
  size_t block = index / per_block, first = index % per_block * MERGED;
  size_t count = product.levels - first < MERGED ? product.levels - first : MERGED;
  int increasing = (block % 2 == 0) == (product.begins_increasing != 0);
  size_t size = (size_t)1 << product.levels;
  return (struct pass){
      .size = size,
      .width = width,
      .stride = (size_t)1 << (increasing ? first : product.levels - first - count),
      .level_count = count,
      .increasing = increasing,
      .twiddle = twiddle + (block * product.levels + first) * size * 4,
  };
}

size_t ck_butterfly_passes(struct ck_butterfly product) {
  return product.depth * ((product.levels + MERGED - 1) / MERGED);
}

/// The distance of the pair that the factor `level` of a pass joins, as a power of two times its stride.
INLINE size_t exponent(size_t level_count, int increasing, size_t level) {
  return increasing ? level : level_count - 1 - level;
}

/// The twiddle of the pair whose first element is position j of the group (q, r).
INLINE const float *twiddle_of(struct pass p, size_t level_count, int increasing, size_t level, size_t q,
                               size_t r, size_t j) {
  size_t e = exponent(level_count, increasing, level);
  size_t pair = (((q << (level_count - e - 1)) + (j >> (e + 1))) << e) * p.stride +
                (j & (((size_t)1 << e) - 1)) * p.stride + r;
  return p.twiddle + level * p.size * 4 + pair * 8;
}

/// (a, b) = t (a, b).
INLINE void rotate(const float *t, lanes *ar, lanes *ai, lanes *br, lanes *bi) {
  lanes r0 = t[0] * *ar, i0 = t[0] * *ai, r1 = t[4] * *ar, i1 = t[4] * *ai;
  r0 -= t[1] * *ai;
  i0 += t[1] * *ar;
  r1 -= t[5] * *ai;
  i1 += t[5] * *ar;
  r0 += t[2] * *br;
  i0 += t[2] * *bi;
  r1 += t[6] * *br;
  i1 += t[6] * *bi;
  r0 -= t[3] * *bi;
  i0 += t[3] * *br;
  r1 -= t[7] * *bi;
  i1 += t[7] * *br;
  *ar = r0;
  *ai = i0;
  *br = r1;
  *bi = i1;
}

/// (a, b) = t^H (a, b).
INLINE void rotate_adjoint(const float *t, lanes *ar, lanes *ai, lanes *br, lanes *bi) {
  const float adjoint[8] = {t[0], -t[1], t[4], -t[5], t[2], -t[3], t[6], -t[7]};
  rotate(adjoint, ar, ai, br, bi);
}

INLINE void forward(struct pass p, size_t level_count, int increasing, int adjoint, const float *x, float *y) {
  size_t points = (size_t)1 << level_count, unit = 2 * p.width;
  for (size_t q = 0; q < p.size / (points * p.stride); q++)
    for (size_t r = 0; r < p.stride; r++)
      for (size_t v = 0; v < p.width; v += LANES) {
        size_t start = (q * points * p.stride + r) * unit + v;
        lanes re[1 << MERGED], im[1 << MERGED];
        for (size_t j = 0; j < points; j++) {
          re[j] = LOAD(x + start + j * p.stride * unit);
          im[j] = LOAD(x + start + j * p.stride * unit + p.width);
        }
        for (size_t step = 0; step < level_count; step++) {
          size_t level = adjoint ? level_count - 1 - step : step;
          size_t other = (size_t)1 << exponent(level_count, increasing, level);
          for (size_t j = 0; j < points; j++) {
            if (j & other) continue;
            const float *t = twiddle_of(p, level_count, increasing, level, q, r, j);
            if (adjoint)
              rotate_adjoint(t, &re[j], &im[j], &re[j + other], &im[j + other]);
            else
              rotate(t, &re[j], &im[j], &re[j + other], &im[j + other]);
          }
        }
        for (size_t j = 0; j < points; j++) {
          STORE(y + start + j * p.stride * unit, re[j]);
          STORE(y + start + j * p.stride * unit + p.width, im[j]);
        }
      }
}

/// The numbers of factors and both orders as constants, so that the loops over registers unroll.
#define FOR_CONSTANT_PASS(p, call)                        \
  do {                                                    \
    if ((p).increasing) {                                 \
      if ((p).level_count == 3) call(3, 1);               \
      else if ((p).level_count == 2) call(2, 1);          \
      else call(1, 1);                                    \
    } else {                                              \
      if ((p).level_count == 3) call(3, 0);               \
      else if ((p).level_count == 2) call(2, 0);          \
      else call(1, 0);                                    \
    }                                                     \
  } while (0)

STATIC_KERNEL(void, run_pass, (struct pass p, const float *x, float *y), (p, x, y)) {
#define CALL(count, increasing) forward(p, count, increasing, 0, x, y)
  FOR_CONSTANT_PASS(p, CALL);
#undef CALL
}

STATIC_KERNEL(void, run_adjoint_pass, (struct pass p, float *x), (p, x)) {
#define CALL(count, increasing) forward(p, count, increasing, 1, x, x)
  FOR_CONSTANT_PASS(p, CALL);
#undef CALL
}

void ck_butterfly_multiply(struct ck_butterfly product, size_t width, const float *twiddle, float *x) {
  for (size_t index = 0; index < ck_butterfly_passes(product); index++)
    run_pass(pass_at(product, width, twiddle, index), x, x);
}

void ck_butterfly_multiply_adjoint(struct ck_butterfly product, size_t width, const float *twiddle, float *x) {
  for (size_t index = ck_butterfly_passes(product); index-- > 0;)
    run_adjoint_pass(pass_at(product, width, twiddle, index), x);
}

// MARK: The gradient of the twiddles

/// out[i] += the sum of the elements of vector i, for 16 vectors.
INLINE void add_sums(const lanes *v, float *out) {
  lanes a[8], b[4], c[2], d;
  // Every step adds the two halves of two vectors and packs the results into one.
#define HALVES(x, y, ...) (__builtin_shufflevector(x, y, __VA_ARGS__))
  for (int i = 0; i < 8; i++)
    a[i] = HALVES(v[2 * i], v[2 * i + 1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
           HALVES(v[2 * i], v[2 * i + 1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  for (int i = 0; i < 4; i++)
    b[i] = HALVES(a[2 * i], a[2 * i + 1], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
           HALVES(a[2 * i], a[2 * i + 1], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  for (int i = 0; i < 2; i++)
    c[i] = HALVES(b[2 * i], b[2 * i + 1], 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29) +
           HALVES(b[2 * i], b[2 * i + 1], 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
  d = HALVES(c[0], c[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +
      HALVES(c[0], c[1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#undef HALVES
  STORE(out, LOAD(out) + d);
}

/// sums[0, 1] += g conj(x), real and imaginary part.
INLINE void correlate(const lanes *gr, const lanes *gi, const lanes *xr, const lanes *xi, lanes *sums) {
  sums[0] += *gr * *xr;
  sums[0] += *gi * *xi;
  sums[1] += *gi * *xr;
  sums[1] -= *gr * *xi;
}

INLINE void backward(struct pass p, size_t level_count, int increasing, const float *x, float *gradient,
                     float *twiddle_gradient) {
  size_t points = (size_t)1 << level_count, unit = 2 * p.width;
  for (size_t q = 0; q < p.size / (points * p.stride); q++)
    for (size_t r = 0; r < p.stride; r++) {
      // [factor][pair][entry][re, im]
      lanes sums[MERGED][1 << (MERGED - 1)][8];
      memset(sums, 0, sizeof sums);
      for (size_t v = 0; v < p.width; v += LANES) {
        size_t start = (q * points * p.stride + r) * unit + v;
        // The input of every factor, and the gradient of the result.
        lanes re[MERGED][1 << MERGED], im[MERGED][1 << MERGED], gr[1 << MERGED], gi[1 << MERGED];
        for (size_t j = 0; j < points; j++) {
          re[0][j] = LOAD(x + start + j * p.stride * unit);
          im[0][j] = LOAD(x + start + j * p.stride * unit + p.width);
          gr[j] = LOAD(gradient + start + j * p.stride * unit);
          gi[j] = LOAD(gradient + start + j * p.stride * unit + p.width);
        }
        for (size_t level = 0; level + 1 < level_count; level++) {
          size_t other = (size_t)1 << exponent(level_count, increasing, level);
          for (size_t j = 0; j < points; j++) {
            if (j & other) continue;
            lanes ar = re[level][j], ai = im[level][j], br = re[level][j + other], bi = im[level][j + other];
            rotate(twiddle_of(p, level_count, increasing, level, q, r, j), &ar, &ai, &br, &bi);
            re[level + 1][j] = ar;
            im[level + 1][j] = ai;
            re[level + 1][j + other] = br;
            im[level + 1][j + other] = bi;
          }
        }
        for (size_t level = level_count; level-- > 0;) {
          size_t other = (size_t)1 << exponent(level_count, increasing, level), pair = 0;
          for (size_t j = 0; j < points; j++) {
            if (j & other) continue;
            size_t k = j + other;
            lanes *s = sums[level][pair++];
            correlate(&gr[j], &gi[j], &re[level][j], &im[level][j], s);
            correlate(&gr[j], &gi[j], &re[level][k], &im[level][k], s + 2);
            correlate(&gr[k], &gi[k], &re[level][j], &im[level][j], s + 4);
            correlate(&gr[k], &gi[k], &re[level][k], &im[level][k], s + 6);
            rotate_adjoint(twiddle_of(p, level_count, increasing, level, q, r, j), &gr[j], &gi[j], &gr[k],
                           &gi[k]);
          }
        }
        for (size_t j = 0; j < points; j++) {
          STORE(gradient + start + j * p.stride * unit, gr[j]);
          STORE(gradient + start + j * p.stride * unit + p.width, gi[j]);
        }
      }
      for (size_t level = 0; level < level_count; level++) {
        size_t other = (size_t)1 << exponent(level_count, increasing, level), pair = 0;
        float *target[1 << (MERGED - 1)];
        for (size_t j = 0; j < points; j++)
          if (!(j & other))
            target[pair++] =
                twiddle_gradient + (twiddle_of(p, level_count, increasing, level, q, r, j) - p.twiddle);
        // Two pairs have 16 sums; a lone pair is added with zeros behind it.
        for (size_t i = 0; i < pair; i += 2) {
          lanes two[LANES];
          float result[LANES] = {0};
          for (size_t e = 0; e < 8; e++) {
            two[e] = sums[level][i][e];
            two[8 + e] = i + 1 < pair ? sums[level][i + 1][e] : (lanes){0};
          }
          add_sums(two, result);
          for (size_t e = 0; e < 8; e++) {
            target[i][e] += result[e];
            if (i + 1 < pair) target[i + 1][e] += result[8 + e];
          }
        }
      }
    }
}

STATIC_KERNEL(void, run_gradient_pass, (struct pass p, const float *x, float *gradient,
    float *twiddle_gradient), (p, x, gradient, twiddle_gradient)) {
#define CALL(count, increasing) backward(p, count, increasing, x, gradient, twiddle_gradient)
  FOR_CONSTANT_PASS(p, CALL);
#undef CALL
}

void ck_butterfly_trace(struct ck_butterfly product, size_t width, const float *twiddle, float *states) {
  size_t count = ((size_t)1 << product.levels) * 2 * width;
  for (size_t index = 0; index < ck_butterfly_passes(product); index++)
    run_pass(pass_at(product, width, twiddle, index), states + index * count, states + (index + 1) * count);
}

void ck_butterfly_gradient(struct ck_butterfly product, size_t width, const float *twiddle,
                           const float *states, float *gradient, float *twiddle_gradient) {
  size_t count = ((size_t)1 << product.levels) * 2 * width;
  for (size_t index = ck_butterfly_passes(product); index-- > 0;) {
    struct pass p = pass_at(product, width, twiddle, index);
    run_gradient_pass(p, states + index * count, gradient, twiddle_gradient + (p.twiddle - twiddle));
  }
}

// MARK: Lines in memory

/// Neighbouring vectors, of which there are mostly a few registers full: a call of memcpy costs more than these.
INLINE void copy_lanes(size_t lane_count, const float *from, float *to) {
  if (lane_count % LANES == 0)
    for (size_t l = 0; l < lane_count; l += LANES) STORE(to + l, LOAD(from + l));
  else
    memcpy(to, from, lane_count * sizeof *to);
}

KERNEL(void, ck_gather_lanes, (size_t count, size_t lane_count, const float *from, size_t position,
    size_t lane, size_t width, float *to, size_t step),
    (count, lane_count, from, position, lane, width, to, step)) {
  for (size_t i = 0; i < count; i++) {
    float *target = to + i * step;
    if (lane == 1)
      copy_lanes(lane_count, from + i * position, target);
    else
      for (size_t l = 0; l < lane_count; l++) target[l] = from[i * position + l * lane];
    for (size_t l = lane_count; l < width; l++) target[l] = 0;
  }
}

KERNEL(void, ck_scatter_lanes, (size_t count, size_t lane_count, const float *from, size_t step,
    size_t position, size_t lane, float *to), (count, lane_count, from, step, position, lane, to)) {
  if (lane == 1) {
    for (size_t i = 0; i < count; i++)
      copy_lanes(lane_count, from + i * step, to + i * position);
    return;
  }
  for (size_t l = 0; l < lane_count; l++)
    for (size_t i = 0; i < count; i++) to[i * position + l * lane] = from[i * step + l];
}
