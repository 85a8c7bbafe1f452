#include "multiversion.h"

KERNEL(void, ck_axpy_f32, (size_t n, float a, const float *restrict x, float *restrict y), (n, a, x, y)) {
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

KERNEL(void, ck_axpy_f64, (size_t n, double a, const double *restrict x, double *restrict y), (n, a, x, y)) {
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

KERNEL(void, ck_scale_f32, (size_t n, float a, float *x), (n, a, x)) {
  for (size_t i = 0; i < n; i++) x[i] *= a;
}

KERNEL(void, ck_scale_f64, (size_t n, double a, double *x), (n, a, x)) {
  for (size_t i = 0; i < n; i++) x[i] *= a;
}

KERNEL(double, ck_dot_f32, (size_t n, const float *restrict x, const float *restrict y), (n, x, y)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
  return sum;
}

KERNEL(double, ck_dot_f64, (size_t n, const double *restrict x, const double *restrict y), (n, x, y)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

KERNEL(void, ck_dots_f64, (size_t n, const double *restrict x, const double *restrict y, const double *restrict z,
    double *restrict out), (n, x, y, z, out)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  double first = 0, second = 0;
  for (size_t i = 0; i < n; i++) {
    first += x[i] * y[i];
    second += x[i] * z[i];
  }
  out[0] = first;
  out[1] = second;
}

KERNEL(double, ck_squared_distance_f32, (size_t n, const float *restrict x, const float *restrict y),
    (n, x, y)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    double difference = (double)x[i] - (double)y[i];
    sum += difference * difference;
  }
  return sum;
}

KERNEL(double, ck_squared_distance_f64, (size_t n, const double *restrict x, const double *restrict y),
    (n, x, y)) {
  _Pragma("clang fp reassociate(on) contract(fast)")
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    double difference = x[i] - y[i];
    sum += difference * difference;
  }
  return sum;
}
