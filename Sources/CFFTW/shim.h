#pragma once
// <complex.h> is left out on purpose: fftw_complex is then double[2], the interleaved layout of Tensors.
#include <fftw3.h>

static inline const char *cfftw_version(void) { return fftwf_version; }
