// x Phi(x) and its derivative, Phi the standard normal distribution function; branch-free, so that loops over
// them vectorise. Included by the kernels that use it.
#pragma once

#include <stdint.h>
#include <string.h>

#include "multiversion.h"

/// exp(-x^2 / 2) to 2e-7 and the rounding of its argument; 0 where that is below the normal numbers.
///
/// 2^y = 2^k 2^f with k the integer next to y: 2^f is a polynomial of degree 5, fitted to a relative error of 9e-8 on
/// |f| <= 1/2, and k is added to its exponent.
INLINE float gaussian(float x) {
  float y = x * x * -0.72134752f;  // log2(e) / 2
  y = y > -127.0f ? y : -127.0f;
  float shifted = y + 12582912.0f;  // 1.5 * 2^23: its last bits are k
  float f = y - (shifted - 12582912.0f);
  float p = 0.00132647271f;
  p = p * f + 0.00967151267f;
  p = p * f + 0.0555073374f;
  p = p * f + 0.240222421f;
  p = p * f + 0.693146978f;
  p = p * f + 1.0f;
  uint32_t bits, k;
  memcpy(&bits, &p, sizeof bits);
  memcpy(&k, &shifted, sizeof k);
  bits += k << 23;
  memcpy(&p, &bits, sizeof p);
  return p;
}

/// Phi(-t) / exp(-t^2 / 2) for t >= 0: v q(v) with v = 1 / (1 + 0.3 t) and q a polynomial of degree 7.
///
/// Fitted by Lawson's weighted least squares to a relative error of 5e-8 on 0 <= t <= 9; beyond, the exponential
/// is below 1e-17.
INLINE float mills_ratio(float t) {
  float v = 1.0f / (1.0f + 0.3f * t);
  float q = 0.037535872f;
  q = q * v - 0.165020397f;
  q = q * v + 0.219972667f;
  q = q * v - 0.0664040517f;
  q = q * v + 0.13542105f;
  q = q * v + 0.0977836416f;
  q = q * v + 0.121105755f;
  q = q * v + 0.119605488f;
  return q * v;
}

/// x Phi(x), as max(x, 0) - |x| Phi(-|x|).
INLINE float gelu(float x) {
  float t = x < 0 ? -x : x;
  return (x > 0 ? x : 0.0f) - t * (gaussian(x) * mills_ratio(t));
}

/// The same; its derivative Phi(x) + x phi(x) goes to `slope`. In single precision Phi has an absolute error of 2e-7.
INLINE float gelu_with_slope(float x, float *slope) {
  float t = x < 0 ? -x : x;
  float density = gaussian(x);  // times sqrt(2 pi)
  float tail = density * mills_ratio(t);
  *slope = (x < 0 ? tail : 1.0f - tail) + 0.398942280f * x * density;
  return (x > 0 ? x : 0.0f) - t * tail;
}
