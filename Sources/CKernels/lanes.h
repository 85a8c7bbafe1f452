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
