#include "learning_kernels.h"

#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

// Everything below is branch-free so that the loops vectorise.

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

#include "normal_distribution.h"

INLINE float normal_density(float x) { return 0.398942280f * exp_f32(-0.5f * x * x); }

INLINE float gelu(float x) { return x * normal_distribution(x); }

INLINE float gelu_derivative(float x) { return normal_distribution(x) + x * normal_density(x); }

CK_MULTIVERSION static void relu_into(size_t n, float bias, float *restrict z, float *restrict out) {
  for (size_t i = 0; i < n; i++) {
    z[i] += bias;
    out[i] = z[i] > 0 ? z[i] : 0;
  }
}

CK_MULTIVERSION static void gelu_into(size_t n, float bias, float *restrict z, float *restrict out) {
  for (size_t i = 0; i < n; i++) {
    z[i] += bias;
    out[i] = gelu(z[i]);
  }
}

CK_MULTIVERSION static void add_bias(size_t n, float bias, float *z) {
  for (size_t i = 0; i < n; i++) z[i] += bias;
}

CK_MULTIVERSION static void relu_in_place(size_t n, float bias, float *z) {
  for (size_t i = 0; i < n; i++) {
    float x = z[i] + bias;
    z[i] = x > 0 ? x : 0;
  }
}

CK_MULTIVERSION static void gelu_in_place(size_t n, float bias, float *z) {
  for (size_t i = 0; i < n; i++) z[i] = gelu(z[i] + bias);
}

CK_MULTIVERSION static void relu_adjoint(size_t n, const float *restrict z, float *restrict gradient) {
  for (size_t i = 0; i < n; i++) gradient[i] = z[i] > 0 ? gradient[i] : 0;
}

CK_MULTIVERSION static void gelu_adjoint(size_t n, const float *restrict z, float *restrict gradient) {
  for (size_t i = 0; i < n; i++) gradient[i] *= gelu_derivative(z[i]);
}

void ck_activate(enum ck_activation kind, size_t n, float bias, float *z, float *out) {
  switch (kind) {
    case CK_IDENTITY:
      add_bias(n, bias, z);
      memcpy(out, z, n * sizeof *z);
      break;
    case CK_RELU: relu_into(n, bias, z, out); break;
    case CK_GELU: gelu_into(n, bias, z, out); break;
  }
}

void ck_activate_in_place(enum ck_activation kind, size_t n, float bias, float *z) {
  switch (kind) {
    case CK_IDENTITY: add_bias(n, bias, z); break;
    case CK_RELU: relu_in_place(n, bias, z); break;
    case CK_GELU: gelu_in_place(n, bias, z); break;
  }
}

void ck_activation_adjoint(enum ck_activation kind, size_t n, const float *z, float *gradient) {
  switch (kind) {
    case CK_IDENTITY: break;
    case CK_RELU: relu_adjoint(n, z, gradient); break;
    case CK_GELU: gelu_adjoint(n, z, gradient); break;
  }
}
