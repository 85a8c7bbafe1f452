#include "multiversion.h"

#include "magnitude.h"
#include <math.h>
#include <string.h>

// MARK: - Navier-Stokes

KERNEL(void, ck_velocity_spectra_f64, (size_t runs, const int32_t *run, size_t columns,
    const double *restrict along_x, const double *restrict along_y, const double *restrict vorticity,
    double *restrict pair), (runs, run, columns, along_x, along_y, vorticity, pair)) {
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

KERNEL(void, ck_join_half_spectra_f64, (size_t rows, size_t n, size_t columns, const double *restrict pair,
    size_t pair_row, double *restrict joined), (rows, n, columns, pair, pair_row, joined)) {
  for (size_t r = 0; r < rows; r++) {
    const double *u = pair + 2 * r * pair_row, *v = u + 2 * columns;
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

KERNEL(void, ck_split_half_spectra_f64, (size_t rows, size_t n, size_t columns, const double *restrict joined,
    double *restrict pair, size_t pair_row), (rows, n, columns, joined, pair, pair_row)) {
  for (size_t r = 0; r < rows; r++) {
    const double *z = joined + 2 * r * n;
    double *a = pair + 2 * r * pair_row, *b = a + 2 * columns;
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

KERNEL(double, ck_velocity_products_f64, (size_t points, double *restrict z), (points, z)) {
  int64_t fastest = 0;
  for (size_t i = 0; i < points; i++) {
    double u = z[2 * i], v = z[2 * i + 1];
    fastest = larger(fastest, bits_of_magnitude(fabs(u) + fabs(v)));
    z[2 * i] = u * v;
    z[2 * i + 1] = v * v - u * u;
  }
  return magnitude_of_bits(fastest);
}

KERNEL(void, ck_vorticity_tendency_f64, (size_t runs, const int32_t *run, size_t columns, double scale,
    const double *restrict p, const double *restrict q, const double *restrict forcing,
    const double *restrict pair, double *restrict tendency),
    (runs, run, columns, scale, p, q, forcing, pair, tendency)) {
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

KERNEL(void, ck_velocity_products_tangent_f64, (size_t points, const double *restrict z, double *restrict dz),
    (points, z, dz)) {
  for (size_t i = 0; i < points; i++) {
    double u = z[2 * i], v = z[2 * i + 1], du = dz[2 * i], dv = dz[2 * i + 1];
    dz[2 * i] = v * du + u * dv;
    dz[2 * i + 1] = 2 * (v * dv - u * du);
  }
}

KERNEL(void, ck_velocity_products_adjoint_f64, (size_t points, const double *restrict z, double *restrict gz),
    (points, z, gz)) {
  for (size_t i = 0; i < points; i++) {
    double u = z[2 * i], v = z[2 * i + 1], p = gz[2 * i], q = 2 * gz[2 * i + 1];
    gz[2 * i] = v * p - u * q;
    gz[2 * i + 1] = u * p + v * q;
  }
}

KERNEL(void, ck_vorticity_tendency_adjoint_f64, (size_t runs, const int32_t *run, size_t columns,
    double scale, const double *restrict p, const double *restrict q, const double *restrict tendency,
    double *restrict pair), (runs, run, columns, scale, p, q, tendency, pair)) {
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

KERNEL(void, ck_velocity_spectra_adjoint_f64, (size_t runs, const int32_t *run, size_t columns,
    const double *restrict along_x, const double *restrict along_y, const double *restrict pair,
    double *restrict vorticity), (runs, run, columns, along_x, along_y, pair, vorticity)) {
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

KERNEL(double, ck_advection_product_f64, (size_t points, const double *restrict u,
    const double *restrict slope_x, const double *restrict v, const double *restrict slope_y,
    double *restrict product), (points, u, slope_x, v, slope_y, product)) {
  int64_t fastest = 0;
  for (size_t i = 0; i < points; i++) {
    fastest = larger(fastest, bits_of_magnitude(fabs(u[i]) + fabs(v[i])));
    product[i] = u[i] * slope_x[i] + v[i] * slope_y[i];
  }
  return magnitude_of_bits(fastest);
}

KERNEL(void, ck_advection_product_tangent_f64, (size_t points, const double *restrict fields,
    const double *restrict direction, double *restrict product), (points, fields, direction, product)) {
  const double *u = fields, *slope_x = u + points, *v = slope_x + points, *slope_y = v + points;
  const double *du = direction, *dslope_x = du + points, *dv = dslope_x + points, *dslope_y = dv + points;
  for (size_t i = 0; i < points; i++)
    product[i] = du[i] * slope_x[i] + u[i] * dslope_x[i] + dv[i] * slope_y[i] + v[i] * dslope_y[i];
}

KERNEL(void, ck_advection_product_adjoint_f64, (size_t points, const double *restrict fields,
    const double *restrict g, double *restrict cotangent), (points, fields, g, cotangent)) {
  // The cotangent of each factor is g times the other one: u and slope_x, v and slope_y.
  static const size_t other[4] = {1, 0, 3, 2};
  for (size_t field = 0; field < 4; field++) {
    const double *factor = fields + other[field] * points;
    double *target = cotangent + field * points;
    for (size_t i = 0; i < points; i++) target[i] = g[i] * factor[i];
  }
}
