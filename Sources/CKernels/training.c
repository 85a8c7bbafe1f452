#include "learning_kernels.h"
#include "multiversion.h"

KERNEL(double, ck_sum_f32, (size_t n, const float *x), (n, x)) {
  _Pragma("clang fp reassociate(on)")
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i];
  return sum;
}

KERNEL(void, ck_add_constant_f32, (size_t n, float a, float *x), (n, a, x)) {
  for (size_t i = 0; i < n; i++) x[i] += a;
}

KERNEL(void, ck_affine_f32, (size_t n, float a, float b, const float *restrict x, float *restrict y),
    (n, a, b, x, y)) {
  for (size_t i = 0; i < n; i++) y[i] = a * x[i] + b;
}

KERNEL(void, ck_affine_pointwise_f32, (size_t n, const float *restrict a, const float *restrict b,
    const float *restrict x, float *restrict y), (n, a, b, x, y)) {
  for (size_t i = 0; i < n; i++) y[i] = a[i] * x[i] + b[i];
}

KERNEL(void, ck_multiply_f32, (size_t n, const float *restrict a, float *restrict y), (n, a, y)) {
  for (size_t i = 0; i < n; i++) y[i] *= a[i];
}

KERNEL(void, ck_add_rows_f32, (size_t rows, size_t count, size_t row, const float *restrict x,
    const float *restrict factor, float *restrict y), (rows, count, row, x, factor, y)) {
  for (size_t r = 0; r < rows; r++) {
    const float *restrict a = x + r * row;
    float *restrict sum = y + r * row;
    // The next of the short pieces of long rows, which the processor does not foresee.
    for (size_t i = 0; i < count && r + 1 < rows; i += 16) {
      __builtin_prefetch(a + row + i);
      if (factor) __builtin_prefetch(factor + (r + 1) * row + i);
    }
    if (factor)
      for (size_t i = 0; i < count; i++) sum[i] = (sum[i] + a[i]) * factor[r * row + i];
    else
      for (size_t i = 0; i < count; i++) sum[i] += a[i];
  }
}

KERNEL(void, ck_normalization_adjoint_f32, (size_t n, float a, float b, float c, const float *restrict x,
    float *restrict gradient), (n, a, b, c, x, gradient)) {
  for (size_t i = 0; i < n; i++) gradient[i] = a * gradient[i] + b * x[i] + c;
}

KERNEL(void, ck_scaled_difference_f32, (size_t n, float a, const float *restrict x, const float *restrict y,
    float *restrict out), (n, a, x, y, out)) {
  for (size_t i = 0; i < n; i++) out[i] = a * (x[i] - y[i]);
}

KERNEL(void, ck_adam_f32, (size_t n, struct ck_adam s, const float *restrict gradient, float *restrict first,
    float *restrict second, float *restrict value), (n, s, gradient, first, second, value)) {
  for (size_t i = 0; i < n; i++) {
    float g = gradient[i] + s.weight_decay * value[i];
    first[i] = s.beta1 * first[i] + s.beta1_complement * g;
    second[i] = s.beta2 * second[i] + s.beta2_complement * g * g;
    float size = __builtin_sqrtf(second[i]) * s.second_correction + s.epsilon;
    value[i] -= s.shrinkage * value[i];
    value[i] -= s.rate * s.first_correction * first[i] / size;
  }
}

KERNEL(void, ck_momentum_f32, (size_t n, float rate, float momentum, float weight_decay,
    const float *restrict gradient, float *restrict velocity, float *restrict value),
    (n, rate, momentum, weight_decay, gradient, velocity, value)) {
  for (size_t i = 0; i < n; i++) {
    velocity[i] = momentum * velocity[i] + gradient[i] + weight_decay * value[i];
    value[i] -= rate * velocity[i];
  }
}
