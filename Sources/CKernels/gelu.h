// x Phi(x) and its derivative, Phi the standard normal distribution function; branch-free, so that loops over
// them vectorise. Included by the kernels that use it.
#pragma once

#include <stddef.h>

#include "multiversion.h"

/// x Phi(x), and its derivative Phi(x) + x phi(x) where `slope` is not NULL.
///
/// Phi(x) - 1/2 and Phi(x) + x phi(x) - 1/2 are odd: x p(x^2) / q(x^2) and x d(x^2) / q(x^2) with one q for both, so that
/// there is one division and no exponential. Fitted together (`scripts/fit-gelu`) to 3e-8 on
/// |x| <= 5.65; further out the first is +-1/2 to 4e-8, the second to 2.6e-7. What rounding adds makes it
/// 3e-7 max(1, |x|) for the value and 3e-7 for the derivative, where PyTorch's error function leaves 1.7e-7 and 3e-7. The
/// error of a value far on the negative side is that of 1/2, as with the error function, not a small part of the value.
INLINE float gelu_and_slope(float x, float *slope) {
  const float end = 5.65f;
  x = x < -end ? -end : x;  // written so that what is not a number stays so
  float c = x > end ? end : x, s = c * c;
  float q = 8.94602947e-10f;
  q = q * s + 1.47379762e-06f;
  q = q * s + 7.7440207e-05f;
  q = q * s + 0.00190665177f;
  q = q * s + 0.0286491998f;
  q = q * s + 0.250884444f;
  q = q * s + 1.0f;
  float p = 3.5251702e-08f;
  p = p * s + 7.09399774e-06f;
  p = p * s + 0.000171426349f;
  p = p * s + 0.00472037075f;
  p = p * s + 0.0335988142f;
  p = p * s + 0.398942143f;
  float over_q = c / q;
  if (slope) {
    float d = 8.16477636e-13f;
    d = d * s - 1.75765458e-10f;
    d = d * s + 1.67272418e-08f;
    d = d * s - 8.88656132e-07f;
    d = d * s + 3.96601135e-05f;
    d = d * s - 0.000582609733f;
    d = d * s + 0.015973825f;
    d = d * s - 0.0657846928f;
    d = d * s + 0.797884643f;
    *slope = over_q * d + 0.5f;
  }
  return x * (over_q * p + 0.5f);
}

INLINE float gelu(float x) { return gelu_and_slope(x, NULL); }
