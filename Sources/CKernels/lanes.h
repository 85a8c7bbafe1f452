/// A vector of 16 floats, the unit that the kernels of learning work in.
#pragma once

#include "multiversion.h"

// Two AVX2 or four SSE registers where there is no AVX-512.
enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(64)));
// The same where it may lie at any address.
typedef float lanes_in_memory __attribute__((vector_size(64), aligned(4), may_alias));

#define LOAD(pointer) (*(const lanes_in_memory *)(pointer))
#define STORE(pointer, value) (*(lanes_in_memory *)(pointer) = (value))

// Of two rows of a square whose numbers differ by this, the columns without and with that bit.
#define LOW_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define LOW_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define EXCHANGE(distance)                                               \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < LANES; i++) {   \
    if (i & distance) continue;                                          \
    lanes a = v[i], b = v[i + distance];                                 \
    v[i] = __builtin_shufflevector(a, b, LOW_##distance);                \
    v[i + distance] = __builtin_shufflevector(a, b, HIGH_##distance);    \
  }

/// The transpose of a square: its quarters change places, then those of every quarter, and so on.
INLINE void transpose_lanes(lanes v[LANES]) {
  EXCHANGE(8) EXCHANGE(4) EXCHANGE(2) EXCHANGE(1)
}
