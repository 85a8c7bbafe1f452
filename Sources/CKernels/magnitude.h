// Maxima of magnitudes in loops that vectorise.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

// Numbers that are not negative are ordered as their bits are, and a maximum of integers vectorises.
static inline int64_t bits_of_magnitude(double x) {
  double size = fabs(x);
  int64_t bits;
  memcpy(&bits, &size, sizeof bits);
  return bits;
}

static inline double magnitude_of_bits(int64_t bits) {
  double size;
  memcpy(&size, &bits, sizeof size);
  return size;
}

static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
