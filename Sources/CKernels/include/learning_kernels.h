/// Hot loops of training: activations, mixing of Fourier modes, normalisation, the Adam update.
///
/// Single precision throughout; sums are accumulated in double precision.
#pragma once

#include "kernels.h"

/// The activation functions, by the numbers that Swift passes.
enum ck_activation { CK_IDENTITY = 0, CK_RELU = 1, CK_GELU = 2 };

/// z += bias, then out = activation(z); out and z must not overlap.
void ck_activate(enum ck_activation kind, size_t n, float bias, float *z, float *out);

/// z = activation(z + bias).
void ck_activate_in_place(enum ck_activation kind, size_t n, float bias, float *z);

/// gradient *= activation'(z).
void ck_activation_adjoint(enum ck_activation kind, size_t n, const float *z, float *gradient);

/// The longest sums of products between two visits of the result, and the widest vectors.
enum { CK_LONGEST_SUM = 384, CK_MOST_LANES = 16 };

/// A product A B: A is `rows` by `inner`, its element (r, k) at a[r row + k column]; B is
/// `inner` by `columns`, its rows contiguous and b_row apart.
struct ck_factors {
  size_t inner;
  const float *a;
  size_t row, column;
  const float *b;
  size_t b_row;
};

/// What becomes of a product S: activation(S + addend + bias) times the factor.
///
/// The rows of the addend, which may be C, are addend_row apart; bias has one number per row, factor and slope are laid out
/// as the result; each may be null. slope gets the activation's derivative at the sum; only for CK_GELU, without a factor.
struct ck_finish {
  enum ck_activation kind;
  const float *addend;
  size_t addend_row;
  const float *bias;
  const float *factor;
  float *slope;
};

/// C = finish(A B), `rows` by `columns`; the rows of C are c_row apart.
///
/// C must not overlap the factors, but it may be B if the products' sums have no more than CK_LONGEST_SUM terms. finish may
/// be null: C is the sum itself then.
void ck_product(size_t rows, size_t columns, const struct ck_factors *factors, const struct ck_finish *finish, float *c,
                size_t c_row);

/// c[i c_row + j] = the inner product of row i of x and row j of y, `length` points; added to what is there if
/// `adds` is not 0.
void ck_inner_products(size_t rows, size_t columns, size_t length, const float *x, size_t x_row,
                       const float *y, size_t y_row, int adds, float *c, size_t c_row);

/// Two linear maps of channels with an activation between them: W2 activation(W1 u + b1) + b2.
struct ck_perceptron {
  size_t inputs, hidden, outputs;
  enum ck_activation activation;
  /// W1 [hidden][inputs], b1 [hidden], W2 [outputs][hidden], b2 [outputs].
  const float *hidden_weight, *hidden_bias, *weight, *bias;
};

/// Whether the following two are for this perceptron: few outputs, not too many inputs.
int ck_perceptron_is_narrow(const struct ck_perceptron *perceptron);

/// y = what the perceptron gives for u at `columns` points; rows are u_row, addend_row and y_row apart.
///
/// The addend [hidden], if it is not null, is part of the sums W1 u + b1. The hidden values are used while they are in
/// registers and go nowhere. rates [hidden][columns], if it is not null, gets the derivatives of the result, of which there
/// is one then, with respect to the sums.
void ck_perceptron(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                   const float *addend, size_t addend_row, float *y, size_t y_row, float *rates);

/// From the gradient dy of the result to that of the sums behind the first map: dz [hidden][columns], which may be the
/// addend.
///
/// Adds the gradients of the other parameters to sums [hidden][1 + outputs][16], in 16 parts each: first of b1, then of
/// the column of W2.
void ck_perceptron_adjoint(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                           const float *addend, size_t addend_row, const float *dy, size_t dy_row, float *dz,
                           float *sums);

/// What the results of a perceptron are compared with after result scale + shift, [outputs][columns] each, whose rows are
/// `row` apart; scale and shift may be null.
struct ck_target {
  const float *values, *scale, *shift;
  size_t row;
};

/// ck_perceptron and, for half the sum of the squared differences of its results from the target, ck_perceptron_adjoint,
/// which need the hidden values once.
///
/// difference [outputs][columns] gets the differences, in rows difference_row apart. values is room for hidden times
/// CK_WIDEST_TILE numbers.
void ck_perceptron_difference(const struct ck_perceptron *perceptron, size_t columns, const float *u, size_t u_row,
                              const float *addend, size_t addend_row, const struct ck_target *target,
                              float *difference, size_t difference_row, float *dz, float *values, float *sums);

/// The same with no more than the given instructions: for tests.
void ck_product_using(enum ck_instructions most, size_t rows, size_t columns, const struct ck_factors *factors,
                      const struct ck_finish *finish, float *c, size_t c_row);
void ck_inner_products_using(enum ck_instructions most, size_t rows, size_t columns, size_t length,
                             const float *x, size_t x_row, const float *y, size_t y_row, int adds, float *c,
                             size_t c_row);
void ck_perceptron_using(enum ck_instructions most, const struct ck_perceptron *perceptron, size_t columns,
                         const float *u, size_t u_row, const float *addend, size_t addend_row, float *y,
                         size_t y_row, float *rates);
void ck_perceptron_adjoint_using(enum ck_instructions most, const struct ck_perceptron *perceptron, size_t columns,
                                 const float *u, size_t u_row, const float *addend, size_t addend_row,
                                 const float *dy, size_t dy_row, float *dz, float *sums);
void ck_perceptron_difference_using(enum ck_instructions most, const struct ck_perceptron *perceptron, size_t columns,
                                    const float *u, size_t u_row, const float *addend, size_t addend_row,
                                    const struct ck_target *target, float *difference, size_t difference_row,
                                    float *dz, float *values, float *sums);

/// One factor or result of ck_planar_product: element (r, c) has its real part at r row + c column and its
/// imaginary part `imaginary` floats behind it; conjugated when `conjugate` is not 0.
struct ck_planar {
  size_t row, column, imaginary;
  int conjugate;
};

/// The complex product C = A B, `rows` by `columns`, sums of length `inner`, of planar matrices.
///
/// The rows of B and C must be contiguous (column stride 1). C must not overlap A or B.
void ck_planar_product(size_t rows, size_t columns, size_t inner, struct ck_planar a_layout, const float *a,
                       struct ck_planar b_layout, const float *b, struct ck_planar c_layout, float *c);

/// Fetches into the cache what will be read or written soon: `count` floats of each of some rows, so far apart that the
/// processor does not foresee it.
void ck_fetch_rows(size_t rows, size_t row, size_t count, const float *x);

/// C = A B element by element, where every row of A meets the only row of B.
void ck_planar_scale(size_t rows, size_t columns, struct ck_planar a_layout, const float *a,
                     struct ck_planar b_layout, const float *b, struct ck_planar c_layout, float *c);

/// The only row of C = the sum over the rows of A B, element by element.
void ck_planar_correlate(size_t rows, size_t columns, struct ck_planar a_layout, const float *a,
                         struct ck_planar b_layout, const float *b, struct ck_planar c_layout, float *c);

/// out[column][row] = in[row][column].
void ck_transpose(size_t rows, size_t columns, const float *in, float *out);

/// From sums with cosines and sines along an axis to the modes of that axis, `count` complex numbers each.
///
/// folded is [2 m + 1][count][2]: rows 0..m hold the cosine sums P_f, rows m + f the sine sums Q_f; P - iQ is the
/// mode f, which goes to row f of modes [2 m][count][2] if f < m, and P + iQ the mode -f, to row 2 m - f.
void ck_unfold_axis(size_t m, size_t count, const float *folded, float *modes);

/// The transpose of ck_unfold_axis: the factors of the cosines and sines in the sum over the modes.
void ck_fold_axis(size_t m, size_t count, const float *modes, float *folded);

/// An axis whose points are added up with cosines and sines: arrays [outer][points][row] become
/// [outer][2 m + 1][row].
///
/// First with cosines [m + 1][points / 2 + 1] of the frequencies 0...m at the first half of the points, then with sines
/// [m][points / 2 + 1] of 1...m.
struct ck_axis {
  size_t outer, points, m, row;
  const float *cosines, *sines;
};

/// The sums of an array with the cosines and sines of an axis, and the transpose of that, with no more than the given
/// instructions.
void ck_sum_axis_using(enum ck_instructions most, const struct ck_axis *axis, const float *from, float *to);
void ck_expand_axis_using(enum ck_instructions most, const struct ck_axis *axis, const float *from, float *to);

/// Some points of the transpose of ck_sum_axis_using with outer = 1, and their images: those from `first` to `last` of the
/// points 0, ..., n / 4 of an even n, 0, ..., n / 2 of an odd one. Rows have at least CK_MOST_LANES numbers.
///
/// From sums [channel][2 m + 1][row] to [channel][blocks][last - first][row]. A block has rows in the order of the field:
/// those of the points i, then n - i and, of an even n, n/2 - i and n/2 + i. A point that equals one of an earlier block
/// is left out; the others of its block stay in their places.
void ck_expand_some_using(enum ck_instructions most, size_t channels, const struct ck_axis *axis, size_t first,
                          size_t last, const float *from, float *to);

/// The sums of `channels` arrays with the cosines and sines of one axis or two, whose `row` is the other's points.
///
/// `between` has room for the sums along the first of two.
void ck_sum_axes(size_t channels, size_t count, const struct ck_axis *axes, const float *from, float *between,
                 float *to);

/// The transpose of ck_sum_axes.
void ck_expand_axes(size_t channels, size_t count, const struct ck_axis *axes, const float *from, float *between,
                    float *to);

/// The sums and differences of the points of a real row that a cosine or sine about the middles of its quarters meets
/// with the same factor: parts[4][quarter] for even and odd frequencies of cosines, then of sines.
void ck_fold_quarters(size_t quarter, const float *x, float *parts);

/// Cosines and sines about the middles of the quarters of a row, [m][length] each, the even frequencies before the odd
/// ones.
struct ck_quarters {
  size_t m, length;
  const float *cosines, *sines;
};

/// The most points that ck_expand_quarters_using works on at once.
enum { CK_WIDEST_TILE = 48 };

/// The transpose of ck_fold_quarters and of products with cosines and sines: sums [channels][2 m] of cosines and sines
/// become the points of `channels` rows from `start` on of every quarter, `count` of them, where those of the second and
/// the last count backwards from its end. `packed` has room for 2 m times CK_WIDEST_TILE floats.
///
/// They go to the points from `place` on of rows whose quarters have `quarter` points: those of a field, or rows that
/// have these points alone.
void ck_expand_quarters_using(enum ck_instructions most, size_t channels, const struct ck_quarters *quarters,
                              const float *sums, size_t start, size_t count, float *packed, size_t quarter,
                              size_t place, float *field);

/// The modes of sums with cosines A and sines B about half a point before the first one:
/// re = A c + B s, im = A s - B c with turns[k] = (c, s), scattered as by ck_scatter_modes.
///
/// sums[channel][2 m]: A for even k, A for odd k, B for even k, B for odd k.
void ck_scatter_turned(size_t m, size_t channels, const float *sums, const float *turns, size_t stride, float *modes);

/// The same from modes to the factors A and B of cosines and sines; `imaginary` as for ck_gather_modes.
void ck_gather_turned(size_t m, size_t channels, const float *modes, size_t stride, size_t imaginary,
                      const float *turns, float *sums);

/// modes[k stride + {0, channels} + channel] = in[channel][k][{0, 1}], m modes.
void ck_scatter_modes(size_t m, size_t channels, const float *in, size_t stride, float *modes);

/// The inverse of ck_scatter_modes, for all channels or some that lie one after the other: imaginary parts are `imaginary`
/// numbers behind real ones.
void ck_gather_modes(size_t m, size_t channels, const float *modes, size_t stride, size_t imaginary, float *out);

/// ck_unfold_axis, of an axis with 2 n modes of m numbers each, and ck_scatter_modes in one pass.
///
/// From sums [2 n + 1][m][2] for every channel, in_row numbers apart.
void ck_scatter_unfolded(size_t n, size_t m, size_t channels, const float *in, size_t in_row, size_t stride,
                         float *modes);

/// ck_gather_modes and ck_fold_axis in one pass.
void ck_gather_folded(size_t n, size_t m, size_t channels, const float *modes, size_t stride, size_t imaginary,
                      float *out, size_t out_row);

/// The sum of n elements.
double ck_sum_f32(size_t n, const float *x);

/// x += a.
void ck_add_constant_f32(size_t n, float a, float *x);

/// y = a x + b.
void ck_affine_f32(size_t n, float a, float b, const float *x, float *y);

/// y = a x + b with a factor and a summand for every element.
void ck_affine_pointwise_f32(size_t n, const float *a, const float *b, const float *x, float *y);

/// y = (y + x) factor, element by element, or y + x if the factor is null: `rows` rows of `count`, `row` apart.
void ck_add_rows_f32(size_t rows, size_t count, size_t row, const float *x, const float *factor, float *y);

/// y *= a, element by element.
void ck_multiply_f32(size_t n, const float *a, float *y);

/// gradient = a gradient + b x + c: the adjoint of batch normalisation.
void ck_normalization_adjoint_f32(size_t n, float a, float b, float c, const float *x, float *gradient);

/// out = a (x - y).
void ck_scaled_difference_f32(size_t n, float a, const float *x, const float *y, float *out);

/// The constants of one Adam step; the bias corrections are 1 / (1 - beta^t) and 1 / sqrt(1 - beta2^t).
///
/// The complements 1 - beta are given because 1 - 0.999f is wrong in the fifth digit. weight_decay times the value
/// is added to the gradient; shrinkage times the value is subtracted from the value.
struct ck_adam {
  float rate, beta1, beta1_complement, beta2, beta2_complement, epsilon, weight_decay, shrinkage,
      first_correction, second_correction;
};

/// One Adam step: moments and value are updated in place.
void ck_adam_f32(size_t n, struct ck_adam settings, const float *gradient, float *first, float *second,
                 float *value);

/// One step of gradient descent with momentum: velocity and value are updated in place.
void ck_momentum_f32(size_t n, float rate, float momentum, float weight_decay, const float *gradient,
                     float *velocity, float *value);

// MARK: K-matrices

/// A product of butterfly matrices of the size 2^levels: `depth` blocks of `levels` factors each.
///
/// Twiddles are [block][factor in order of application][pair][2][2][re, im]; the strides of a block's factors
/// are 1, 2, 4, ... (increasing) or the reverse; blocks alternate.
struct ck_butterfly {
  size_t levels, depth;
  int begins_increasing;
};

/// The passes that a product takes over what it acts on: two neighbouring factors of a block are one pass, whose 4 x 4
/// matrices act on the positions that differ in two bits; if `levels` is odd, the last factor is a pass by itself.
size_t ck_butterfly_passes(struct ck_butterfly product);

/// The matrices of the passes, [pass][group][row][column][re, im], as many numbers as there are twiddles.
void ck_butterfly_merge(struct ck_butterfly product, const float *twiddle, float *matrices);

/// Adds to the gradient of the twiddles what that of the matrices contributes.
void ck_butterfly_merge_adjoint(struct ck_butterfly product, const float *twiddle, const float *matrix_gradient,
                                float *twiddle_gradient);

/// How the lines that a product acts on lie in memory: complex numbers for several vectors side by side.
///
/// The numbers at the positions 0, step, ..., (count - 1) step of a line are `position` floats apart, the others are
/// zero where lines are read and dropped where they are written. Imaginary parts lie `imaginary` floats behind
/// the real ones; if the lines are real they are zero and dropped as well. The next line begins `line` floats behind.
struct ck_lines {
  size_t count, step, position, line, imaginary;
  int real;
};

/// y = K x for `lines` lines of `width` vectors, a multiple of 16.
///
/// y must not overlap x; scratch has room for twice 2^levels [re, im][lines][width].
void ck_butterfly_multiply(struct ck_butterfly product, const float *matrices, size_t lines, size_t width,
                           struct ck_lines source, const float *x, struct ck_lines target, float *y, float *scratch);

/// dx = K^H dy for the layouts of ck_butterfly_multiply.
void ck_butterfly_multiply_adjoint(struct ck_butterfly product, const float *matrices, size_t lines, size_t width,
                                   struct ck_lines target, const float *dy, struct ck_lines source, float *dx,
                                   float *scratch);

/// The same, and adds the gradient of the matrices; dx may be null, and may be x.
///
/// scratch has room for one more than there are passes of what ck_butterfly_multiply has twice.
void ck_butterfly_gradient(struct ck_butterfly product, const float *matrices, size_t lines, size_t width,
                           struct ck_lines source, const float *x, struct ck_lines target, const float *dy, float *dx,
                           float *matrix_gradient, float *scratch);

/// to[i step + l] = from[i position + l lane] for `count` positions and `lane_count` vectors; zeros up to width.
void ck_gather_lanes(size_t count, size_t lane_count, const float *from, size_t position, size_t lane,
                     size_t width, float *to, size_t step);

/// to[i position + l lane] = from[i step + l]; of `from` whole vectors of 16 are read.
void ck_scatter_lanes(size_t count, size_t lane_count, const float *from, size_t step, size_t position,
                      size_t lane, float *to);
