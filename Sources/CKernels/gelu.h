// x Phi(x) and its derivative, Phi the standard normal distribution function; branch-free, so that loops over
// them vectorise. Included by the kernels that use it.
#pragma once

#include <stdint.h>
#include <string.h>

#include "multiversion.h"

/// exp(x) for x <= 0.5 (Cephes' polynomial, about 1 ulp); 0 below the smallest normal number.
INLINE float exp_f32(float x) {
  float bounded = x < -87.0f ? -87.0f : x;
  float shifted = bounded * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to an integer
  float k = shifted - 12582912.0f;
  float r = (bounded - k * 0.693359375f) + k * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  int32_t bits = ((int32_t)k + 127) << 23;
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return x < -87.0f ? 0.0f : p * scale;
}

/// x Phi(x); its derivative Phi(x) + x phi(x) goes to `slope`.
///
/// One exponential serves both: Phi(-t) = exp(-t^2 / 2) q(1 / (1 + 0.3 t)) for t >= 0, with q a polynomial of
/// degree 8 without constant term, fitted by Lawson's weighted least squares to a relative error of 5e-8 on
/// 0 <= t <= 9; beyond, the exponential is below 1e-17. In single precision Phi has an absolute error of 2e-7.
INLINE float gelu_with_slope(float x, float *slope) {
  float t = x < 0 ? -x : x;
  float v = 1.0f / (1.0f + 0.3f * t);
  float q = 0.037535872f;
  q = q * v - 0.165020397f;
  q = q * v + 0.219972667f;
  q = q * v - 0.0664040517f;
  q = q * v + 0.13542105f;
  q = q * v + 0.0977836416f;
  q = q * v + 0.121105755f;
  q = q * v + 0.119605488f;
  float density = exp_f32(-0.5f * x * x);  // times sqrt(2 pi)
  float tail = density * (q * v);
  float distribution = x < 0 ? tail : 1.0f - tail;
  *slope = distribution + 0.398942280f * x * density;
  return x * distribution;
}
