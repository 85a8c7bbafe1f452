/// What a program takes from the heap; only for programs that link this.
#pragma once

#include <stddef.h>

/// Blocks of at least this size are large.
enum { ac_large = 4096 };

/// Calls of malloc and its kin since the program began.
struct ac_counts {
  size_t allocations, large, bytes;
};

struct ac_counts ac_counts(void);
