// The matrix kernels for one instruction set, included by matrix.c with these macros set:
// NAME(x) makes a function's name and TARGET is its attribute; a vector has LANES floats; products are computed
// in blocks of PRODUCT_ROWS rows by PRODUCT_VECTORS vectors, inner products in blocks of DOT_ROWS by DOT_COLUMNS,
// each as many as the registers hold.

#define TILE (PRODUCT_VECTORS * LANES)
_Static_assert(TILE <= CK_WIDEST_TILE, "a tile has more points than callers have room for");

typedef float NAME(vector) __attribute__((ext_vector_type(LANES)));
typedef float NAME(half) __attribute__((ext_vector_type(LANES / 2)));

TARGET INLINE NAME(vector) NAME(load)(const float *p) {
  NAME(vector) v;
  memcpy(&v, p, sizeof v);
  return v;
}

TARGET INLINE void NAME(store)(float *p, NAME(vector) v) { memcpy(p, &v, sizeof v); }

/// All lanes but the last ones: so many are missing, a multiple of four.
TARGET INLINE void NAME(store_but)(int missing, float *to, NAME(vector) v) {
  if (missing == 0) {
    NAME(store)(to, v);
    return;
  }
#if LANES > 4
  int done = 0;
#if LANES == 16
  if (missing <= 8) {
    NAME(half) first = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
    memcpy(to, &first, sizeof first);
    if (missing == 8) return;
    v = __builtin_shufflevector(v, v, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11);
    done = 8;
  }
#endif
  four rest = __builtin_shufflevector(v, v, 0, 1, 2, 3);
  memcpy(to + done, &rest, sizeof rest);
#endif
}

TARGET INLINE NAME(vector) NAME(all)(float x) {
  return x - (NAME(vector)){0};
}

#ifdef GELU_BY_PIECES

typedef int NAME(places) __attribute__((ext_vector_type(LANES)));

/// For every lane the number at the place that its last five bits give.
TARGET INLINE NAME(vector) NAME(pick)(const float numbers[32], NAME(places) places) {
  return __builtin_ia32_vpermi2varps512(NAME(load)(numbers), places, NAME(load)(numbers + LANES));
}

/// sum[v] = the polynomial of t[v] whose coefficients are at the places of the tables, for all vectors of a tile.
TARGET INLINE void NAME(sum_pieces)(const float tables[GELU_PIECE_TERMS][32], const NAME(places) * places,
                                    const NAME(vector) * t, NAME(vector) * sum) {
  UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) sum[v] = NAME(pick)(tables[GELU_PIECE_TERMS - 1], places[v]);
  UNROLL for (int i = GELU_PIECE_TERMS - 2; i >= 0; i--) {
    UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) sum[v] = sum[v] * t[v] + NAME(pick)(tables[i], places[v]);
  }
}

/// value = GELU of row, and slope = its derivative there if it is wanted, by the pieces of gelu.h for all vectors of a tile
/// in turn, as those of one wait for each other.
TARGET INLINE void NAME(gelu)(const float *row, float *value, float *slope) {
  NAME(vector) x[PRODUCT_VECTORS], t[PRODUCT_VECTORS], sum[PRODUCT_VECTORS];
  NAME(places) places[PRODUCT_VECTORS];
  const NAME(vector) low = NAME(all)(-gelu_pieces_end), high = NAME(all)(gelu_pieces_end);
  // Numbers of this size have nothing behind the point: to add one rounds, and leaves k in the last bits.
  const float rounder = 12582912;
  UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) {
    NAME(vector) z = NAME(load)(row + v * LANES);
    x[v] = z < low ? low : z;
    z = x[v] > high ? high : x[v];
    NAME(vector) k = z * (1 / gelu_piece_width) + rounder;
    memcpy(places + v, &k, sizeof k);
    t[v] = z - (k - rounder) * gelu_piece_width;
  }
  if (slope) {
    NAME(sum_pieces)(gelu_slope_pieces, places, t, sum);
    UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) NAME(store)(slope + v * LANES, sum[v]);
  }
  NAME(sum_pieces)(gelu_value_pieces, places, t, sum);
  UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) NAME(store)(value + v * LANES, x[v] * sum[v]);
}

#else

/// sum = sum s + coefficient for all vectors of a tile.
TARGET INLINE void NAME(horner)(const NAME(vector) * s, float coefficient, NAME(vector) * sum) {
  UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) sum[v] = sum[v] * s[v] + coefficient;
}

/// value = GELU of row, and slope = its derivative there if it is wanted: gelu.h's for all vectors of a tile in
/// turn, as those of one wait for each other.
TARGET INLINE void NAME(gelu)(const float *row, float *value, float *slope) {
  NAME(vector) x[PRODUCT_VECTORS], c[PRODUCT_VECTORS], s[PRODUCT_VECTORS];
  NAME(vector) q[PRODUCT_VECTORS], p[PRODUCT_VECTORS], d[PRODUCT_VECTORS];
  const NAME(vector) low = NAME(all)(-gelu_end), high = NAME(all)(gelu_end);
  UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) {
    NAME(vector) z = NAME(load)(row + v * LANES);
    x[v] = z < low ? low : z;
    c[v] = x[v] > high ? high : x[v];
    s[v] = c[v] * c[v];
    q[v] = NAME(all)(gelu_q[0]);
    p[v] = NAME(all)(gelu_p[0]);
    d[v] = NAME(all)(gelu_d[0]);
  }
  UNROLL for (int i = 1; i < GELU_Q; i++) {
    NAME(horner)(s, gelu_q[i], q);
    if (i < GELU_P) NAME(horner)(s, gelu_p[i], p);
  }
  UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) c[v] /= q[v];
  if (slope) {
    UNROLL for (int i = 1; i < GELU_D; i++) NAME(horner)(s, gelu_d[i], d);
    UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) NAME(store)(slope + v * LANES, c[v] * d[v] + 0.5f);
  }
  UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) NAME(store)(value + v * LANES, x[v] * (c[v] * p[v] + 0.5f));
}

#endif

/// value = the activation of row, and slope = its derivative there if it is wanted; value may be row.
TARGET INLINE void NAME(activate)(enum ck_activation kind, const float *row, float *value, float *restrict slope) {
  switch (kind) {
    case CK_IDENTITY:
      for (int i = 0; i < TILE; i++) value[i] = row[i];
      break;
    case CK_RELU:
      for (int i = 0; i < TILE; i++) {
        float z = row[i];
        value[i] = z > 0 ? z : 0;
      }
      break;
    case CK_GELU:
      if (slope)
        NAME(gelu)(row, value, slope);
      else
        NAME(gelu)(row, value, NULL);
      break;
  }
}

/// sum[row][column] += A B for `rows` rows and `vectors` vectors of B, kept in registers.
TARGET INLINE void NAME(accumulate)(const int rows, const int vectors, size_t inner, const float *a, size_t row,
                                    size_t column, const float *tile, size_t tile_row,
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
        const float *b = tile + k * tile_row + v * LANES;
        sum[0][v] += a[k * column] * NAME(load)(b);
        UNROLL for (int i = 0; i < 3; i++)
          part[i][v] += a[(k + i + 1) * column] * NAME(load)(b + (i + 1) * tile_row);
      }
    }
    UNROLL for (int v = 0; v < vectors; v++) sum[0][v] += part[0][v] + (part[1][v] + part[2][v]);
  }
  for (; k < inner; k++) {
    NAME(vector) b[PRODUCT_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) b[v] = NAME(load)(tile + k * tile_row + v * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      NAME(vector) x = NAME(all)(a[r * row + k * column]);
      UNROLL for (int v = 0; v < vectors; v++) sum[r][v] += x * b[v];
    }
  }
}

/// Fetches what will be read or written soon. Tiles are short pieces of many rows, which the processor does not foresee.
TARGET INLINE void NAME(fetch)(const float *from, size_t count) {
  for (size_t i = 0; i < count; i += 16) __builtin_prefetch(from + i);
}

/// A block of rows of a product at some tiles one after the other.
struct NAME(block) {
  /// A, whose rows and columns are so far apart, and its number of columns.
  size_t inner;
  const float *a;
  size_t row, column;
  /// The rows of B at the first tile, and how far those of the next tile are.
  const float *b;
  size_t b_row, next;
  size_t tiles;
  /// What the sums are added to, if anything.
  const float *addend;
  size_t addend_row;
  /// Where they go.
  float *to;
  size_t to_row;
  /// How many lanes of the last vector of a tile do not go there; then a block has neither addend nor factors.
  int missing;
  /// How they end, as in ck_finish, at the first row and tile: a bias per row, factors and places for slopes that lie
  /// as the result does.
  enum ck_activation kind;
  const float *bias, *factor;
  float *slope;
};

/// The activation of sums, which hold the bias, at one tile of a block.
TARGET static __attribute__((noinline)) void NAME(finish_tile)(const struct NAME(block) * block, int rows, size_t start,
                                                               float *sums) {
  for (int r = 0; r < rows; r++) {
    float *row = sums + r * TILE;
    size_t place = r * block->to_row + start;
    NAME(fetch)(block->to + place + TILE, TILE);
    if (!block->factor) {
      if (block->slope) NAME(fetch)(block->slope + place + TILE, TILE);
      NAME(activate)(block->kind, row, block->to + place, block->slope ? block->slope + place : NULL);
      continue;
    }
    NAME(activate)(block->kind, row, row, NULL);
    UNROLL for (int v = 0; v < TILE; v += LANES)
      NAME(store)(block->to + place + v, NAME(load)(row + v) * NAME(load)(block->factor + place + v));
  }
}

/// The block's sums, kept in registers, at tiles of `vectors`; those that are not whole have no activation.
TARGET INLINE void NAME(product_rows)(const int rows, const int vectors, const struct NAME(block) * block) {
  size_t inner = block->inner, row = block->row, column = block->column, b_row = block->b_row, to_row = block->to_row;
  size_t addend_row = block->addend_row;
  const float *a = block->a, *b = block->b, *addend = block->addend;
  float *to = block->to;
  const float *bias = block->bias, *factor = block->factor;
  const int missing = block->missing;
  for (size_t t = 0; t < block->tiles; t++, b += block->next, to += TILE, addend += addend ? TILE : 0) {
    NAME(vector) sum[PRODUCT_ROWS][PRODUCT_VECTORS];
    UNROLL for (int r = 0; r < rows; r++) {
      const NAME(vector) first = NAME(all)(bias ? bias[r] : 0);
      UNROLL for (int v = 0; v < vectors; v++)
        sum[r][v] = addend ? NAME(load)(addend + r * addend_row + v * LANES) + first : first;
    }
    NAME(accumulate)(rows, vectors, inner, a, row, column, b, b_row, sum);
    if (block->kind != CK_IDENTITY) {
      _Alignas(64) float sums[PRODUCT_ROWS * TILE];
      UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < vectors; v++) NAME(store)(sums + r * TILE + v * LANES, sum[r][v]);
      }
      NAME(finish_tile)(block, rows, t * TILE, sums);
      continue;
    }
    // Where the addend lies elsewhere, what the result takes the place of is not in the cache.
    if (addend)
      UNROLL for (int r = 0; r < rows; r++) NAME(fetch)(to + r * to_row + TILE, TILE);
    if (factor)
      UNROLL for (int r = 0; r < rows; r++) {
        NAME(fetch)(factor + t * TILE + r * to_row + TILE, TILE);
        UNROLL for (int v = 0; v < vectors; v++) sum[r][v] *= NAME(load)(factor + t * TILE + r * to_row + v * LANES);
      }
    UNROLL for (int r = 0; r < rows; r++) {
      UNROLL for (int v = 0; v < vectors; v++)
        NAME(store_but)(v == vectors - 1 ? missing : 0, to + r * to_row + v * LANES, sum[r][v]);
    }
  }
}

/// The same for any height that a block has.
TARGET INLINE void NAME(product_height)(int rows, const int vectors, const struct NAME(block) * block) {
  switch (rows) {
    case 1: NAME(product_rows)(1, vectors, block); break;
    case 2: NAME(product_rows)(2, vectors, block); break;
    case 3: NAME(product_rows)(3, vectors, block); break;
    case 4: NAME(product_rows)(4, vectors, block); break;
#if PRODUCT_ROWS > 4
    case 5: NAME(product_rows)(5, vectors, block); break;
    case 6: NAME(product_rows)(6, vectors, block); break;
#endif
#if PRODUCT_ROWS > 6
    case 7: NAME(product_rows)(7, vectors, block); break;
    case 8: NAME(product_rows)(8, vectors, block); break;
#endif
  }
}

/// The same for any number of vectors that a tile has.
TARGET INLINE void NAME(product_block)(int rows, int vectors, const struct NAME(block) * block) {
  switch (vectors) {
    case 1: NAME(product_height)(rows, 1, block); break;
    case 2: NAME(product_height)(rows, 2, block); break;
#if PRODUCT_VECTORS > 2
    default: NAME(product_height)(rows, 3, block); break;
#endif
  }
}

/// The first `width` numbers of a row of which `readable` may be read, filled up to whole vectors by anything.
TARGET INLINE void NAME(read_row)(const float *from, size_t width, size_t readable, float *row) {
  size_t whole = (width + LANES - 1) / LANES * LANES;
  if (width == TILE) {
    UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++)
      NAME(store)(row + v * LANES, NAME(load)(from + v * LANES));
  } else if (readable >= whole) {
    for (size_t i = 0; i < whole; i += LANES) NAME(store)(row + i, NAME(load)(from + i));
  } else {
    memcpy(row, from, width * sizeof *row);
    memset(row + width, 0, (whole - width) * sizeof *row);
  }
}

/// The first `width` numbers of a row, and nothing behind them.
TARGET INLINE void NAME(write_row)(const float *row, size_t width, float *to) {
  if (width == TILE) {
    UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++)
      NAME(store)(to + v * LANES, NAME(load)(row + v * LANES));
  } else if (width >= LANES) {
    for (size_t i = 0; i + LANES <= width; i += LANES) NAME(store)(to + i, NAME(load)(row + i));
    NAME(store)(to + width - LANES, NAME(load)(row + width - LANES));
  } else {
    memcpy(to, row, width * sizeof *row);
  }
}

/// `width` columns of B, from `start` on, as rows of tiles that are `tile` floats apart.
TARGET INLINE void NAME(pack)(const struct ck_factors *factor, size_t start, size_t width, float *packed, size_t tile) {
  size_t inner = factor->inner, b_row = factor->b_row;
  for (size_t k = 0; k < inner; k++, packed += TILE) {
    // What is between a row and the end of the last one may be read too.
    const float *row = factor->b + start + k * b_row;
    size_t done = 0, readable = (inner - 1 - k) * b_row + width;
    float *to = packed;
    for (; done + TILE <= width; done += TILE, to += tile) NAME(read_row)(row + done, TILE, TILE, to);
    if (done < width) NAME(read_row)(row + done, width - done, readable - done, to);
  }
}

/// The rows of a block at `width` columns that are not whole vectors, at most a tile.
TARGET static __attribute__((noinline)) void NAME(product_end)(struct NAME(block) block, int rows, size_t width) {
  _Alignas(64) float sums[PRODUCT_ROWS * TILE], slope[TILE], factor[TILE];
  struct NAME(block) whole = block;
  whole.to = sums;
  whole.to_row = TILE;
  whole.kind = CK_IDENTITY;
  whole.factor = NULL;
  whole.missing = 0;
  for (int r = 0; r < rows && block.addend; r++)
    NAME(read_row)(block.addend + r * block.addend_row, width, width, sums + r * TILE);
  if (block.addend) {
    whole.addend = sums;
    whole.addend_row = TILE;
  }
  int vectors = (int)((width + LANES - 1) / LANES);
  NAME(product_block)(rows, vectors, &whole);
  for (int r = 0; r < rows; r++) {
    float *row = sums + r * TILE;
    size_t place = r * block.to_row;
    // What the stack holds behind them may be subnormal numbers, with which the activation would be slow.
    for (int v = vectors; v < PRODUCT_VECTORS; v++) NAME(store)(row + v * LANES, NAME(all)(0));
    NAME(activate)(block.kind, row, row, block.slope ? slope : NULL);
    if (block.slope) NAME(write_row)(slope, width, block.slope + place);
    if (block.factor) {
      NAME(read_row)(block.factor + place, width, width, factor);
      for (size_t i = 0; i < width; i++) row[i] *= factor[i];
    }
    NAME(write_row)(row, width, block.to + place);
  }
}

TARGET static void NAME(product)(size_t rows, size_t columns, const struct ck_factors *factors, const float *addend,
                                 size_t addend_row, const struct ck_finish *finish, float *c, size_t c_row) {
  _Alignas(64) float packed[PACKED(TILE)];
  // Blocks of nearly equal heights, so that none has too few sums in flight.
  size_t blocks = (rows + PRODUCT_ROWS - 1) / PRODUCT_ROWS, inner = factors->inner;
  size_t panel = tiles_at_once(inner, TILE) * TILE;
  for (size_t start = 0; start < columns; start += panel) {
    size_t width = columns - start < panel ? columns - start : panel;
    // A row or two of the result do not repay packing.
    int packs = rows > 2 || width % LANES;
    if (packs) NAME(pack)(factors, start, width, packed, inner * TILE);
    for (size_t b = 0; b < blocks; b++) {
      size_t r = rows * b / blocks, place = r * c_row + start;
      int height = (int)(rows * (b + 1) / blocks - r);
      struct NAME(block) block = {
          .inner = inner, .a = factors->a + r * factors->row, .row = factors->row, .column = factors->column,
          .b = packs ? packed : factors->b + start, .b_row = packs ? TILE : factors->b_row,
          .next = packs ? inner * TILE : TILE, .tiles = width / TILE,
          .addend = addend ? addend + r * addend_row + start : NULL, .addend_row = addend_row,
          .to = c + place, .to_row = c_row, .kind = CK_IDENTITY};
      if (finish) {
        block.kind = finish->kind;
        block.bias = finish->bias ? finish->bias + r : NULL;
        block.factor = finish->factor ? finish->factor + place : NULL;
        block.slope = finish->slope ? finish->slope + place : NULL;
      }
      NAME(product_height)(height, PRODUCT_VECTORS, &block);
      size_t done = block.tiles * TILE, rest = width - done;
      if (!rest) continue;
      block.b += block.tiles * block.next;
      block.tiles = 1;
      block.to += done;
      if (block.addend) block.addend += done;
      if (block.factor) block.factor += done;
      if (block.slope) block.slope += done;
      size_t vectors = (rest + LANES - 1) / LANES;
      block.missing = (int)(vectors * LANES - rest);
      int is_plain = block.missing == 0 || (block.missing % 4 == 0 && !block.addend && !block.factor);
      if (block.kind == CK_IDENTITY && is_plain) {
        NAME(product_block)(height, (int)vectors, &block);
      } else {
        NAME(product_end)(block, height, rest);
      }
    }
  }
}

/// W1 u + b1 and the addend, if there is one, for rows of hidden channels at a tile of `width` points that are packed.
TARGET INLINE void NAME(hidden_rows)(const struct ck_perceptron *p, int rows, size_t width, size_t first_row,
                                     const float *packed, const float *addend, size_t addend_row, float *block) {
  int vectors = (int)((width + LANES - 1) / LANES);
  struct NAME(block) sums = {.inner = p->inputs, .a = p->hidden_weight + first_row * p->inputs, .row = p->inputs,
                             .column = 1, .b = packed, .b_row = TILE, .tiles = 1, .to = block, .to_row = TILE,
                             .addend = addend ? block : NULL, .addend_row = TILE, .kind = CK_IDENTITY,
                             .bias = p->hidden_bias + first_row};
  for (int r = 0; r < rows && addend; r++)
    NAME(read_row)(addend + (first_row + r) * addend_row, width, width, block + r * TILE);
  if (vectors == PRODUCT_VECTORS)
    NAME(product_height)(rows, PRODUCT_VECTORS, &sums);
  else
    NAME(product_block)(rows, vectors, &sums);
}

/// The derivative of the activation where its value is `row`, for the others than GELU.
TARGET INLINE void NAME(slope_of_value)(enum ck_activation kind, const float *row, float *slope) {
  for (int i = 0; i < TILE; i++) slope[i] = kind == CK_IDENTITY || row[i] > 0 ? 1.0f : 0.0f;
}

/// The activation of a block of `height` hidden rows, in place, and its derivative if it is wanted.
TARGET INLINE void NAME(activate_rows)(const struct ck_perceptron *p, int height, float *block, float *slope) {
  for (int h = 0; h < height; h++) {
    float *row = block + h * TILE, *rates = slope ? slope + h * TILE : NULL;
    NAME(activate)(p->activation, row, row, rates);
    if (rates && p->activation != CK_GELU) NAME(slope_of_value)(p->activation, row, rates);
  }
}

/// The derivatives of the only result with respect to the hidden sums at one tile, from those of the activation.
TARGET INLINE void NAME(write_rates)(const struct ck_perceptron *p, int height, size_t first_row, size_t width,
                                     float *slope, float *rates, size_t rates_row) {
  for (int h = 0; h < height; h++) {
    float *row = slope + h * TILE, *to = rates + (first_row + h) * rates_row;
    for (int i = 0; i < TILE; i++) row[i] *= p->weight[first_row + h];
    NAME(write_row)(row, width, to);
  }
}

/// What a block of hidden values adds to the results at one tile.
TARGET INLINE void NAME(add_outputs)(const struct ck_perceptron *p, int height, size_t first_row, const float *block,
                                     float sum[NARROW][TILE]) {
  for (size_t o = 0; o < p->outputs; o++) {
    NAME(vector) total[PRODUCT_VECTORS];
    UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) total[v] = NAME(load)(sum[o] + v * LANES);
    for (int h = 0; h < height; h++) {
      NAME(vector) weight = NAME(all)(p->weight[o * p->hidden + first_row + h]);
      UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++)
        total[v] += weight * NAME(load)(block + h * TILE + v * LANES);
    }
    UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) NAME(store)(sum[o] + v * LANES, total[v]);
  }
}

TARGET static void NAME(perceptron)(const struct ck_perceptron *p, size_t columns, const float *u, size_t u_row,
                                    const float *addend, size_t addend_row, float *y, size_t y_row, float *rates) {
  _Alignas(64) float packed[MAXIMUM_INNER * TILE], block[PRODUCT_ROWS * TILE], slope[PRODUCT_ROWS * TILE];
  _Alignas(64) float sum[NARROW][TILE];
  struct ck_factors source = {p->inputs, NULL, 0, 0, u, u_row};
  for (size_t start = 0; start < columns; start += TILE) {
    size_t width = columns - start < TILE ? columns - start : TILE;
    const float *more = addend ? addend + start : NULL;
    NAME(pack)(&source, start, width, packed, 0);
    for (size_t o = 0; o < p->outputs; o++)
      for (int i = 0; i < TILE; i++) sum[o][i] = p->bias[o];
    for (size_t r = 0; r < p->hidden; r += PRODUCT_ROWS) {
      int height = p->hidden - r < PRODUCT_ROWS ? (int)(p->hidden - r) : PRODUCT_ROWS;
      NAME(hidden_rows)(p, height, width, r, packed, more, addend_row, block);
      if (rates) {
        NAME(activate_rows)(p, height, block, slope);
        NAME(write_rates)(p, height, r, width, slope, rates + start, columns);
      } else {
        NAME(activate_rows)(p, height, block, NULL);
      }
      NAME(add_outputs)(p, height, r, block, sum);
    }
    for (size_t o = 0; o < p->outputs; o++) NAME(write_row)(sum[o], width, y + o * y_row + start);
  }
}

/// The gradient of one hidden channel's sums at a tile of `vectors`, from that of the results, and what it adds to the
/// sums of ck_perceptron_adjoint; slope and gradient may be the same.
TARGET INLINE void NAME(hidden_gradient)(const int vectors, const struct ck_perceptron *p, size_t channel,
                                         const float *row, const float *slope, float result[NARROW][TILE], float *sum,
                                         float *gradient) {
  NAME(vector) g[PRODUCT_VECTORS], total;
  UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) g[v] = NAME(all)(0);
  for (size_t o = 0; o < p->outputs; o++) {
    NAME(vector) weight = NAME(all)(p->weight[o * p->hidden + channel]);
    total = NAME(load)(sum + (1 + o) * MOST_LANES);
    UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) {
      if (v >= vectors) break;
      NAME(vector) value = NAME(load)(result[o] + v * LANES);
      g[v] += weight * value;
      total += value * NAME(load)(row + v * LANES);
    }
    NAME(store)(sum + (1 + o) * MOST_LANES, total);
  }
  total = NAME(load)(sum);
  UNROLL for (int v = 0; v < PRODUCT_VECTORS; v++) {
    if (v >= vectors) break;
    g[v] *= NAME(load)(slope + v * LANES);
    total += g[v];
    NAME(store)(gradient + v * LANES, g[v]);
  }
  NAME(store)(sum, total);
}

/// The same for any width of a tile, to where the gradient belongs; a tile that is not whole uses up slope.
TARGET INLINE void NAME(write_gradient)(const struct ck_perceptron *p, size_t channel, size_t width, const float *row,
                                        float *slope, float result[NARROW][TILE], float *sums, float *to) {
  float *sum = sums + channel * (1 + p->outputs) * MOST_LANES;
  if (width == TILE) {
    NAME(hidden_gradient)(PRODUCT_VECTORS, p, channel, row, slope, result, sum, to);
    return;
  }
  NAME(hidden_gradient)((int)((width + LANES - 1) / LANES), p, channel, row, slope, result, sum, slope);
  NAME(write_row)(slope, width, to);
}

TARGET static void NAME(perceptron_adjoint)(const struct ck_perceptron *p, size_t columns, const float *u,
                                            size_t u_row, const float *addend, size_t addend_row, const float *dy,
                                            size_t dy_row, float *dz, float *sums) {
  _Alignas(64) float packed[MAXIMUM_INNER * TILE], block[PRODUCT_ROWS * TILE], slope[PRODUCT_ROWS * TILE];
  _Alignas(64) float result[NARROW][TILE];
  struct ck_factors source = {p->inputs, NULL, 0, 0, u, u_row};
  for (size_t start = 0; start < columns; start += TILE) {
    size_t width = columns - start < TILE ? columns - start : TILE;
    const float *more = addend ? addend + start : NULL;
    NAME(pack)(&source, start, width, packed, 0);
    // Zeros behind the last point: they add nothing to the sums.
    for (size_t o = 0; o < p->outputs; o++) NAME(read_row)(dy + o * dy_row + start, width, width, result[o]);
    for (size_t r = 0; r < p->hidden; r += PRODUCT_ROWS) {
      int height = p->hidden - r < PRODUCT_ROWS ? (int)(p->hidden - r) : PRODUCT_ROWS;
      NAME(hidden_rows)(p, height, width, r, packed, more, addend_row, block);
      NAME(activate_rows)(p, height, block, slope);
      for (int h = 0; h < height; h++)
        NAME(write_gradient)(p, r + h, width, block + h * TILE, slope + h * TILE, result, sums,
                             dz + (r + h) * columns + start);
    }
  }
}

/// The results at one tile become their differences from the target, which also go to `difference`, and these what the
/// gradient of half their squares is; zeros behind the last point.
TARGET INLINE void NAME(compare)(const struct ck_perceptron *p, const struct ck_target *target, size_t start,
                                 size_t width, float result[NARROW][TILE], float *difference, size_t difference_row) {
  _Alignas(64) float row[TILE];
  for (size_t o = 0; o < p->outputs; o++) {
    size_t place = o * target->row + start;
    if (target->scale) {
      NAME(read_row)(target->scale + place, width, width, row);
      for (int i = 0; i < TILE; i++) result[o][i] *= row[i];
      NAME(read_row)(target->shift + place, width, width, row);
      for (int i = 0; i < TILE; i++) result[o][i] += row[i];
    }
    NAME(read_row)(target->values + place, width, width, row);
    for (int i = 0; i < TILE; i++) result[o][i] -= row[i];
    NAME(write_row)(result[o], width, difference + o * difference_row + start);
    NAME(read_row)(difference + o * difference_row + start, width, width, result[o]);
    if (target->scale) {
      NAME(read_row)(target->scale + place, width, width, row);
      for (int i = 0; i < TILE; i++) result[o][i] *= row[i];
    }
  }
}

TARGET static void NAME(perceptron_difference)(const struct ck_perceptron *p, size_t columns, const float *u,
                                               size_t u_row, const float *addend, size_t addend_row,
                                               const struct ck_target *target, float *difference,
                                               size_t difference_row, float *dz, float *values, float *sums) {
  _Alignas(64) float packed[MAXIMUM_INNER * TILE], slope[PRODUCT_ROWS * TILE];
  _Alignas(64) float result[NARROW][TILE];
  struct ck_factors source = {p->inputs, NULL, 0, 0, u, u_row};
  for (size_t start = 0; start < columns; start += TILE) {
    size_t width = columns - start < TILE ? columns - start : TILE;
    const float *more = addend ? addend + start : NULL;
    NAME(pack)(&source, start, width, packed, 0);
    for (size_t o = 0; o < p->outputs; o++)
      for (int i = 0; i < TILE; i++) result[o][i] = p->bias[o];
    for (size_t r = 0; r < p->hidden; r += PRODUCT_ROWS) {
      int height = p->hidden - r < PRODUCT_ROWS ? (int)(p->hidden - r) : PRODUCT_ROWS;
      float *block = values + r * TILE;
      NAME(hidden_rows)(p, height, width, r, packed, more, addend_row, block);
      NAME(activate_rows)(p, height, block, slope);
      for (int h = 0; h < height; h++) NAME(write_row)(slope + h * TILE, width, dz + (r + h) * columns + start);
      NAME(add_outputs)(p, height, r, block, result);
    }
    NAME(compare)(p, target, start, width, result, difference, difference_row);
    for (size_t channel = 0; channel < p->hidden; channel++) {
      float *to = dz + channel * columns + start;
      if (width < TILE) NAME(read_row)(to, width, width, slope);
      NAME(write_gradient)(p, channel, width, values + channel * TILE, width < TILE ? slope : to, result, sums, to);
    }
  }
}

/// In every four lanes the sums of neighbours, two of v's and then two of w's.
TARGET INLINE NAME(vector) NAME(pairs)(NAME(vector) v, NAME(vector) w) {
#if LANES == 16
  return __builtin_shufflevector(v, w, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30)
       + __builtin_shufflevector(v, w, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
#elif LANES == 8
  return __builtin_shufflevector(v, w, 0, 2, 8, 10, 4, 6, 12, 14)
       + __builtin_shufflevector(v, w, 1, 3, 9, 11, 5, 7, 13, 15);
#else
  return __builtin_shufflevector(v, w, 0, 2, 4, 6) + __builtin_shufflevector(v, w, 1, 3, 5, 7);
#endif
}

/// The sum of every fourth lane.
TARGET INLINE four NAME(fourths)(NAME(vector) v) {
#if LANES == 16
  return (__builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7))
       + (__builtin_shufflevector(v, v, 8, 9, 10, 11) + __builtin_shufflevector(v, v, 12, 13, 14, 15));
#elif LANES == 8
  return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  return v;
#endif
}

/// sums[i] = the sum of the lanes of v[i], for `count` vectors, which are used up; there is room for a multiple of
/// four.
TARGET INLINE void NAME(totals)(const int count, NAME(vector) *v, float *sums) {
  const int half = (count + 1) / 2, quarter = (half + 1) / 2;
  UNROLL for (int i = 0; i < half; i++) v[i] = NAME(pairs)(v[2 * i], v[2 * i + 1 < count ? 2 * i + 1 : 2 * i]);
  UNROLL for (int i = 0; i < quarter; i++) {
    four total = NAME(fourths)(NAME(pairs)(v[2 * i], v[2 * i + 1 < half ? 2 * i + 1 : 2 * i]));
    memcpy(sums + 4 * i, &total, sizeof total);
  }
}

/// c[i][j] = or += the inner products of `rows` rows of x with `columns` rows of y, whole vectors; as many numbers of
/// `soon` are fetched meanwhile.
TARGET INLINE void NAME(dot_block)(const int rows, const int columns, size_t length, const float *x,
                                   size_t x_row, const float *y, size_t y_row, const float *soon, int adds, float *c,
                                   size_t c_row) {
  NAME(vector) sum[DOT_ROWS * DOT_COLUMNS];
  UNROLL for (int i = 0; i < rows * columns; i++) sum[i] = NAME(all)(0);
  for (size_t p = 0; p < length; p += LANES) {
    NAME(vector) b[DOT_COLUMNS];
    __builtin_prefetch(soon + p);
    UNROLL for (int j = 0; j < columns; j++) b[j] = NAME(load)(y + j * y_row + p);
    UNROLL for (int i = 0; i < rows; i++) {
      NAME(vector) a = NAME(load)(x + i * x_row + p);
      UNROLL for (int j = 0; j < columns; j++) sum[i * columns + j] += a * b[j];
    }
  }
  float totals[DOT_ROWS * DOT_COLUMNS + 4];
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
                                  const float *y, size_t y_row, const float *soon, int adds, float *c,
                                  size_t c_row) {
  switch (columns) {
    case 1: NAME(dot_block)(rows, 1, length, x, x_row, y, y_row, soon, adds, c, c_row); break;
    case 2: NAME(dot_block)(rows, 2, length, x, x_row, y, y_row, soon, adds, c, c_row); break;
    case 3: NAME(dot_block)(rows, 3, length, x, x_row, y, y_row, soon, adds, c, c_row); break;
#if DOT_COLUMNS >= 4
    case 4: NAME(dot_block)(rows, 4, length, x, x_row, y, y_row, soon, adds, c, c_row); break;
#endif
#if DOT_COLUMNS >= 6
    case 5: NAME(dot_block)(rows, 5, length, x, x_row, y, y_row, soon, adds, c, c_row); break;
    case 6: NAME(dot_block)(rows, 6, length, x, x_row, y, y_row, soon, adds, c, c_row); break;
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
      const float *ys = y + panel * y_row + start;
      NAME(pack_rows)(panel_columns, part, ys, y_row, whole, packed_y);
      // Each block fetches a row of the next piece, of y and then of x.
      size_t soon = start + part < length ? 0 : panel_columns + rows;
      for (size_t i = 0; i < rows;) {
        size_t height = rows - i >= DOT_ROWS ? DOT_ROWS : 1, row = x_row;
        const float *source = x + i * x_row + start;
        if (whole > part) {
          NAME(pack_rows)(height, part, source, x_row, whole, packed_x);
          source = packed_x;
          row = whole;
        }
        for (size_t block = 0; block < blocks; block++, soon++) {
          size_t j = panel_columns * block / blocks, width = panel_columns * (block + 1) / blocks - j;
          float *target = c + i * c_row + panel + j;
          const float *packed = packed_y + j * whole, *next = packed;
          if (soon < panel_columns)
            next = ys + soon * y_row + part;
          else if (soon < panel_columns + rows)
            next = x + (soon - panel_columns) * x_row + start + part;
          if (height == DOT_ROWS)
            NAME(dot_rows)(DOT_ROWS, (int)width, whole, source, row, packed, whole, next, more, target, c_row);
          else
            NAME(dot_rows)(1, (int)width, whole, source, row, packed, whole, next, more, target, c_row);
        }
        i += height;
      }
    }
  }
}

#include "axes_template.h"

#undef GELU_BY_PIECES
#undef TILE
#undef NAME
#undef TARGET
#undef LANES
#undef PRODUCT_ROWS
#undef PRODUCT_VECTORS
#undef DOT_ROWS
#undef DOT_COLUMNS
