/// Kernels compiled for several instruction sets, of which the program takes one at run time.
#pragma once

#include "kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

// A kernel is written once:
//
//   KERNEL(double, ck_dot, (size_t n, const float *x, const float *y), (n, x, y)) { ... }
//
// What is inlined into its body is compiled for each instruction set too. __attribute__((target_clones)) would do
// the same, but chooses before the program can say what it wants, and only where the dynamic linker can.
#if defined(__x86_64__) && defined(__linux__)
#define SEVERAL_INSTRUCTION_SETS 1
#define TARGET_AVX2 __attribute__((target("arch=x86-64-v3")))
// With this macro what is for AVX-512 is compiled for AVX2, so that tests reach its blocks and loops where there is no
// AVX-512 (`scripts/test-deep`). Wide vectors are passed to functions that are inlined only.
#ifdef WIDE_KERNELS_ON_AVX2
#pragma clang diagnostic ignored "-Wpsabi"
#define TARGET_AVX512 TARGET_AVX2
#else
#define TARGET_AVX512 __attribute__((target("avx512f")))
#endif

#define DEFINE_KERNEL(linkage, type, name, parameters, arguments)                       \
  INLINE type name##_body parameters;                                                   \
  TARGET_AVX512 static type name##_avx512 parameters { return name##_body arguments; }  \
  TARGET_AVX2 static type name##_avx2 parameters { return name##_body arguments; }      \
  static type name##_baseline parameters { return name##_body arguments; }              \
  linkage type name parameters {                                                        \
    switch (ck_chosen_instructions) {                                                   \
      case CK_AVX512: return name##_avx512 arguments;                                   \
      case CK_AVX2: return name##_avx2 arguments;                                       \
      case CK_BASELINE: break;                                                          \
    }                                                                                   \
    return name##_baseline arguments;                                                   \
  }                                                                                     \
  INLINE type name##_body parameters
#else
#define DEFINE_KERNEL(linkage, type, name, parameters, arguments) linkage type name parameters
#endif

/// What ck_instructions_in_use gives; set before main.
extern enum ck_instructions ck_chosen_instructions;

/// A function of the header.
#define KERNEL(type, name, parameters, arguments) DEFINE_KERNEL(, type, name, parameters, arguments)
/// A function of its file.
#define STATIC_KERNEL(type, name, parameters, arguments) DEFINE_KERNEL(static, type, name, parameters, arguments)
