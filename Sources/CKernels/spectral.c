#include "multiversion.h"

#include "bits.h"
#include "magnitude.h"
#include <math.h>
#include <string.h>

// Time stepping in Fourier space. Complex numbers are interleaved.

KERNEL(void, ck_diagonal_update_f64, (size_t modes, const double *restrict a, const double *restrict x,
    const double *restrict b, double y_weight, const double *restrict y, double z_weight,
    const double *restrict z, double *restrict output), (modes, a, x, b, y_weight, y, z_weight, z, output)) {
  for (size_t m = 0; m < modes; m++) {
    double re = y_weight * y[2 * m] + z_weight * z[2 * m];
    double im = y_weight * y[2 * m + 1] + z_weight * z[2 * m + 1];
    output[2 * m] = a[2 * m] * x[2 * m] - a[2 * m + 1] * x[2 * m + 1] + b[2 * m] * re - b[2 * m + 1] * im;
    output[2 * m + 1] = a[2 * m] * x[2 * m + 1] + a[2 * m + 1] * x[2 * m] + b[2 * m] * im + b[2 * m + 1] * re;
  }
}

KERNEL(void, ck_etdrk4_update_f64, (size_t modes, const double *restrict e, const double *restrict u,
    const double *restrict f1, const double *restrict n0, const double *restrict f2,
    const double *restrict n1, const double *restrict n2, const double *restrict f3,
    const double *restrict n3, double *restrict output), (modes, e, u, f1, n0, f2, n1, n2, f3, n3, output)) {
  for (size_t m = 0; m < modes; m++) {
    size_t r = 2 * m, i = 2 * m + 1;
    double middle_re = n1[r] + n2[r], middle_im = n1[i] + n2[i];
    output[r] = e[r] * u[r] - e[i] * u[i] + f1[r] * n0[r] - f1[i] * n0[i] + f2[r] * middle_re
              - f2[i] * middle_im + f3[r] * n3[r] - f3[i] * n3[i];
    output[i] = e[r] * u[i] + e[i] * u[r] + f1[r] * n0[i] + f1[i] * n0[r] + f2[r] * middle_im
              + f2[i] * middle_re + f3[r] * n3[i] + f3[i] * n3[r];
  }
}

typedef struct {
  double re, im;
} complex_number;

static inline complex_number product(complex_number a, complex_number b) {
  return (complex_number){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

// phi_1, phi_2 and phi_3 at z, given exp(z).
static inline void phi_functions(complex_number z, complex_number e, complex_number phi[3]) {
  double size = z.re * z.re + z.im * z.im;
  if (size >= 1) {
    // Each division by |z| >= 1 loses at most a digit: phi_3 is not less than a seventh of its terms there.
    complex_number inverse = {z.re / size, -z.im / size};
    phi[0] = product((complex_number){e.re - 1, e.im}, inverse);
    phi[1] = product((complex_number){phi[0].re - 1, phi[0].im}, inverse);
    phi[2] = product((complex_number){phi[1].re - 0.5, phi[1].im}, inverse);
    return;
  }
  // phi_3 = sum z^k / (k + 3)!; the first term left out is 1/20!. Then phi_2 = 1/2 + z phi_3, phi_1 = 1 + z phi_2.
  complex_number sum = {1, 0};
  for (int k = 19; k > 3; k--) {
    sum = product(sum, z);
    sum.re = sum.re / k + 1;
    sum.im = sum.im / k;
  }
  phi[2] = (complex_number){sum.re / 6, sum.im / 6};
  complex_number next = product(z, phi[2]);
  phi[1] = (complex_number){next.re + 0.5, next.im};
  next = product(z, phi[1]);
  phi[0] = (complex_number){next.re + 1, next.im};
}

static void complex_coefficients(
    size_t modes, double step, const double *symbol, double *e, double *half, double *q, double *f1, double *f2,
    double *f3) {
  for (size_t m = 0; m < modes; m++) {
    size_t r = 2 * m, i = 2 * m + 1;
    complex_number z = {step * symbol[r], step * symbol[i]}, z2 = {0.5 * z.re, 0.5 * z.im};
    double size = exp(z2.re);
    complex_number exp2 = {size, 0};
    if (z2.im != 0) exp2 = (complex_number){size * cos(z2.im), size * sin(z2.im)};
    complex_number exp1 = product(exp2, exp2), phi[3];
    phi_functions(z2, exp2, phi);
    q[r] = 0.5 * step * phi[0].re;
    q[i] = 0.5 * step * phi[0].im;
    phi_functions(z, exp1, phi);
    e[r] = exp1.re;
    e[i] = exp1.im;
    half[r] = exp2.re;
    half[i] = exp2.im;
    f1[r] = step * (phi[0].re - 3 * phi[1].re + 4 * phi[2].re);
    f1[i] = step * (phi[0].im - 3 * phi[1].im + 4 * phi[2].im);
    f2[r] = step * (2 * phi[1].re - 4 * phi[2].re);
    f2[i] = step * (2 * phi[1].im - 4 * phi[2].im);
    f3[r] = step * (4 * phi[2].re - phi[1].re);
    f3[i] = step * (4 * phi[2].im - phi[1].im);
  }
}

// 1/(k + 3)!, k = 0 to 16: the series of phi_3; the first term left out is 1/20!.
static const double phi3_series[17] = {
    1 / 6.0, 1 / 24.0, 1 / 120.0, 1 / 720.0, 1 / 5040.0, 1 / 40320.0, 1 / 362880.0, 1 / 3628800.0, 1 / 39916800.0,
    1 / 479001600.0, 1 / 6227020800.0, 1 / 87178291200.0, 1 / 1307674368000.0, 1 / 20922789888000.0,
    1 / 355687428096000.0, 1 / 6402373705728000.0, 1 / 121645100408832000.0};

// Where all of some numbers lie; what is known costs less.
enum range { NEAR_ZERO, FAR_FROM_ZERO, ANYWHERE };

// phi_functions for real z, without a branch that depends on it: near zero is |z| < 1.
INLINE void real_phi_functions(enum range range, double z, double e, double phi[3]) {
  int is_small = range == ANYWHERE ? fabs(z) < 1 : range == NEAR_ZERO;
  double small = is_small ? z : 0, inverse = 1 / (is_small ? 1 : z);
  double sum = phi3_series[16];
  for (int k = 15; k >= 0; k--) sum = sum * small + phi3_series[k];
  double series2 = 0.5 + small * sum, series1 = 1 + small * series2;
  double phi1 = (e - 1) * inverse, phi2 = (phi1 - 1) * inverse, phi3 = (phi2 - 0.5) * inverse;
  phi[0] = is_small ? series1 : phi1;
  phi[1] = is_small ? series2 : phi2;
  phi[2] = is_small ? sum : phi3;
}

// exp(x) within two ulps, without a branch, so that loops of it are vectorised; 0 and infinity from where its neighbours
// stop being normal numbers. x = n log 2 + t, and Taylor's series of exp(t) for |t| <= (log 2)/2, up to t^13.
static inline double exponential(double x) {
  double bounded = x < -708 ? -708 : x > 709 ? 709 : x;
  // The sum has no bits below one: its last ones are those of n.
  double shifted = bounded * 0x1.71547652b82fep0 + 0x1.8p52, n = shifted - 0x1.8p52;
  double t = (bounded - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
  double p = 1 / 6227020800.0;
  p = p * t + 1 / 479001600.0, p = p * t + 1 / 39916800.0, p = p * t + 1 / 3628800.0, p = p * t + 1 / 362880.0;
  p = p * t + 1 / 40320.0, p = p * t + 1 / 5040.0, p = p * t + 1 / 720.0, p = p * t + 1 / 120.0;
  p = p * t + 1 / 24.0, p = p * t + 1 / 6.0, p = p * t + 0.5;
  double result = (1 + (t + t * t * p)) * as_double((as_bits(shifted) + 1023) << 52);
  return x < -708 ? 0 : x > 709 ? HUGE_VAL : result;
}

// Those of neighbouring modes whose z and z/2 lie in a range.
INLINE void some_real_coefficients(
    enum range range, size_t count, double step, const double *restrict z2,
    const double *restrict exp2, double *restrict e, double *restrict half, double *restrict q,
    double *restrict f1, double *restrict f2, double *restrict f3) {
  for (size_t j = 0; j < count; j++) {
    size_t r = 2 * j;
    double exp1 = exp2[j] * exp2[j], phi[3];
    real_phi_functions(range, z2[j], exp2[j], phi);
    q[r] = 0.5 * step * phi[0];
    real_phi_functions(range, 2 * z2[j], exp1, phi);
    e[r] = exp1;
    half[r] = exp2[j];
    f1[r] = step * (phi[0] - 3 * phi[1] + 4 * phi[2]);
    f2[r] = step * (2 * phi[1] - 4 * phi[2]);
    f3[r] = step * (4 * phi[2] - phi[1]);
    q[r + 1] = e[r + 1] = half[r + 1] = f1[r + 1] = f2[r + 1] = f3[r + 1] = 0;
  }
}

// Where L neither moves nor rotates anything: a tenth of the work, in blocks that the compiler vectorises.
STATIC_KERNEL(void, real_coefficients, (size_t modes, double step, const double *restrict symbol,
    double *restrict e, double *restrict half, double *restrict q, double *restrict f1, double *restrict f2,
    double *restrict f3), (modes, step, symbol, e, half, q, f1, f2, f3)) {
  enum { block = 64 };
  double z2[block], exp2[block];
  for (size_t start = 0; start < modes; start += block) {
    size_t count = modes - start < block ? modes - start : block;
    for (size_t j = 0; j < count; j++) z2[j] = 0.5 * step * symbol[2 * (start + j)];
    for (size_t j = 0; j < count; j++) exp2[j] = exponential(z2[j]);
    // Neighbouring frequencies are damped at nearly the same rate: most blocks are of one kind.
    double least = fabs(z2[0]), most = least;
    for (size_t j = 1; j < count; j++) {
      double size = fabs(z2[j]);
      least = size < least ? size : least, most = size > most ? size : most;
    }
    size_t r = 2 * start;
    if (least >= 1)
      some_real_coefficients(
          FAR_FROM_ZERO, count, step, z2, exp2, e + r, half + r, q + r, f1 + r, f2 + r, f3 + r);
    else if (most < 0.5)
      some_real_coefficients(
          NEAR_ZERO, count, step, z2, exp2, e + r, half + r, q + r, f1 + r, f2 + r, f3 + r);
    else
      some_real_coefficients(
          ANYWHERE, count, step, z2, exp2, e + r, half + r, q + r, f1 + r, f2 + r, f3 + r);
  }
}

void ck_etdrk4_coefficients_f64(
    size_t modes, double step, const double *symbol, double *e, double *half, double *q, double *f1, double *f2,
    double *f3) {
  for (size_t m = 0; m < modes; m++)
    if (symbol[2 * m + 1] != 0) {
      complex_coefficients(modes, step, symbol, e, half, q, f1, f2, f3);
      return;
    }
  real_coefficients(modes, step, symbol, e, half, q, f1, f2, f3);
}

// Sums over blocks of eight accumulators have one order whatever the instruction set.
enum { lanes = 8 };

static inline double total(const double sums[lanes]) {
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

KERNEL(double, ck_weighted_distance_f64, (size_t modes, const double *restrict f, const double *restrict x,
    const double *restrict y), (modes, f, x, y)) {
  double sums[lanes] = {0};
  for (size_t start = 0; start < modes; start += lanes) {
    size_t count = modes - start < lanes ? modes - start : lanes;
    for (size_t l = 0; l < count; l++) {
      size_t r = 2 * (start + l), i = r + 1;
      double re = x[r] - y[r], im = x[i] - y[i];
      sums[l] += (f[r] * f[r] + f[i] * f[i]) * (re * re + im * im);
    }
  }
  return total(sums);
}

KERNEL(double, ck_rate_of_change_f64, (size_t modes, const double *restrict symbol, const double *restrict u,
    const double *restrict n), (modes, symbol, u, n)) {
  double sums[lanes] = {0};
  for (size_t start = 0; start < modes; start += lanes) {
    size_t count = modes - start < lanes ? modes - start : lanes;
    for (size_t l = 0; l < count; l++) {
      size_t r = 2 * (start + l), i = r + 1;
      double re = symbol[r] * u[r] - symbol[i] * u[i] + n[r], im = symbol[r] * u[i] + symbol[i] * u[r] + n[i];
      sums[l] += re * re + im * im;
    }
  }
  return total(sums);
}

KERNEL(void, ck_complex_multiply_f64, (size_t modes, const double *restrict factor,
    const double *restrict input, double *restrict output), (modes, factor, input, output)) {
  for (size_t m = 0; m < modes; m++) {
    output[2 * m] = factor[2 * m] * input[2 * m] - factor[2 * m + 1] * input[2 * m + 1];
    output[2 * m + 1] = factor[2 * m] * input[2 * m + 1] + factor[2 * m + 1] * input[2 * m];
  }
}

KERNEL(void, ck_complex_multiply_add_f64, (size_t modes, const double *restrict factor,
    const double *restrict input, double *restrict output), (modes, factor, input, output)) {
  for (size_t m = 0; m < modes; m++) {
    output[2 * m] += factor[2 * m] * input[2 * m] - factor[2 * m + 1] * input[2 * m + 1];
    output[2 * m + 1] += factor[2 * m] * input[2 * m + 1] + factor[2 * m + 1] * input[2 * m];
  }
}

// ck_polynomial_f64 for a degree that the compiler knows: all stays in registers.
INLINE double short_polynomial(size_t n, size_t degree, const double *restrict coefficients, double *restrict u) {
  int64_t steepest = 0;
  for (size_t i = 0; i < n; i++) {
    double x = u[i], value = coefficients[degree], slope = 0;
    for (size_t p = degree; p-- > 0;) {
      slope = slope * x + value;
      value = value * x + coefficients[p];
    }
    steepest = larger(steepest, bits_of_magnitude(slope));
    u[i] = value;
  }
  return magnitude_of_bits(steepest);
}

KERNEL(double, ck_polynomial_f64, (size_t n, size_t degree, const double *restrict coefficients,
    double *restrict u), (n, degree, coefficients, u)) {
  // Those of the equations that there are.
  if (degree == 2) return short_polynomial(n, 2, coefficients, u);
  if (degree == 3) return short_polynomial(n, 3, coefficients, u);
  enum { block = 256 };
  double value[block], slope[block];
  int64_t steepest = 0;
  for (size_t start = 0; start < n; start += block) {
    size_t count = n - start < block ? n - start : block;
    double *x = u + start;
    // Horner's rule for the value and the derivative, point by point in the inner loop.
    for (size_t j = 0; j < count; j++) value[j] = coefficients[degree], slope[j] = 0;
    for (size_t p = degree; p-- > 0;)
      for (size_t j = 0; j < count; j++) {
        slope[j] = slope[j] * x[j] + value[j];
        value[j] = value[j] * x[j] + coefficients[p];
      }
    for (size_t j = 0; j < count; j++) steepest = larger(steepest, bits_of_magnitude(slope[j]));
    memcpy(x, value, count * sizeof *x);
  }
  return magnitude_of_bits(steepest);
}

KERNEL(void, ck_polynomial_derivative_f64, (size_t n, size_t degree, const double *restrict coefficients,
    const double *restrict u, double *restrict d), (n, degree, coefficients, u, d)) {
  enum { block = 256 };
  double slope[block];
  for (size_t start = 0; start < n; start += block) {
    size_t count = n - start < block ? n - start : block;
    const double *x = u + start;
    for (size_t j = 0; j < count; j++) slope[j] = 0;
    for (size_t p = degree; p > 0; p--)
      for (size_t j = 0; j < count; j++) slope[j] = slope[j] * x[j] + (double)p * coefficients[p];
    for (size_t j = 0; j < count; j++) d[start + j] *= slope[j];
  }
}

KERNEL(double, ck_largest_magnitude_f64, (size_t n, const double *restrict x), (n, x)) {
  int64_t largest = 0;
  for (size_t i = 0; i < n; i++) largest = larger(largest, bits_of_magnitude(x[i]));
  return magnitude_of_bits(largest);
}
