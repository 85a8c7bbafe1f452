// The matrix kernels for one instruction set, included by matrix.c with these macros set:
// NAME(x) makes a function's name and TARGET is its attribute; a vector has LANES floats; products are computed
// in blocks of PRODUCT_ROWS rows by PRODUCT_VECTORS vectors, inner products in blocks of DOT_ROWS by DOT_COLUMNS,
// each as many as the registers hold.

#define TILE (PRODUCT_VECTORS * LANES)

typedef float NAME(vector) __attribute__((vector_size(LANES * 4)));

TARGET INLINE NAME(vector) NAME(load)(const float *p) {
  NAME(vector) v;
  memcpy(&v, p, sizeof v);
  return v;
}

TARGET INLINE void NAME(store)(float *p, NAME(vector) v) { memcpy(p, &v, sizeof v); }

TARGET INLINE NAME(vector) NAME(all)(float x) {
  return x - (NAME(vector)){0};
}

/// row += bias, slope = the derivative of the activation there if it is wanted, row = its value.
TARGET INLINE void NAME(activate)(enum ck_activation kind, float bias, float *restrict row,
                                  float *restrict slope) {
  switch (kind) {
    case CK_IDENTITY:
      for (int i = 0; i < TILE; i++) row[i] += bias;
      break;
    case CK_RELU:
      for (int i = 0; i < TILE; i++) {
        float z = row[i] + bias;
        row[i] = z > 0 ? z : 0;
      }
      break;
    case CK_GELU:
      if (slope)
        for (int i = 0; i < TILE; i++) row[i] = gelu_with_slope(row[i] + bias, slope + i);
      else
        for (int i = 0; i < TILE; i++) row[i] = gelu(row[i] + bias);
      break;
  }
}

/// sum[row][column] += A B for `rows` rows and `vectors` vectors of a packed tile of B, kept in registers.
TARGET INLINE void NAME(accumulate)(const int rows, const int vectors, size_t inner, const float *a, size_t row,
                                    size_t column, const float *tile,
                                    NAME(vector) sum[PRODUCT_ROWS][PRODUCT_VECTORS]) {
  size_t k = 0;
  if (rows == 1) {
    // A single row has too few sums in flight to hide the latency of an addition: four at a time.
    NAME(vector) part[3][PRODUCT_VECTORS];
    UNROLL for (int i = 0; i < 3; i++) {
      UNROLL for (int v = 0; v < vectors; v++) part[i][v] = NAME(all)(0);
    }
    for (; k + 4 <= inner; k += 4) {
      UNROLL for (int v = 0; v < vectors; v++) {
        const float *b = tile + k * TILE + v * LANES;
        sum[0][v] += a[k * column] * NAME(load)(b);
        UNROLL for (int i = 0; i < 3; i++)
          part[i][v] += a[(k + i + 1) * column] * NAME(load)(b + (i + 1) * TILE);
      }
    }
    UNROLL for (int v = 0; v < vectors; v++) sum[0][v] += part[0][v] + (part[1][v] + part[2][v]);
  }
  for (; k < inner; k++) {
    NAME(vector) b[PRODUCT_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) b[v] = NAME(load)(tile + k * TILE + v * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      NAME(vector) x = NAME(all)(a[r * row + k * column]);
      UNROLL for (int v = 0; v < vectors; v++) sum[r][v] += x * b[v];
    }
  }
}

/// One block of rows of a tile: from the packed rows of B to finished results in `block`.
TARGET INLINE void NAME(product_rows)(const int rows, const int vectors, size_t first_row, int count,
                                      const struct ck_factors *factors, const float *tile, int continues,
                                      float *block) {
  NAME(vector) sum[PRODUCT_ROWS][PRODUCT_VECTORS];
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < vectors; v++)
      sum[r][v] = continues ? NAME(load)(block + r * TILE + v * LANES) : NAME(all)(0);
  }
  for (int s = 0; s < count; s++) {
    const struct ck_factors *factor = factors + s;
    NAME(accumulate)(rows, vectors, factor->inner, factor->a + first_row * factor->row, factor->row,
                     factor->column, tile, sum);
    tile += factor->inner * TILE;
  }
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < vectors; v++) NAME(store)(block + r * TILE + v * LANES, sum[r][v]);
  }
}

TARGET INLINE void NAME(product_block)(const int rows, int vectors, size_t first_row, int count,
                                       const struct ck_factors *factors, const float *tile, int continues,
                                       float *block) {
  switch (vectors) {
    case 1: NAME(product_rows)(rows, 1, first_row, count, factors, tile, continues, block); break;
    case 2: NAME(product_rows)(rows, 2, first_row, count, factors, tile, continues, block); break;
#if PRODUCT_VECTORS > 2
    default: NAME(product_rows)(rows, 3, first_row, count, factors, tile, continues, block); break;
#endif
  }
}

TARGET static void NAME(product)(size_t rows, size_t columns, int count, const struct ck_factors *factors,
                                 int continues, const struct ck_finish *finish, float *c, size_t c_row) {
  _Alignas(64) float tile[MAXIMUM_INNER * TILE];
  _Alignas(64) float block[PRODUCT_ROWS * TILE];
  _Alignas(64) float slope[TILE];
  for (size_t start = 0; start < columns; start += TILE) {
    size_t width = columns - start < TILE ? columns - start : TILE;
    int vectors = (int)((width + LANES - 1) / LANES);
    float *packed = tile;
    for (int s = 0; s < count; s++) {
      const float *b = factors[s].b + start;
      for (size_t k = 0; k < factors[s].inner; k++, packed += TILE, b += factors[s].b_row) {
        if (width == TILE) {
          UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++)
            NAME(store)(packed + v * LANES, NAME(load)(b + v * LANES));
        } else {
          memcpy(packed, b, width * sizeof *b);
          memset(packed + width, 0, (TILE - width) * sizeof *b);
        }
      }
    }
    for (size_t r = 0; r < rows;) {
      int height = rows - r >= PRODUCT_ROWS ? PRODUCT_ROWS : rows - r >= 4 ? 4 : rows - r >= 2 ? 2 : 1;
      if (continues)
        for (int i = 0; i < height; i++)
          memcpy(block + i * TILE, c + (r + i) * c_row + start, width * sizeof *c);
      switch (height) {
        case 1: NAME(product_block)(1, vectors, r, count, factors, tile, continues, block); break;
        case 2: NAME(product_block)(2, vectors, r, count, factors, tile, continues, block); break;
        case 4: NAME(product_block)(4, vectors, r, count, factors, tile, continues, block); break;
        default: NAME(product_block)(PRODUCT_ROWS, vectors, r, count, factors, tile, continues, block);
      }
      for (int i = 0; i < height; i++) {
        float *row = block + i * TILE;
        size_t target = (r + i) * c_row + start;
        if (finish) {
          float bias = finish->bias ? finish->bias[r + i] : 0;
          NAME(activate)(finish->kind, bias, row, finish->slope ? slope : NULL);
          if (finish->slope) memcpy(finish->slope + target, slope, width * sizeof *c);
          if (finish->factor)
            for (size_t p = 0; p < width; p++) row[p] *= finish->factor[target + p];
        }
        if (width == TILE) {
          UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++)
            NAME(store)(c + target + v * LANES, NAME(load)(row + v * LANES));
        } else {
          memcpy(c + target, row, width * sizeof *c);
        }
      }
      r += height;
    }
  }
}

/// The sums of neighbouring lanes, first those of v, then those of w.
TARGET INLINE NAME(vector) NAME(pairs)(NAME(vector) v, NAME(vector) w) {
#if LANES == 16
  return __builtin_shufflevector(v, w, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
       + __builtin_shufflevector(v, w, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif LANES == 8
  return __builtin_shufflevector(v, w, 0, 2, 4, 6, 8, 10, 12, 14)
       + __builtin_shufflevector(v, w, 1, 3, 5, 7, 9, 11, 13, 15);
#else
  return __builtin_shufflevector(v, w, 0, 2, 4, 6) + __builtin_shufflevector(v, w, 1, 3, 5, 7);
#endif
}

/// sums[i] = the sum of the lanes of v[i], for `count` vectors, which are used up.
TARGET INLINE void NAME(totals)(const int count, NAME(vector) *v, float *sums) {
  int n = count;
  UNROLL for (int lanes = LANES; lanes > 1; lanes /= 2) {
    UNROLL for (int i = 0; i < (n + 1) / 2; i++) v[i] = NAME(pairs)(v[2 * i], v[2 * i + 1 < n ? 2 * i + 1 : 2 * i]);
    n = (n + 1) / 2;
  }
  UNROLL for (int i = 0; i < n; i++) NAME(store)(sums + i * LANES, v[i]);
}

/// c[i][j] = or += the inner products of `rows` rows of x with `columns` rows of y, whole vectors.
TARGET INLINE void NAME(dot_block)(const int rows, const int columns, size_t length, const float *x,
                                   size_t x_row, const float *y, size_t y_row, int adds, float *c,
                                   size_t c_row) {
  NAME(vector) sum[DOT_ROWS * DOT_COLUMNS];
  UNROLL for (int i = 0; i < rows * columns; i++) sum[i] = NAME(all)(0);
  for (size_t p = 0; p < length; p += LANES) {
    NAME(vector) b[DOT_COLUMNS];
    UNROLL for (int j = 0; j < columns; j++) b[j] = NAME(load)(y + j * y_row + p);
    UNROLL for (int i = 0; i < rows; i++) {
      NAME(vector) a = NAME(load)(x + i * x_row + p);
      UNROLL for (int j = 0; j < columns; j++) sum[i * columns + j] += a * b[j];
    }
  }
  float totals[DOT_ROWS * DOT_COLUMNS + LANES];
  NAME(totals)(rows * columns, sum, totals);
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < columns; j++) {
      float total = totals[i * columns + j];
      c[i * c_row + j] = adds ? c[i * c_row + j] + total : total;
    }
  }
}

/// The same for any number of columns that a block has.
TARGET INLINE void NAME(dot_rows)(const int rows, int columns, size_t length, const float *x, size_t x_row,
                                  const float *y, size_t y_row, int adds, float *c, size_t c_row) {
  switch (columns) {
    case 1: NAME(dot_block)(rows, 1, length, x, x_row, y, y_row, adds, c, c_row); break;
    case 2: NAME(dot_block)(rows, 2, length, x, x_row, y, y_row, adds, c, c_row); break;
    case 3: NAME(dot_block)(rows, 3, length, x, x_row, y, y_row, adds, c, c_row); break;
#if DOT_COLUMNS >= 4
    case 4: NAME(dot_block)(rows, 4, length, x, x_row, y, y_row, adds, c, c_row); break;
#endif
#if DOT_COLUMNS >= 6
    case 5: NAME(dot_block)(rows, 5, length, x, x_row, y, y_row, adds, c, c_row); break;
    case 6: NAME(dot_block)(rows, 6, length, x, x_row, y, y_row, adds, c, c_row); break;
#endif
  }
}

/// `rows` pieces of rows one after the other, each filled up with zeros to whole vectors.
TARGET INLINE void NAME(pack_rows)(size_t rows, size_t length, const float *x, size_t x_row, size_t packed_row,
                                   float *packed) {
  for (size_t i = 0; i < rows; i++) {
    memcpy(packed + i * packed_row, x + i * x_row, length * sizeof *x);
    memset(packed + i * packed_row + length, 0, (packed_row - length) * sizeof *x);
  }
}

TARGET static void NAME(inner_products)(size_t rows, size_t columns, size_t length, const float *x,
                                        size_t x_row, const float *y, size_t y_row, int adds, float *c,
                                        size_t c_row) {
  _Alignas(64) float packed_y[DOT_PANEL * DOT_LENGTH], packed_x[DOT_ROWS * DOT_LENGTH];
  for (size_t panel = 0; panel < columns; panel += DOT_PANEL) {
    size_t panel_columns = columns - panel < DOT_PANEL ? columns - panel : DOT_PANEL;
    // Blocks of nearly equal widths, so that none has too few sums in flight.
    size_t blocks = (panel_columns + DOT_COLUMNS - 1) / DOT_COLUMNS;
    for (size_t start = 0; start < length; start += DOT_LENGTH) {
      size_t part = length - start < DOT_LENGTH ? length - start : DOT_LENGTH;
      size_t whole = (part + LANES - 1) / LANES * LANES;
      int more = adds || start > 0;
      NAME(pack_rows)(panel_columns, part, y + panel * y_row + start, y_row, whole, packed_y);
      for (size_t i = 0; i < rows;) {
        size_t height = rows - i >= DOT_ROWS ? DOT_ROWS : 1, row = x_row;
        const float *source = x + i * x_row + start;
        if (whole > part) {
          NAME(pack_rows)(height, part, source, x_row, whole, packed_x);
          source = packed_x;
          row = whole;
        }
        for (size_t block = 0; block < blocks; block++) {
          size_t j = panel_columns * block / blocks, width = panel_columns * (block + 1) / blocks - j;
          float *target = c + i * c_row + panel + j;
          const float *ys = packed_y + j * whole;
          if (height == DOT_ROWS)
            NAME(dot_rows)(DOT_ROWS, (int)width, whole, source, row, ys, whole, more, target, c_row);
          else
            NAME(dot_rows)(1, (int)width, whole, source, row, ys, whole, more, target, c_row);
        }
        i += height;
      }
    }
  }
}

#undef TILE
#undef NAME
#undef TARGET
#undef LANES
#undef PRODUCT_ROWS
#undef PRODUCT_VECTORS
#undef DOT_ROWS
#undef DOT_COLUMNS
