#pragma once
#include <cblas.h>
#include <stddef.h>

// LAPACK, which OpenBLAS contains; its own header is a package apart. The last two arguments are the lengths of
// the two words, which Fortran compilers append.
void dsyevd_(
  const char *job, const char *triangle, const int *n, double *a, const int *lda, double *w, double *work,
  const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t);
