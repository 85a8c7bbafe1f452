/// Hot loops that Swift does not vectorise: reductions, transcendental functions, fused updates.
///
/// Every function is compiled for several instruction sets (AVX-512, AVX2, baseline) and the best one is
/// chosen when the program starts; the environment variable PHALAROPE_INSTRUCTIONS (avx512, avx2 or baseline) says
/// to use no more than that. Results may differ in the last bits between instruction sets, never
/// between runs on one machine or between numbers of threads.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Instruction sets in rising order.
enum ck_instructions { CK_BASELINE = 0, CK_AVX2 = 1, CK_AVX512 = 2 };

/// The best instruction set that this machine runs; CK_BASELINE where there is only one.
enum ck_instructions ck_instructions_of_machine(void);

/// The instruction set that the kernels use: the best of this machine, or what PHALAROPE_INSTRUCTIONS asks for if
/// that is less.
enum ck_instructions ck_instructions_in_use(void);

/// The number of processors that the process may run on.
int ck_processor_count(void);

/// Whether the calling thread works on its share of a loop that several threads do together.
int ck_is_sharing(void);

/// Says so to the loops inside.
void ck_set_sharing(int value);

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
/// out = the dot products of x with y and with z.
void ck_dots_f64(size_t n, const double *x, const double *y, const double *z, double out[2]);

/// The sum of (x - y)^2, accumulated in double precision.
double ck_squared_distance_f32(size_t n, const float *x, const float *y);
double ck_squared_distance_f64(size_t n, const double *x, const double *y);

/// Pairs of standard normal deviates (Box and Muller) from consecutive blocks of Philox4x32-10.
///
/// Block i has the counter with i added to its first word and gives the two uniform numbers of pair i.
void ck_philox_normals(size_t pairs, const uint32_t counter[4], const uint32_t key[2], double *out);

/// output = a x + b (y_weight y + z_weight z): one stage of a scheme whose linear operator is diagonal.
/// a, b, x, y, z and output are `modes` complex numbers each.
void ck_diagonal_update_f64(
    size_t modes, const double *a, const double *x, const double *b, double y_weight, const double *y,
    double z_weight, const double *z, double *output);

/// output = e u + f1 n0 + f2 (n1 + n2) + f3 n3, all complex: the last stage of ETDRK4.
void ck_etdrk4_update_f64(
    size_t modes, const double *e, const double *u, const double *f1, const double *n0, const double *f2,
    const double *n1, const double *n2, const double *f3, const double *n3, double *output);

/// The coefficients of ETDRK4 for z = step * symbol, complex: e = exp(z), half = exp(z / 2), q = (step / 2)
/// phi_1(z / 2), f1 = step (phi_1 - 3 phi_2 + 4 phi_3), f2 = step (2 phi_2 - 4 phi_3), f3 = step (4 phi_3 -
/// phi_2), to a few units in the last place of the largest term.
void ck_etdrk4_coefficients_f64(
    size_t modes, double step, const double *symbol, double *e, double *half, double *q, double *f1,
    double *f2, double *f3);

/// The sum of |f (x - y)|^2 for complex numbers.
double ck_weighted_distance_f64(size_t modes, const double *f, const double *x, const double *y);

/// The sum of |symbol u + n|^2 for complex numbers: of the rates of change.
double ck_rate_of_change_f64(size_t modes, const double *symbol, const double *u, const double *n);

/// output = factor * input, complex.
void ck_complex_multiply_f64(size_t modes, const double *factor, const double *input, double *output);

/// output += factor input, complex.
void ck_complex_multiply_add_f64(size_t modes, const double *factor, const double *input, double *output);

/// u = c[0] + c[1] u + ... + c[degree] u^degree for n values; the largest derivative of it, in magnitude.
double ck_polynomial_f64(size_t n, size_t degree, const double *coefficients, double *u);

/// d = p'(u) d for the polynomial p of the given degree.
void ck_polynomial_derivative_f64(size_t n, size_t degree, const double *coefficients, const double *u, double *d);

/// The largest |x| of n numbers.
double ck_largest_magnitude_f64(size_t n, const double *x);

/// pair = (i along_x vorticity, i along_y vorticity). Coefficients lie in runs of three numbers each: where in
/// the vorticity a run starts, where in pair, which is [rows][2][columns] complex, and how long it is.
void ck_velocity_spectra_f64(
    size_t runs, const int32_t *run, size_t columns, const double *along_x, const double *along_y,
    const double *vorticity, double *pair);

/// Rows of n complex numbers whose backward transforms are u + i v, from the half spectra of the real u and v.
/// Only wave numbers below `columns` are there; 2 * columns - 1 <= n. Pairs are `pair_row` complex numbers apart.
void ck_join_half_spectra_f64(size_t rows, size_t n, size_t columns, const double *pair, size_t pair_row,
                              double *joined);

/// The reverse: the half spectra of the real and the imaginary parts, wave numbers below `columns`.
void ck_split_half_spectra_f64(size_t rows, size_t n, size_t columns, const double *joined, double *pair,
                               size_t pair_row);

/// z = u v + i (v^2 - u^2) from z = u + i v, in place; the largest |u| + |v|.
double ck_velocity_products_f64(size_t points, double *z);

/// tendency = forcing + scale (p a + q b) for the pair (a, b), p and q real; runs as above.
void ck_vorticity_tendency_f64(
    size_t runs, const int32_t *run, size_t columns, double scale, const double *p, const double *q,
    const double *forcing, const double *pair, double *tendency);

/// z = u + i v, dz = du + i dv; dz becomes the derivative of the products, (v du + u dv) + i (2 v dv - 2 u du).
void ck_velocity_products_tangent_f64(size_t points, const double *z, double *dz);

/// The transpose: gz = p + i q becomes (v p - 2 u q) + i (u p + 2 v q).
void ck_velocity_products_adjoint_f64(size_t points, const double *z, double *gz);

/// pair = (scale p tendency, scale q tendency), p and q real: the adjoint of ck_vorticity_tendency_f64.
void ck_vorticity_tendency_adjoint_f64(
    size_t runs, const int32_t *run, size_t columns, double scale, const double *p, const double *q,
    const double *tendency, double *pair);

/// vorticity = -i (along_x a + along_y b) for the pair (a, b): the adjoint of ck_velocity_spectra_f64.
void ck_velocity_spectra_adjoint_f64(
    size_t runs, const int32_t *run, size_t columns, const double *along_x, const double *along_y,
    const double *pair, double *vorticity);

/// product = u slope_x + v slope_y; the largest |u| + |v|.
double ck_advection_product_f64(
    size_t points, const double *u, const double *slope_x, const double *v, const double *slope_y,
    double *product);

/// The derivative of ck_advection_product_f64 for fields (u, slope_x, v, slope_y), [4][points], along `direction`.
void ck_advection_product_tangent_f64(
    size_t points, const double *fields, const double *direction, double *product);

/// Its transpose: cotangents (g slope_x, g u, g slope_y, g v), [4][points], of a cotangent g of the product.
void ck_advection_product_adjoint_f64(size_t points, const double *fields, const double *g, double *cotangent);

/// Operators on the `inner` * `inner` inner points of a square grid, for multigrid; see multigrid.c for the layout.
/// A vector is 4 planes of (inner / 2 + 2)^2 numbers, a five-point operator 16 planes, a nine-point operator 24.

/// The inner points of a grid of (inner + 2)^2 numbers as a vector, and back.
void ck_grid_split_f64(size_t inner, const double *grid, double *x);
void ck_grid_join_f64(size_t inner, const double *x, double *grid);

/// The five-point operator of -h^2 div(a grad u) for the permeability at (inner + 2)^2 vertices; faces take the
/// arithmetic or the harmonic mean. Its couplings alone are filled in: 8 planes.
void ck_darcy_assemble_f64(size_t inner, int harmonic, const double *permeability, double *a);

/// x = x + c rounded, c = what the rounding leaves over.
void ck_move_sum_f64(size_t n, double *x, double *c);

// What is there for directions and cycles of either precision.
#define CK_MULTIGRID(real, suffix)                                                                                    \
  /** y = A x for a five-point operator; the dot product of x and y. */                                               \
  double ck_darcy_multiply_##suffix(size_t inner, const real *a, const real *x, real *y);                             \
                                                                                                                      \
  /** residual = scale (b - A (x + rest)); the squared norm of b - A (x + rest), and that of b - A x in rounded. */   \
  double ck_darcy_residual_##suffix(                                                                                  \
      size_t inner, const double *a, const double *b, const double *x, const double *rest, double scale,              \
      real *residual, double *rounded);                                                                               \
                                                                                                                      \
  /** y = scale * x. */                                                                                               \
  void ck_scaled_##suffix(size_t n, double scale, const double *x, real *y);                                          \
                                                                                                                      \
  /** x += step * unit * p, r -= step * q; the squared norm of r. */                                                  \
  double ck_gradient_step_##suffix(                                                                                   \
      size_t n, double step, double unit, const real *p, const real *q, double *x, real *r);                          \
                                                                                                                      \
  /** p = z + ratio * p. */                                                                                           \
  void ck_next_direction_##suffix(size_t n, double ratio, const real *z, real *p);                                    \
                                                                                                                      \
  /** Fills in the inverse diagonal and the interpolation of a five-point operator. */                                \
  void ck_multigrid_prepare_##suffix(size_t inner, real *a);                                                          \
                                                                                                                      \
  /** The nine-point operator of the next coarser grid, inner / 2 points per axis, from a five-point or a nine-point  \
      one. scratch: 23 * (inner / 2 + 2) numbers. */                                                                  \
  void ck_multigrid_coarsen_five_##suffix(size_t inner, const real *a, real *coarse, real *scratch);                  \
  void ck_multigrid_coarsen_nine_##suffix(size_t inner, const real *a, real *coarse, real *scratch);                  \
                                                                                                                      \
  /** x = one relaxation of A x = b from zero; coarse_b = the residual on the next coarser grid.                      \
      scratch: 5 * (inner / 2 + 2) numbers. */                                                                        \
  void ck_multigrid_down_five_##suffix(                                                                               \
      size_t inner, const real *a, const real *b, real *x, real *coarse_b, real *scratch);                            \
  void ck_multigrid_down_nine_##suffix(                                                                               \
      size_t inner, const real *a, const real *b, real *x, real *coarse_b, real *scratch);                            \
                                                                                                                      \
  /** Adds the correction of the next coarser grid to x and relaxes in the reverse order; the dot product of b and x. \
      scratch: 2 * (inner / 2 + 2) numbers. */                                                                        \
  double ck_multigrid_up_five_##suffix(                                                                               \
      size_t inner, const real *a, const real *b, const real *coarse_x, real *x, real *scratch);                      \
  double ck_multigrid_up_nine_##suffix(                                                                               \
      size_t inner, const real *a, const real *b, const real *coarse_x, real *x, real *scratch);                      \
                                                                                                                      \
  /** x = b / d for the single point of the coarsest grid; the product of b and x. */                                 \
  double ck_multigrid_single_##suffix(const real *a, const real *b, real *x);

CK_MULTIGRID(double, f64)
CK_MULTIGRID(float, f32)
#undef CK_MULTIGRID
