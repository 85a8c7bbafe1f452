#define _GNU_SOURCE
#include "kernels.h"

#include <limits.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#endif

#if defined(__GLIBC__) || defined(__linux__)
#include <malloc.h>
#endif

const char *ck_instruction_set(void) {
#if defined(__x86_64__) && defined(__linux__) && !defined(CK_NO_MULTIVERSION)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return "avx512f";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "x86-64-v3";
#endif
  return "baseline";
}

int ck_processor_count(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}

static _Thread_local int is_sharing;

int ck_is_sharing(void) { return is_sharing; }

void ck_set_sharing(int value) { is_sharing = value; }

void ck_keep_freed_memory(void) {
#if defined(M_MMAP_THRESHOLD) && defined(M_TRIM_THRESHOLD)
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
}
