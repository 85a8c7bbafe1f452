// x Phi(x) and its derivative, Phi the standard normal distribution function; branch-free, so that loops over
// them vectorise. Included by the kernels that use it.
#pragma once

#include <stddef.h>

#include "multiversion.h"

// Phi(x) - 1/2 and Phi(x) + x phi(x) - 1/2 are odd: x p(x^2) / q(x^2) and x d(x^2) / q(x^2) with one q for both, so that
// there is one division and no exponential. Fitted together (`scripts/fit-gelu`) to 3e-8 on
// |x| <= 5.65; further out the first is +-1/2 to 4e-8, the second to 2.6e-7. What rounding adds makes it
// 3e-7 max(1, |x|) for the value and 3e-7 for the derivative, where PyTorch's error function leaves 1.7e-7 and 3e-7. The
// error of a value far on the negative side is that of 1/2, as with the error function, not a small part of the value.

// Coefficients of q, p and d from the highest power on.
enum { GELU_Q = 7, GELU_P = 6, GELU_D = 9 };
static const float gelu_end = 5.65f;
static const float gelu_q[GELU_Q] = {8.94602947e-10f, 1.47379762e-06f, 7.7440207e-05f, 0.00190665177f,
                                     0.0286491998f,   0.250884444f,    1.0f};
static const float gelu_p[GELU_P] = {3.5251702e-08f,  7.09399774e-06f, 0.000171426349f,
                                     0.00472037075f, 0.0335988142f,   0.398942143f};
static const float gelu_d[GELU_D] = {8.16477636e-13f,  -1.75765458e-10f, 1.67272418e-08f,
                                     -8.88656132e-07f, 3.96601135e-05f,  -0.000582609733f,
                                     0.015973825f,     -0.0657846928f,   0.797884643f};

INLINE float gelu_polynomial(const int count, const float *coefficients, float s) {
  float sum = coefficients[0];
  UNROLL for (int i = 1; i < count; i++) sum = sum * s + coefficients[i];
  return sum;
}

/// x Phi(x), and its derivative Phi(x) + x phi(x) where `slope` is not NULL.
INLINE float gelu_and_slope(float x, float *slope) {
  x = x < -gelu_end ? -gelu_end : x;  // written so that what is not a number stays so
  float c = x > gelu_end ? gelu_end : x, s = c * c;
  float over_q = c / gelu_polynomial(GELU_Q, gelu_q, s);
  if (slope) *slope = over_q * gelu_polynomial(GELU_D, gelu_d, s) + 0.5f;
  return x * (over_q * gelu_polynomial(GELU_P, gelu_p, s) + 0.5f);
}

INLINE float gelu(float x) { return gelu_and_slope(x, NULL); }
