#include "learning_kernels.h"

#include "gelu.h"

INLINE float gelu_derivative(float x) {
  float slope;
  gelu_with_slope(x, &slope);
  return slope;
}

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
