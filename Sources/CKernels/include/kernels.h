/// Hot loops that Swift does not vectorise: reductions, transcendental functions, fused updates.
///
/// Every function is compiled for several instruction sets (AVX-512, AVX2, baseline) and the best one is
/// chosen when the program starts. Results may differ in the last bits between instruction sets, never
/// between runs on one machine or between numbers of threads.
#pragma once

#include <stddef.h>

#if defined(__x86_64__) && defined(__linux__) && !defined(CK_NO_MULTIVERSION)
#define CK_MULTIVERSION __attribute__((target_clones("avx512f", "arch=x86-64-v3", "default")))
#else
#define CK_MULTIVERSION
#endif

/// The instruction set that the kernels use on this machine: "avx512f", "x86-64-v3" or "baseline".
const char *ck_instruction_set(void);

/// The number of processors that the process may run on.
int ck_processor_count(void);

/// Asks the C library to keep large freed blocks instead of returning them to the system.
///
/// Without it every large tensor is a fresh mapping whose pages fault on first use.
void ck_keep_freed_memory(void);

/// y += a x, n elements.
void ck_axpy_f32(size_t n, float a, const float *x, float *y);
void ck_axpy_f64(size_t n, double a, const double *x, double *y);

/// x = a x, n elements.
void ck_scale_f32(size_t n, float a, float *x);
void ck_scale_f64(size_t n, double a, double *x);

/// The dot product of x and y, accumulated in double precision.
double ck_dot_f32(size_t n, const float *x, const float *y);
double ck_dot_f64(size_t n, const double *x, const double *y);

/// The sum of (x - y)^2, accumulated in double precision.
double ck_squared_distance_f32(size_t n, const float *x, const float *y);
double ck_squared_distance_f64(size_t n, const double *x, const double *y);
