#include <stdint.h>

#include "bits.h"
#include "multiversion.h"

// Blocks of Philox that are computed side by side.
#define LANES 64

// The top 53 of 64 bits as a number in [0, 1), both words converted without rounding.
static inline double uniform(uint32_t high, uint32_t low) {
  double h = (double)(int32_t)(high ^ 0x80000000u) + 0x1p31;
  return h * 0x1p-32 + (double)(int32_t)(low >> 11) * 0x1p-53;
}

// The natural logarithm of a normal number, within two ulps: x = 2^e m with m in [sqrt(1/2), sqrt(2)), and the
// series of log m in s = (m - 1)/(m + 1), |s| < 0.1716, up to s^23.
static inline double natural_logarithm(double x) {
  uint64_t bits = as_bits(x) - 0x3fe6a09e667f3bcdull;  // sqrt(1/2)
  double e = (double)(int32_t)((int64_t)bits >> 52);
  double m = as_double((bits & 0xfffffffffffffull) + 0x3fe6a09e667f3bcdull);
  double s = (m - 1) / (m + 1), z = s * s;
  double p = 2.0 / 23;
  p = p * z + 2.0 / 21, p = p * z + 2.0 / 19, p = p * z + 2.0 / 17, p = p * z + 2.0 / 15, p = p * z + 2.0 / 13;
  p = p * z + 2.0 / 11, p = p * z + 2.0 / 9, p = p * z + 2.0 / 7, p = p * z + 2.0 / 5, p = p * z + 2.0 / 3;
  p = p * z + 2.0;
  return e * 0x1.62e42fefa39efp-1 + s * p;
}

// The Taylor polynomials of sine and cosine for |t| <= pi/4, up to t^15 and t^16.
static inline double sine(double t) {
  double z = t * t, p = -1.0 / 1307674368000;
  p = p * z + 1.0 / 6227020800, p = p * z - 1.0 / 39916800, p = p * z + 1.0 / 362880, p = p * z - 1.0 / 5040;
  p = p * z + 1.0 / 120, p = p * z - 1.0 / 6;
  return t + t * z * p;
}

static inline double cosine(double t) {
  double z = t * t, p = 1.0 / 20922789888000;
  p = p * z - 1.0 / 87178291200, p = p * z + 1.0 / 479001600, p = p * z - 1.0 / 3628800, p = p * z + 1.0 / 40320;
  p = p * z - 1.0 / 720, p = p * z + 1.0 / 24, p = p * z - 0.5;
  return 1 + z * p;
}

KERNEL(void, ck_philox_normals, (size_t pairs, const uint32_t counter[4], const uint32_t key[2],
    double *restrict out), (pairs, counter, key, out)) {
  for (size_t start = 0; start < pairs; start += LANES) {
    uint32_t a[LANES], b[LANES], c[LANES], d[LANES];
    for (size_t i = 0; i < LANES; i++) {
      a[i] = counter[0] + (uint32_t)(start + i);
      b[i] = counter[1], c[i] = counter[2], d[i] = counter[3];
    }
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
      for (size_t i = 0; i < LANES; i++) {
        uint64_t p0 = (uint64_t)a[i] * 0xD2511F53u, p1 = (uint64_t)c[i] * 0xCD9E8D57u;
        a[i] = (uint32_t)(p1 >> 32) ^ b[i] ^ k0;
        b[i] = (uint32_t)p1;
        c[i] = (uint32_t)(p0 >> 32) ^ d[i] ^ k1;
        d[i] = (uint32_t)p0;
      }
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    double first[LANES], second[LANES];
    for (size_t i = 0; i < LANES; i++) {
      // Not sqrt, whose error code keeps the loop from being vectorised.
      double radius = __builtin_elementwise_sqrt(-2 * natural_logarithm(1 - uniform(a[i], b[i])));
      double u = uniform(c[i], d[i]);
      // The angle 2 pi u is a multiple q of a quarter turn plus at most an eighth of a turn.
      int32_t q = (int32_t)(4 * u + 0.5);
      double t = (u - 0.25 * q) * 0x1.921fb54442d18p2;
      double s = sine(t), k = cosine(t);
      double x = q & 1 ? s : k, y = q & 1 ? k : s;
      first[i] = (q + 1) & 2 ? -radius * x : radius * x;
      second[i] = q & 2 ? -radius * y : radius * y;
    }
    size_t count = pairs - start < LANES ? pairs - start : LANES;
    for (size_t i = 0; i < count; i++) {
      out[2 * (start + i)] = first[i];
      out[2 * (start + i) + 1] = second[i];
    }
  }
}
