#define _GNU_SOURCE
#include "multiversion.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#endif

#if defined(__GLIBC__) || defined(__linux__)
#include <malloc.h>
#endif

enum ck_instructions ck_instructions_of_machine(void) {
#ifdef SEVERAL_INSTRUCTION_SETS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return CK_AVX512;
#ifdef WIDE_KERNELS_ON_AVX2
  if (__builtin_cpu_supports("x86-64-v3")) return CK_AVX512;
#endif
  if (__builtin_cpu_supports("x86-64-v3")) return CK_AVX2;
#endif
  return CK_BASELINE;
}

enum ck_instructions ck_chosen_instructions;

enum ck_instructions ck_instructions_in_use(void) { return ck_chosen_instructions; }

// Any other name is no limit; the command complains about it.
__attribute__((constructor)) static void choose_instructions(void) {
  const char *most = getenv("PHALAROPE_INSTRUCTIONS");
  ck_chosen_instructions = ck_instructions_of_machine();
  if (most && strcmp(most, "baseline") == 0) ck_chosen_instructions = CK_BASELINE;
  if (most && strcmp(most, "avx2") == 0 && ck_chosen_instructions > CK_AVX2) ck_chosen_instructions = CK_AVX2;
}

int ck_processor_count(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}

void ck_keep_freed_memory(void) {
#if defined(M_MMAP_THRESHOLD) && defined(M_TRIM_THRESHOLD)
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
}
