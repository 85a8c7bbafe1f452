#include <string.h>

#include "learning_kernels.h"
#include "multiversion.h"

#include "gelu.h"

INLINE float gelu_derivative(float x) {
  float slope;
  gelu_and_slope(x, &slope);
  return slope;
}

STATIC_KERNEL(void, relu_into, (size_t n, float bias, float *restrict z, float *restrict out),
    (n, bias, z, out)) {
  for (size_t i = 0; i < n; i++) {
    z[i] += bias;
    out[i] = z[i] > 0 ? z[i] : 0;
  }
}

STATIC_KERNEL(void, gelu_into, (size_t n, float bias, float *restrict z, float *restrict out),
    (n, bias, z, out)) {
  for (size_t i = 0; i < n; i++) {
    z[i] += bias;
    out[i] = gelu(z[i]);
  }
}

STATIC_KERNEL(void, add_bias, (size_t n, float bias, float *z), (n, bias, z)) {
  for (size_t i = 0; i < n; i++) z[i] += bias;
}

STATIC_KERNEL(void, relu_in_place, (size_t n, float bias, float *z), (n, bias, z)) {
  for (size_t i = 0; i < n; i++) {
    float x = z[i] + bias;
    z[i] = x > 0 ? x : 0;
  }
}

STATIC_KERNEL(void, gelu_in_place, (size_t n, float bias, float *z), (n, bias, z)) {
  for (size_t i = 0; i < n; i++) z[i] = gelu(z[i] + bias);
}

STATIC_KERNEL(void, relu_adjoint, (size_t n, const float *restrict z, float *restrict gradient),
    (n, z, gradient)) {
  for (size_t i = 0; i < n; i++) gradient[i] = z[i] > 0 ? gradient[i] : 0;
}

STATIC_KERNEL(void, gelu_adjoint, (size_t n, const float *restrict z, float *restrict gradient),
    (n, z, gradient)) {
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
