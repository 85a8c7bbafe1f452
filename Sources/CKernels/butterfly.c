#include "lanes.h"
#include "learning_kernels.h"
#include "multiversion.h"

#include <string.h>

// A factor of stride s acts on the pairs of positions (i, i + s) with bit s of i clear, pair number p by the
// complex 2 x 2 matrix twiddle[p]. Two neighbouring factors are merged into a pass, which reads and writes every
// position once. Its 4 x 4 matrices take as many operations as the two factors, and their gradient needs nothing
// from between the two.

/// Most positions of a group, which a pass mixes with each other.
enum { MOST_POINTS = 4 };

/// One or two neighbouring factors of one block, the smallest of stride `stride`.
struct pass {
  size_t size, stride, points;  // 2 or 4 points
  size_t exponent;              // of two factors, the one that acts first has the stride 2^exponent stride
  size_t start;                 // of its twiddles, and of its matrices
};

/// The pass number `index` of the product, in the order of application.
static struct pass pass_at(struct ck_butterfly product, size_t index) {
  size_t per_block = (product.levels + 1) / 2;
  size_t block = index / per_block, first = index % per_block * 2;
  size_t count = product.levels - first < 2 ? 1 : 2;
  int increasing = (block % 2 == 0) == (product.begins_increasing != 0);
  size_t size = (size_t)1 << product.levels;
  return (struct pass){
      .size = size,
      .stride = (size_t)1 << (increasing ? first : product.levels - first - count),
      .points = (size_t)1 << count,
      .exponent = increasing ? 0 : count - 1,
      .start = (block * product.levels + first) * size * 4,
  };
}

size_t ck_butterfly_passes(struct ck_butterfly product) { return product.depth * ((product.levels + 1) / 2); }

// MARK: The matrices of a pass

/// Where the twiddles of a factor of a pass of two have the entry (i, k) of a group, i and k different in the bit
/// `exponent` at most.
INLINE size_t entry(struct pass p, size_t exponent, size_t q, size_t r, size_t i, size_t k) {
  size_t j = i & ~((size_t)1 << exponent);
  size_t pair = exponent == 0 ? (2 * q + (j >> 1)) * p.stride + r : (2 * q + j) * p.stride + r;
  return pair * 8 + ((i >> exponent & 1) * 2 + (k >> exponent & 1)) * 2;
}

/// Where the one way from position j of a group to position i of the result leads: entries of both factors.
struct way {
  size_t first, second;
};

INLINE struct way way(struct pass p, size_t q, size_t r, size_t i, size_t j) {
  size_t first = p.exponent, second = 1 - first;
  // The first factor has changed its bit, the second has not yet.
  size_t between = (i & (size_t)1 << first) | (j & (size_t)1 << second);
  return (struct way){
      .first = p.start + entry(p, first, q, r, between, j),
      .second = p.start + p.size * 4 + entry(p, second, q, r, i, between),
  };
}

void ck_butterfly_merge(struct ck_butterfly product, const float *twiddle, float *matrices) {
  for (size_t index = 0; index < ck_butterfly_passes(product); index++) {
    struct pass p = pass_at(product, index);
    float *matrix = matrices + p.start;
    if (p.points == 2) {
      memcpy(matrix, twiddle + p.start, p.size * 4 * sizeof *matrix);
      continue;
    }
    for (size_t q = 0; q < p.size / (4 * p.stride); q++)
      for (size_t r = 0; r < p.stride; r++)
        for (size_t i = 0; i < 4; i++)
          for (size_t j = 0; j < 4; j++, matrix += 2) {
            struct way w = way(p, q, r, i, j);
            const float *a = twiddle + w.second, *b = twiddle + w.first;
            matrix[0] = a[0] * b[0] - a[1] * b[1];
            matrix[1] = a[0] * b[1] + a[1] * b[0];
          }
  }
}

void ck_butterfly_merge_adjoint(struct ck_butterfly product, const float *twiddle, const float *matrix_gradient,
                                float *twiddle_gradient) {
  for (size_t index = 0; index < ck_butterfly_passes(product); index++) {
    struct pass p = pass_at(product, index);
    const float *g = matrix_gradient + p.start;
    if (p.points == 2) {
      for (size_t i = 0; i < p.size * 4; i++) twiddle_gradient[p.start + i] += g[i];
      continue;
    }
    for (size_t q = 0; q < p.size / (4 * p.stride); q++)
      for (size_t r = 0; r < p.stride; r++)
        for (size_t i = 0; i < 4; i++)
          for (size_t j = 0; j < 4; j++, g += 2) {
            struct way w = way(p, q, r, i, j);
            const float *a = twiddle + w.second, *b = twiddle + w.first;
            float *da = twiddle_gradient + w.second, *db = twiddle_gradient + w.first;
            da[0] += g[0] * b[0] + g[1] * b[1];
            da[1] += g[1] * b[0] - g[0] * b[1];
            db[0] += g[0] * a[0] + g[1] * a[1];
            db[1] += g[1] * a[0] - g[0] * a[1];
          }
  }
}

// MARK: The product

/// Those points of a group that lines hold, and where.
struct members {
  size_t count;
  size_t point[MOST_POINTS], offset[MOST_POINTS];
};

INLINE struct members members(struct pass p, struct ck_lines lines, size_t first) {
  struct members m;
  if (lines.step == 1 && first + (p.points - 1) * p.stride < lines.count) {
    // Mostly all.
    for (size_t j = 0; j < p.points; j++) {
      m.point[j] = j;
      m.offset[j] = (first + j * p.stride) * lines.position;
    }
    m.count = p.points;
    return m;
  }
  m.count = 0;
  for (size_t j = 0; j < p.points; j++) {
    size_t position = first + j * p.stride, index = position / lines.step;
    if (index * lines.step != position || index >= lines.count) continue;
    m.point[m.count] = j;
    m.offset[m.count++] = index * lines.position;
  }
  return m;
}

/// What a pass reads or writes.
struct side {
  struct ck_lines lines;
  float *start;
};

/// The rows k to k + height of a group's product for 16 vectors; `whole` if all four columns and rows are there.
INLINE void product_rows(const size_t height, const int adjoint, const int real_source, const int real_target,
                         const int whole, size_t points, const float *matrix, const struct members *columns,
                         size_t source_imaginary, const float *x, const struct members *rows, size_t k,
                         size_t target_imaginary, float *y) {
  lanes re[2] = {{0}}, im[2] = {{0}};
  for (size_t c = 0; c < (whole ? MOST_POINTS : columns->count); c++) {
    lanes xr = LOAD(x + columns->offset[c]), xi = {0};
    if (!real_source) xi = LOAD(x + columns->offset[c] + source_imaginary);
    for (size_t h = 0; h < height; h++) {
      size_t row = whole ? k + h : rows->point[k + h], column = whole ? c : columns->point[c];
      const float *t = matrix + (adjoint ? column * points + row : row * points + column) * 2;
      re[h] += t[0] * xr;
      if (!real_target) {
        if (adjoint)
          im[h] -= t[1] * xr;
        else
          im[h] += t[1] * xr;
      }
      if (!real_source) {
        if (adjoint)
          re[h] += t[1] * xi;
        else
          re[h] -= t[1] * xi;
        if (!real_target) im[h] += t[0] * xi;
      }
    }
  }
  for (size_t h = 0; h < height; h++) {
    STORE(y + rows->offset[k + h], re[h]);
    if (!real_target) STORE(y + rows->offset[k + h] + target_imaginary, im[h]);
  }
}

/// One group of a pass.
INLINE void product_group(const int adjoint, const int real_source, const int real_target, const int whole,
                          size_t points, const float *matrix, size_t lines, size_t width,
                          const struct members *columns, struct side source, const struct members *rows,
                          struct side target) {
  for (size_t l = 0; l < lines; l++)
    for (size_t v = 0; v < width; v += LANES) {
      const float *x = source.start + l * source.lines.line + v;
      float *y = target.start + l * target.lines.line + v;
      size_t k = 0;
      for (; k + 2 <= (whole ? MOST_POINTS : rows->count); k += 2)
        product_rows(2, adjoint, real_source, real_target, whole, points, matrix, columns, source.lines.imaginary, x,
                     rows, k, target.lines.imaginary, y);
      if (!whole && k < rows->count)
        product_rows(1, adjoint, real_source, real_target, 0, points, matrix, columns, source.lines.imaginary, x,
                     rows, k, target.lines.imaginary, y);
    }
}

/// What is real as constants, so that the loops over registers have no branches.
#define FOR_CONSTANT_PARTS(first_real, second_real, call)      \
  do {                                                         \
    if (first_real) {                                          \
      if (second_real) call(1, 1);                             \
      else call(1, 0);                                         \
    } else {                                                   \
      if (second_real) call(0, 1);                             \
      else call(0, 0);                                         \
    }                                                          \
  } while (0)

INLINE void run(const int adjoint, struct pass p, const float *matrices, size_t lines, size_t width,
                struct side source, struct side target) {
  const float *matrix = matrices + p.start;
  size_t matrix_count = 2 * p.points * p.points;
  for (size_t q = 0; q < p.size / (p.points * p.stride); q++)
    for (size_t r = 0; r < p.stride; r++, matrix += matrix_count) {
      size_t first = q * p.points * p.stride + r;
      struct members columns = members(p, source.lines, first), rows = members(p, target.lines, first);
#define CALL(real_source, real_target)                                                                         \
  product_group(adjoint, real_source, real_target, 0, p.points, matrix, lines, width, &columns, source, &rows, \
                target)
      if (columns.count == MOST_POINTS && rows.count == MOST_POINTS && !source.lines.real && !target.lines.real)
        product_group(adjoint, 0, 0, 1, MOST_POINTS, matrix, lines, width, &columns, source, &rows, target);
      else
        FOR_CONSTANT_PARTS(source.lines.real, target.lines.real, CALL);
#undef CALL
    }
}

STATIC_KERNEL(void, run_pass, (struct pass p, const float *matrices, size_t lines, size_t width, struct side source,
    struct side target), (p, matrices, lines, width, source, target)) {
  run(0, p, matrices, lines, width, source, target);
}

STATIC_KERNEL(void, run_adjoint_pass, (struct pass p, const float *matrices, size_t lines, size_t width,
    struct side source, struct side target), (p, matrices, lines, width, source, target)) {
  run(1, p, matrices, lines, width, source, target);
}

/// All lines between two passes.
static struct side between(struct ck_butterfly product, size_t lines, size_t width, float *start) {
  size_t size = (size_t)1 << product.levels;
  return (struct side){
      .lines = {.count = size, .step = 1, .position = 2 * lines * width, .line = width, .imaginary = lines * width},
      .start = start,
  };
}

static size_t between_count(struct ck_butterfly product, size_t lines, size_t width) {
  return ((size_t)2 << product.levels) * lines * width;
}

void ck_butterfly_multiply(struct ck_butterfly product, const float *matrices, size_t lines, size_t width,
                           struct ck_lines source, const float *x, struct ck_lines target, float *y,
                           float *scratch) {
  size_t passes = ck_butterfly_passes(product), count = between_count(product, lines, width);
  struct side from = {source, (float *)x};
  for (size_t index = 0; index < passes; index++) {
    struct side to = {target, y};
    if (index + 1 < passes) to = between(product, lines, width, scratch + index % 2 * count);
    run_pass(pass_at(product, index), matrices, lines, width, from, to);
    from = to;
  }
}

void ck_butterfly_multiply_adjoint(struct ck_butterfly product, const float *matrices, size_t lines, size_t width,
                                   struct ck_lines target, const float *dy, struct ck_lines source, float *dx,
                                   float *scratch) {
  size_t count = between_count(product, lines, width);
  struct side from = {target, (float *)dy};
  for (size_t index = ck_butterfly_passes(product); index-- > 0;) {
    struct side to = {source, dx};
    if (index > 0) to = between(product, lines, width, scratch + index % 2 * count);
    run_adjoint_pass(pass_at(product, index), matrices, lines, width, from, to);
    from = to;
  }
}

// MARK: The gradient of the matrices

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

/// The sums over all vectors of g conj(x) for two rows of g and one column of x, as pairs of real and imaginary part.
INLINE void correlate(const size_t height, const int real_x, const int real_g, size_t lines, size_t width,
                      struct ck_lines x_lines, const float *x, struct ck_lines g_lines, const float *g,
                      const size_t *offsets, lanes *sums[2]) {
  lanes re[2] = {{0}}, im[2] = {{0}};
  for (size_t l = 0; l < lines; l++)
    for (size_t v = 0; v < width; v += LANES) {
      const float *xs = x + l * x_lines.line + v, *gs = g + l * g_lines.line + v;
      lanes xr = LOAD(xs), xi = {0};
      if (!real_x) xi = LOAD(xs + x_lines.imaginary);
      for (size_t h = 0; h < height; h++) {
        lanes gr = LOAD(gs + offsets[h]), gi = {0};
        re[h] += gr * xr;
        if (!real_x) im[h] -= gr * xi;
        if (!real_g) {
          gi = LOAD(gs + offsets[h] + g_lines.imaginary);
          im[h] += gi * xr;
          if (!real_x) re[h] += gi * xi;
        }
      }
    }
  for (size_t h = 0; h < height; h++) {
    sums[h][0] = re[h];
    sums[h][1] = im[h];
  }
}

/// Adds the gradient of one group's matrix.
INLINE void gradient_group(const int real_x, const int real_g, size_t points, size_t lines, size_t width,
                           const struct members *columns, struct side x, const struct members *rows, struct side g,
                           float *matrix_gradient) {
  // [row][column][re, im]
  lanes sums[2 * MOST_POINTS * MOST_POINTS];
  size_t count = 2 * points * points;
  if (rows->count < points || columns->count < points || count < LANES) memset(sums, 0, sizeof sums);
  for (size_t k = 0; k < rows->count; k += 2)
    for (size_t c = 0; c < columns->count; c++) {
      lanes *place[2];
      size_t height = rows->count - k < 2 ? 1 : 2;
      for (size_t h = 0; h < height; h++)
        place[h] = sums + (rows->point[k + h] * points + columns->point[c]) * 2;
      const float *start = x.start + columns->offset[c];
      if (height == 2)
        correlate(2, real_x, real_g, lines, width, x.lines, start, g.lines, g.start, rows->offset + k, place);
      else
        correlate(1, real_x, real_g, lines, width, x.lines, start, g.lines, g.start, rows->offset + k, place);
    }
  if (count < LANES) {
    float result[LANES] = {0};
    add_sums(sums, result);
    for (size_t i = 0; i < count; i++) matrix_gradient[i] += result[i];
  } else {
    for (size_t i = 0; i < count; i += LANES) add_sums(sums + i, matrix_gradient + i);
  }
}

STATIC_KERNEL(void, run_gradient_pass, (struct pass p, size_t lines, size_t width, struct side x, struct side g,
    float *matrix_gradient), (p, lines, width, x, g, matrix_gradient)) {
  float *target = matrix_gradient + p.start;
  size_t matrix_count = 2 * p.points * p.points;
  for (size_t q = 0; q < p.size / (p.points * p.stride); q++)
    for (size_t r = 0; r < p.stride; r++, target += matrix_count) {
      size_t first = q * p.points * p.stride + r;
      struct members columns = members(p, x.lines, first), rows = members(p, g.lines, first);
      if (columns.count == 0 || rows.count == 0) continue;
#define CALL(real_x, real_g) gradient_group(real_x, real_g, p.points, lines, width, &columns, x, &rows, g, target)
      FOR_CONSTANT_PARTS(x.lines.real, g.lines.real, CALL);
#undef CALL
    }
}

void ck_butterfly_gradient(struct ck_butterfly product, const float *matrices, size_t lines, size_t width,
                           struct ck_lines source, const float *x, struct ck_lines target, const float *dy, float *dx,
                           float *matrix_gradient, float *scratch) {
  size_t passes = ck_butterfly_passes(product), count = between_count(product, lines, width);
  // What every pass but the first acts on, then two for the gradient.
  float *states = scratch, *gradients = scratch + (passes - 1) * count;
  struct side from = {source, (float *)x};
  for (size_t index = 0; index + 1 < passes; index++) {
    struct side to = between(product, lines, width, states + index * count);
    run_pass(pass_at(product, index), matrices, lines, width, from, to);
    from = to;
  }
  struct side given = {target, (float *)dy};
  for (size_t index = passes; index-- > 0;) {
    struct side state = {source, (float *)x}, next = {source, dx};
    if (index > 0) {
      state = between(product, lines, width, states + (index - 1) * count);
      next = between(product, lines, width, gradients + index % 2 * count);
    }
    struct pass p = pass_at(product, index);
    run_gradient_pass(p, lines, width, state, given, matrix_gradient);
    if (next.start) run_adjoint_pass(p, matrices, lines, width, given, next);
    given = next;
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
  if (position == 1 && count >= LANES) {
    for (size_t start = 0; start < count; start += LANES) {
      // The last block overlaps the one before it.
      size_t i = start + LANES <= count ? start : count - LANES;
      for (size_t l = 0; l < width; l += LANES) {
        lanes square[LANES];
        for (size_t k = 0; k < LANES; k++)
          square[k] = l + k < lane_count ? LOAD(from + (l + k) * lane + i) : (lanes){0};
        transpose_lanes(square);
        for (size_t k = 0; k < LANES; k++) STORE(to + (i + k) * step + l, square[k]);
      }
    }
    return;
  }
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
  if (position == 1 && count >= LANES) {
    for (size_t start = 0; start < count; start += LANES) {
      size_t i = start + LANES <= count ? start : count - LANES;
      for (size_t l = 0; l < lane_count; l += LANES) {
        lanes square[LANES];
        for (size_t k = 0; k < LANES; k++) square[k] = LOAD(from + (i + k) * step + l);
        transpose_lanes(square);
        for (size_t k = 0; k < LANES && l + k < lane_count; k++) STORE(to + (l + k) * lane + i, square[k]);
      }
    }
    return;
  }
  for (size_t l = 0; l < lane_count; l++)
    for (size_t i = 0; i < count; i++) to[i * position + l * lane] = from[i * step + l];
}
