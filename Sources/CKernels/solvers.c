#include "kernels.h"

#include "magnitude.h"
#include <math.h>
#include <string.h>

// MARK: - Navier-Stokes

CK_MULTIVERSION void ck_velocity_spectra_f64(
    size_t runs, const int32_t *run, size_t columns, const double *restrict along_x,
    const double *restrict along_y, const double *restrict vorticity, double *restrict pair) {
  for (size_t r = 0; r < runs; r++, run += 3) {
    const double *w = vorticity + 2 * (size_t)run[0], *gx = along_x + run[0], *gy = along_y + run[0];
    double *u = pair + 2 * (size_t)run[1], *v = u + 2 * columns;
    size_t count = (size_t)run[2];
    for (size_t c = 0; c < count; c++) {
      u[2 * c] = -gx[c] * w[2 * c + 1];
      u[2 * c + 1] = gx[c] * w[2 * c];
    }
    for (size_t c = 0; c < count; c++) {
      v[2 * c] = -gy[c] * w[2 * c + 1];
      v[2 * c + 1] = gy[c] * w[2 * c];
    }
  }
}

CK_MULTIVERSION void ck_join_half_spectra_f64(
    size_t rows, size_t n, size_t columns, const double *restrict pair, double *restrict joined) {
  for (size_t r = 0; r < rows; r++) {
    const double *u = pair + 4 * r * columns, *v = u + 2 * columns;
    double *z = joined + 2 * r * n;
    z[0] = u[0];
    z[1] = v[0];
    for (size_t c = 1; c < columns; c++) {
      z[2 * c] = u[2 * c] - v[2 * c + 1];
      z[2 * c + 1] = u[2 * c + 1] + v[2 * c];
    }
    memset(z + 2 * columns, 0, 2 * (n - 2 * columns + 1) * sizeof *z);
    for (size_t c = 1; c < columns; c++) {
      z[2 * (n - c)] = u[2 * c] + v[2 * c + 1];
      z[2 * (n - c) + 1] = v[2 * c] - u[2 * c + 1];
    }
  }
}

CK_MULTIVERSION void ck_split_half_spectra_f64(
    size_t rows, size_t n, size_t columns, const double *restrict joined, double *restrict pair) {
  for (size_t r = 0; r < rows; r++) {
    const double *z = joined + 2 * r * n;
    double *a = pair + 4 * r * columns, *b = a + 2 * columns;
    a[0] = z[0];
    a[1] = 0;
    b[0] = z[1];
    b[1] = 0;
    for (size_t c = 1; c < columns; c++) {
      double re = z[2 * c], im = z[2 * c + 1];
      double mirror_re = z[2 * (n - c)], mirror_im = z[2 * (n - c) + 1];
      a[2 * c] = 0.5 * (re + mirror_re);
      a[2 * c + 1] = 0.5 * (im - mirror_im);
      b[2 * c] = 0.5 * (im + mirror_im);
      b[2 * c + 1] = 0.5 * (mirror_re - re);
    }
  }
}

CK_MULTIVERSION double ck_velocity_products_f64(size_t points, double *restrict z) {
  int64_t fastest = 0;
  for (size_t i = 0; i < points; i++) {
    double u = z[2 * i], v = z[2 * i + 1];
    fastest = larger(fastest, bits_of_magnitude(fabs(u) + fabs(v)));
    z[2 * i] = u * v;
    z[2 * i + 1] = v * v - u * u;
  }
  return magnitude_of_bits(fastest);
}

CK_MULTIVERSION void ck_vorticity_tendency_f64(
    size_t runs, const int32_t *run, size_t columns, double scale, const double *restrict p,
    const double *restrict q, const double *restrict forcing, const double *restrict pair,
    double *restrict tendency) {
  for (size_t r = 0; r < runs; r++, run += 3) {
    const double *a = pair + 2 * (size_t)run[1], *b = a + 2 * columns;
    const double *f = forcing + 2 * (size_t)run[0], *pr = p + run[0], *qr = q + run[0];
    double *t = tendency + 2 * (size_t)run[0];
    size_t count = (size_t)run[2];
    for (size_t c = 0; c < count; c++) {
      t[2 * c] = f[2 * c] + scale * (pr[c] * a[2 * c] + qr[c] * b[2 * c]);
      t[2 * c + 1] = f[2 * c + 1] + scale * (pr[c] * a[2 * c + 1] + qr[c] * b[2 * c + 1]);
    }
  }
}

CK_MULTIVERSION void ck_velocity_products_tangent_f64(
    size_t points, const double *restrict z, double *restrict dz) {
  for (size_t i = 0; i < points; i++) {
    double u = z[2 * i], v = z[2 * i + 1], du = dz[2 * i], dv = dz[2 * i + 1];
    dz[2 * i] = v * du + u * dv;
    dz[2 * i + 1] = 2 * (v * dv - u * du);
  }
}

CK_MULTIVERSION void ck_velocity_products_adjoint_f64(
    size_t points, const double *restrict z, double *restrict gz) {
  for (size_t i = 0; i < points; i++) {
    double u = z[2 * i], v = z[2 * i + 1], p = gz[2 * i], q = 2 * gz[2 * i + 1];
    gz[2 * i] = v * p - u * q;
    gz[2 * i + 1] = u * p + v * q;
  }
}

CK_MULTIVERSION void ck_vorticity_tendency_adjoint_f64(
    size_t runs, const int32_t *run, size_t columns, double scale, const double *restrict p,
    const double *restrict q, const double *restrict tendency, double *restrict pair) {
  for (size_t r = 0; r < runs; r++, run += 3) {
    double *a = pair + 2 * (size_t)run[1], *b = a + 2 * columns;
    const double *t = tendency + 2 * (size_t)run[0], *pr = p + run[0], *qr = q + run[0];
    size_t count = (size_t)run[2];
    for (size_t c = 0; c < count; c++) {
      a[2 * c] = scale * pr[c] * t[2 * c];
      a[2 * c + 1] = scale * pr[c] * t[2 * c + 1];
    }
    for (size_t c = 0; c < count; c++) {
      b[2 * c] = scale * qr[c] * t[2 * c];
      b[2 * c + 1] = scale * qr[c] * t[2 * c + 1];
    }
  }
}

CK_MULTIVERSION void ck_velocity_spectra_adjoint_f64(
    size_t runs, const int32_t *run, size_t columns, const double *restrict along_x,
    const double *restrict along_y, const double *restrict pair, double *restrict vorticity) {
  for (size_t r = 0; r < runs; r++, run += 3) {
    double *w = vorticity + 2 * (size_t)run[0];
    const double *gx = along_x + run[0], *gy = along_y + run[0];
    const double *u = pair + 2 * (size_t)run[1], *v = u + 2 * columns;
    size_t count = (size_t)run[2];
    for (size_t c = 0; c < count; c++) {
      w[2 * c] = gx[c] * u[2 * c + 1] + gy[c] * v[2 * c + 1];
      w[2 * c + 1] = -gx[c] * u[2 * c] - gy[c] * v[2 * c];
    }
  }
}

CK_MULTIVERSION double ck_advection_product_f64(
    size_t points, const double *restrict u, const double *restrict slope_x, const double *restrict v,
    const double *restrict slope_y, double *restrict product) {
  int64_t fastest = 0;
  for (size_t i = 0; i < points; i++) {
    fastest = larger(fastest, bits_of_magnitude(fabs(u[i]) + fabs(v[i])));
    product[i] = u[i] * slope_x[i] + v[i] * slope_y[i];
  }
  return magnitude_of_bits(fastest);
}

CK_MULTIVERSION void ck_advection_product_tangent_f64(
    size_t points, const double *restrict fields, const double *restrict direction, double *restrict product) {
  const double *u = fields, *slope_x = u + points, *v = slope_x + points, *slope_y = v + points;
  const double *du = direction, *dslope_x = du + points, *dv = dslope_x + points, *dslope_y = dv + points;
  for (size_t i = 0; i < points; i++)
    product[i] = du[i] * slope_x[i] + u[i] * dslope_x[i] + dv[i] * slope_y[i] + v[i] * dslope_y[i];
}

CK_MULTIVERSION void ck_advection_product_adjoint_f64(
    size_t points, const double *restrict fields, const double *restrict g, double *restrict cotangent) {
  // The cotangent of each factor is g times the other one: u and slope_x, v and slope_y.
  static const size_t other[4] = {1, 0, 3, 2};
  for (size_t field = 0; field < 4; field++) {
    const double *factor = fields + other[field] * points;
    double *target = cotangent + field * points;
    for (size_t i = 0; i < points; i++) target[i] = g[i] * factor[i];
  }
}

// MARK: - Nine-point stencils
//
// A stencil is five arrays of side * side numbers: the diagonal and the couplings to the neighbours
// (i, j + 1), (i + 1, j - 1), (i + 1, j), (i + 1, j + 1); the other four follow by symmetry. The outermost
// points carry the zero boundary value and are never written.

enum { east = 1, southwest = 2, south = 3, southeast = 4 };

CK_MULTIVERSION void ck_stencil_multiply_f64(
    size_t side, const double *restrict stencil, const double *restrict x, double *restrict y) {
  size_t plane = side * side;
  const double *d = stencil, *e = d + east * plane, *sw = d + southwest * plane, *s = d + south * plane,
               *se = d + southeast * plane;
  for (size_t i = 1; i + 1 < side; i++)
    for (size_t c = i * side + 1; c < (i + 1) * side - 1; c++)
      y[c] = d[c] * x[c] + e[c] * x[c + 1] + e[c - 1] * x[c - 1]
           + sw[c] * x[c + side - 1] + s[c] * x[c + side] + se[c] * x[c + side + 1]
           + sw[c - side + 1] * x[c - side + 1] + s[c - side] * x[c - side] + se[c - side - 1] * x[c - side - 1];
}

CK_MULTIVERSION void ck_stencil_residual_f64(
    size_t side, const double *restrict stencil, const double *restrict x, const double *restrict b,
    double *restrict y) {
  size_t plane = side * side;
  const double *d = stencil, *e = d + east * plane, *sw = d + southwest * plane, *s = d + south * plane,
               *se = d + southeast * plane;
  for (size_t i = 1; i + 1 < side; i++)
    for (size_t c = i * side + 1; c < (i + 1) * side - 1; c++)
      y[c] = b[c] - d[c] * x[c] - e[c] * x[c + 1] - e[c - 1] * x[c - 1]
           - sw[c] * x[c + side - 1] - s[c] * x[c + side] - se[c] * x[c + side + 1]
           - sw[c - side + 1] * x[c - side + 1] - s[c - side] * x[c - side] - se[c - side - 1] * x[c - side - 1];
}

CK_MULTIVERSION void ck_stencil_sweep_f64(
    size_t side, const double *restrict stencil, const double *restrict b, int backward, double *restrict x,
    double *restrict row) {
  size_t plane = side * side;
  const double *d = stencil, *e = d + east * plane, *sw = d + southwest * plane, *s = d + south * plane,
               *se = d + southeast * plane;
  for (size_t k = 1; k + 1 < side; k++) {
    size_t start = (backward ? side - 1 - k : k) * side;
    // What does not depend on this sweep's values of the same row, vectorised; then the recurrence.
    for (size_t j = 1; j + 1 < side; j++) {
      size_t c = start + j;
      row[j] = b[c] - sw[c] * x[c + side - 1] - s[c] * x[c + side] - se[c] * x[c + side + 1]
             - sw[c - side + 1] * x[c - side + 1] - s[c - side] * x[c - side]
             - se[c - side - 1] * x[c - side - 1];
    }
    if (backward) {
      for (size_t j = 1; j + 1 < side; j++) row[j] = (row[j] - e[start + j - 1] * x[start + j - 1]) / d[start + j];
      double right = 0;
      for (size_t j = side - 2; j >= 1; j--)
        x[start + j] = right = row[j] - e[start + j] / d[start + j] * right;
    } else {
      for (size_t j = 1; j + 1 < side; j++) row[j] = (row[j] - e[start + j] * x[start + j + 1]) / d[start + j];
      double left = 0;
      for (size_t j = 1; j + 1 < side; j++)
        x[start + j] = left = row[j] - e[start + j - 1] / d[start + j] * left;
    }
  }
}

CK_MULTIVERSION void ck_bilinear_prolong_f64(
    size_t fine, size_t coarse, const size_t *restrict parent, const double *restrict weight,
    const double *restrict x, double *restrict y, double *restrict row) {
  for (size_t i = 1; i + 1 < fine; i++) {
    const double *low = x + parent[i] * coarse;
    const double *high = low + coarse;
    for (size_t j = 0; j < coarse; j++) row[j] = (1 - weight[i]) * low[j] + weight[i] * high[j];
    for (size_t j = 1; j + 1 < fine; j++)
      y[i * fine + j] += (1 - weight[j]) * row[parent[j]] + weight[j] * row[parent[j] + 1];
  }
}

CK_MULTIVERSION void ck_bilinear_restrict_f64(
    size_t fine, size_t coarse, const size_t *restrict parent, const double *restrict weight,
    const double *restrict x, double *restrict y, double *restrict row) {
  memset(y, 0, coarse * coarse * sizeof *y);
  for (size_t i = 1; i + 1 < fine; i++) {
    memset(row, 0, coarse * sizeof *row);
    for (size_t j = 1; j + 1 < fine; j++) {
      row[parent[j]] += (1 - weight[j]) * x[i * fine + j];
      row[parent[j] + 1] += weight[j] * x[i * fine + j];
    }
    double *low = y + parent[i] * coarse, *high = low + coarse;
    for (size_t j = 0; j < coarse; j++) low[j] += (1 - weight[i]) * row[j];
    for (size_t j = 0; j < coarse; j++) high[j] += weight[i] * row[j];
  }
  for (size_t j = 0; j < coarse; j++) {
    y[j] = y[(coarse - 1) * coarse + j] = 0;
    y[j * coarse] = y[j * coarse + coarse - 1] = 0;
  }
}

CK_MULTIVERSION void ck_galerkin_stencil_f64(
    size_t fine, size_t coarse, const size_t *restrict parent, const double *restrict weight,
    const double *restrict stencil, double *restrict result) {
  size_t plane = fine * fine, coarse_plane = coarse * coarse;
  memset(result, 0, 5 * coarse_plane * sizeof *result);
  // Every coupling of two fine points couples their coarse parents, in proportion to the two weights.
  static const int row_step[5] = {0, 0, 1, 1, 1}, column_step[5] = {0, 1, -1, 0, 1};
  for (size_t i = 1; i + 1 < fine; i++)
    for (size_t j = 1; j + 1 < fine; j++)
      for (int direction = 0; direction < 5; direction++) {
        size_t k = i + row_step[direction], l = j + column_step[direction];
        double coupling = stencil[direction * plane + i * fine + j];
        if (coupling == 0 || k == fine - 1 || l == 0 || l == fine - 1) continue;
        for (int a = 0; a < 2; a++) {
          double wa = coupling * (a ? weight[i] : 1 - weight[i]);
          if (wa == 0) continue;
          for (int b = 0; b < 2; b++) {
            double wb = wa * (b ? weight[j] : 1 - weight[j]);
            if (wb == 0) continue;
            for (int c = 0; c < 2; c++) {
              double wc = wb * (c ? weight[k] : 1 - weight[k]);
              if (wc == 0) continue;
              for (int g = 0; g < 2; g++) {
                double value = wc * (g ? weight[l] : 1 - weight[l]);
                if (value == 0) continue;
                size_t p = parent[i] + a, q = parent[j] + b, r = parent[k] + c, t = parent[l] + g;
                int down = (int)r - (int)p, right = (int)t - (int)q;
                // The pair stands for itself and its transpose: store it once, at its upper left end.
                if (down < 0 || (down == 0 && right < 0)) {
                  p = r;
                  q = t;
                  down = -down;
                  right = -right;
                }
                int slot = down == 0 ? right : south + right;
                double share = direction && down == 0 && right == 0 ? 2 * value : value;
                if (direction == 0 && slot) share = 0.5 * value;
                result[slot * coarse_plane + p * coarse + q] += share;
              }
            }
          }
        }
      }
}
