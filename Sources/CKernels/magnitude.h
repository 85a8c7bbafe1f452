// Maxima of magnitudes in loops that vectorise.
#pragma once

#include "bits.h"
#include <math.h>

// Numbers that are not negative are ordered as their bits are, and a maximum of integers vectorises.
static inline int64_t bits_of_magnitude(double x) { return (int64_t)as_bits(fabs(x)); }

static inline double magnitude_of_bits(int64_t bits) { return as_double((uint64_t)bits); }

static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
