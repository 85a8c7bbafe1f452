// The sums of rows with the cosines and sines of an axis, and the way back, for one instruction set; included by
// matrix_template.h. `parts_of` in matrix.c says which rows are added and subtracted first.

/// The first `width` numbers of a row, added to what is there if `continues`, and nothing behind them.
TARGET static __attribute__((noinline)) void NAME(write_part)(const float *row, size_t width, int continues,
                                                              float *to) {
  for (size_t j = 0; j < width; j++) to[j] = continues ? to[j] + row[j] : row[j];
}

/// The rows of one point and those as far from the ends and the middle, at one tile of `vectors`, folded into one row of
/// each part that has the point and added to `total`.
///
/// `rows` are those of i, n - i, n/2 - i and n/2 + i, of which the last two are there for an even n.
TARGET INLINE void NAME(fold_point)(enum fold fold, const int vectors, const float *const rows[4], float *const to[4],
                                    NAME(vector) total[PRODUCT_VECTORS]) {
  UNROLL for (int v = 0; v < vectors; v++) {
    const int j = v * LANES;
    NAME(vector) a = NAME(load)(rows[0] + j), b, c, d, sum = a;
    switch (fold) {
      case FOLD_NOTHING: break;
      case FOLD_ENDS:
        d = NAME(load)(rows[1] + j);
        sum = a + d;
        NAME(store)(to[2] + j, a - d);
        break;
      case FOLD_MIDDLE:
        b = NAME(load)(rows[2] + j);
        sum = a + b;
        NAME(store)(to[1] + j, a - b);
        break;
      case FOLD_BOTH:
        d = NAME(load)(rows[1] + j);
        b = NAME(load)(rows[2] + j);
        c = NAME(load)(rows[3] + j);
        sum = (a + d) + (b + c);
        NAME(store)(to[1] + j, (a + d) - (b + c));
        NAME(store)(to[2] + j, (a - d) + (b - c));
        NAME(store)(to[3] + j, (a - d) - (b - c));
    }
    NAME(store)(to[0] + j, sum);
    total[v] += sum;
  }
}

/// Rows of which whole vectors may be read: copies of `width` numbers where those would reach behind `end`.
TARGET static __attribute__((noinline)) void NAME(copy_ends)(const float *rows[4], size_t width, const float *end,
                                                             float copies[4][TILE]) {
  for (int r = 0; r < 4; r++) {
    if (rows[r] + TILE <= end || rows[r] + width > end) continue;
    memcpy(copies[r], rows[r], width * sizeof **rows);
    rows[r] = copies[r];
  }
}

/// The points from `first` to `last`, which are all folded in the same way, at one tile of a field of n rows.
TARGET INLINE void NAME(fold_points)(enum fold fold, const int vectors, size_t n, size_t row, size_t first, size_t last,
                                     size_t width, const float *from, const float *end, float *to[4],
                                     NAME(vector) total[PRODUCT_VECTORS]) {
  _Alignas(64) float copies[4][TILE];
  for (size_t i = first; i < last; i++) {
    const float *rows[4] = {from + i * row, from + (i > 0 ? n - i : 0) * row, from + (n / 2 - i) * row,
                            from + (n / 2 + i) * row};
    if (rows[1] + TILE > end || rows[3] + TILE > end) NAME(copy_ends)(rows, width, end, copies);
    NAME(fold_point)(fold, vectors, rows, to, total);
    to[0] += TILE;
    if (fold == FOLD_MIDDLE || fold == FOLD_BOTH) to[1] += TILE;
    if (fold == FOLD_ENDS || fold == FOLD_BOTH) to[2] += TILE;
    if (fold == FOLD_BOTH) to[3] += TILE;
  }
}

/// The points from `first` to `last` at one tile, folded: the rows of part p from packed + place[p] on. `total` gets their
/// sum.
TARGET INLINE void NAME(fold_tile)(const int vectors, size_t n, size_t row, size_t first, size_t last, size_t width,
                                   const float *from, const float *end, float *packed, const size_t place[4],
                                   float *total) {
  float *to[4];
  UNROLL for (int p = 0; p < 4; p++) to[p] = packed + place[p];
  NAME(vector) sum[PRODUCT_VECTORS];
  UNROLL for (int v = 0; v < vectors; v++) sum[v] = NAME(all)(0);
  // Point 0 is its own image from end to end, the one at a quarter about the middle.
  size_t start = first == 0 ? 1 : first, rest = n % 4 == 0 && last > n / 4 ? n / 4 : last;
  if (n % 2) {
    if (first == 0) NAME(fold_points)(FOLD_NOTHING, vectors, n, row, 0, 1, width, from, end, to, sum);
    NAME(fold_points)(FOLD_ENDS, vectors, n, row, start, last, width, from, end, to, sum);
  } else {
    if (first == 0) NAME(fold_points)(FOLD_MIDDLE, vectors, n, row, 0, 1, width, from, end, to, sum);
    NAME(fold_points)(FOLD_BOTH, vectors, n, row, start, rest, width, from, end, to, sum);
    NAME(fold_points)(FOLD_ENDS, vectors, n, row, rest, last, width, from, end, to, sum);
  }
  UNROLL for (int v = 0; v < vectors; v++) NAME(store)(total + v * LANES, sum[v]);
}

/// What the points from `first` to `last` add to the sums at one tile.
TARGET INLINE void NAME(sum_tile)(int vectors, const struct ck_axis *axis, const struct part parts[4], size_t first,
                                  size_t last, size_t width, const float *from, const float *end, float *packed,
                                  float *to) {
  _Alignas(64) float block[PRODUCT_ROWS * TILE];
  size_t n = axis->points, row = axis->row, place[4], next = 0;
  for (int p = 0; p < 4; p++) {
    place[p] = next;
    next += points_between(parts + p, first, last) * TILE;
  }
  switch (vectors) {
    case 1: NAME(fold_tile)(1, n, row, first, last, width, from, end, packed, place, block); break;
    case 2: NAME(fold_tile)(2, n, row, first, last, width, from, end, packed, place, block); break;
#if PRODUCT_VECTORS > 2
    default: NAME(fold_tile)(3, n, row, first, last, width, from, end, packed, place, block); break;
#endif
  }
  int plain = width % LANES == 0 && first == 0;
  NAME(write_part)(block, width, first > 0, to);
  for (int p = 0; p < 4; p++) {
    const struct part *part = parts + p;
    size_t before = first > part->first ? first : part->first, c_row = part->step * row;
    size_t blocks = (part->frequencies + PRODUCT_ROWS - 1) / PRODUCT_ROWS;
    for (size_t b = 0; b < blocks; b++) {
      size_t r = part->frequencies * b / blocks;
      int height = (int)(part->frequencies * (b + 1) / blocks - r);
      float *target = to + part->target * row + r * c_row;
      struct NAME(block) sums = {
          .inner = points_between(part, first, last), .a = part->factors + before + r * part->factor_row,
          .row = part->factor_row, .column = 1, .b = packed + place[p], .b_row = TILE, .tiles = 1,
          .to = plain ? target : block, .to_row = plain ? c_row : TILE, .kind = CK_IDENTITY};
      NAME(product_block)(height, vectors, &sums);
      for (int i = 0; i < height && !plain; i++)
        NAME(write_part)(block + i * TILE, width, first > 0, target + i * c_row);
    }
  }
}

TARGET static void NAME(sum_axis)(const struct ck_axis *axis, const float *from, float *to) {
  _Alignas(64) float packed[MAXIMUM_INNER * TILE];
  struct part parts[4];
  size_t row = axis->row, points = parts_of(axis, parts);
  for (size_t outer = 0; outer < axis->outer; outer++, from += axis->points * row, to += (2 * axis->m + 1) * row)
    for (size_t start = 0; start < row; start += TILE) {
      size_t width = row - start < TILE ? row - start : TILE;
      int vectors = (int)((width + LANES - 1) / LANES);
      for (size_t first = 0; first < points; first += MAXIMUM_INNER / 4) {
        size_t last = points - first < MAXIMUM_INNER / 4 ? points : first + MAXIMUM_INNER / 4;
        NAME(sum_tile)(vectors, axis, parts, first, last, width, from + start, from + axis->points * row, packed,
                       to + start);
      }
    }
}

/// Where the rows go that are made of the sums of one tile.
struct NAME(points) {
  /// The points of the axis, and the first of those wanted.
  size_t n, first;
  /// The row of that point, and those as far from the other end, before the middle and behind it; the rows of the next
  /// points follow forwards, backwards, backwards and forwards.
  float *to[4];
  size_t row, width;
  int continues;
};

/// One row of a tile; `plain` if it goes to where nothing is yet, and has a multiple of four numbers.
TARGET INLINE void NAME(write_point)(const int plain, const int vectors, const struct NAME(points) * points, float *to,
                                     const NAME(vector) *value) {
  _Alignas(64) float row[TILE];
  UNROLL for (int v = 0; v < vectors; v++) {
    if (plain)
      NAME(store_but)(v == vectors - 1 ? vectors * LANES - (int)points->width : 0, to + v * LANES, value[v]);
    else
      NAME(store)(row + v * LANES, value[v]);
  }
  if (!plain) NAME(write_part)(row, points->width, points->continues, to);
}

/// The terms up to `terms` at `items` points from i on, added to the sums of each of `count` parts, whose tiles have rows
/// so far apart.
TARGET INLINE void NAME(expand_terms)(const int count, const int items, const int vectors, const struct part *parts,
                                      size_t i, size_t term, size_t terms, const float *const *tiles, size_t tile_row,
                                      NAME(vector) sum[PRODUCT_ROWS][PRODUCT_VECTORS]) {
  const float *tile[4], *factors[4];
  size_t factor_row = parts[0].factor_row;
  UNROLL for (int p = 0; p < count; p++) {
    tile[p] = tiles[p] + term * tile_row;
    factors[p] = parts[p].factors + term * factor_row + i;
  }
  for (; term < terms; term++)
    UNROLL for (int p = 0; p < count; p++) {
      NAME(vector) b[PRODUCT_VECTORS];
      UNROLL for (int v = 0; v < vectors; v++) b[v] = NAME(load)(tile[p] + v * LANES);
      UNROLL for (int item = 0; item < items; item++) {
        UNROLL for (int v = 0; v < vectors; v++) sum[p * items + item][v] += factors[p][item] * b[v];
      }
      tile[p] += tile_row;
      factors[p] += factor_row;
    }
}

/// The rows of the points i, …, i + items − 1 of those wanted, and those as far from the ends and the middle, at one tile.
///
/// constant is what the frequency 0 adds everywhere.
TARGET INLINE void NAME(expand_rows)(const int plain, const int count, const int items, const int vectors,
                                     const struct part *parts, size_t i, const size_t *terms,
                                     const float *const *tiles, size_t tile_row, const float *constant,
                                     const struct NAME(points) * points) {
  NAME(vector) sum[PRODUCT_ROWS][PRODUCT_VECTORS];
  UNROLL for (int r = 0; r < count * items; r++) {
    UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = r < items ? NAME(load)(constant + v * LANES) : NAME(all)(0);
  }
  // All parts in turn, so that enough sums are in flight; then what some have more.
  size_t common = terms[0];
  UNROLL for (int p = 1; p < count; p++) common = terms[p] < common ? terms[p] : common;
  NAME(expand_terms)(count, items, vectors, parts, i, 0, common, tiles, tile_row, sum);
  UNROLL for (int p = 0; p < count; p++)
    NAME(expand_terms)(1, items, vectors, parts + p, i, common, terms[p], tiles + p, tile_row, sum + p * items);
  UNROLL for (int item = 0; item < items; item++) {
    size_t step = (i + item) * points->row, place = points->first + i + item;
    NAME(vector) row[4][PRODUCT_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) {
      if (count == 2) {
        row[0][v] = sum[item][v] + sum[items + item][v];
        row[1][v] = sum[item][v] - sum[items + item][v];
      } else {
        NAME(vector) even = sum[item][v] + sum[items + item][v];
        NAME(vector) odd = sum[2 * items + item][v] + sum[3 * items + item][v];
        row[0][v] = even + odd;
        row[1][v] = even - odd;
        even = sum[item][v] - sum[items + item][v];
        odd = sum[2 * items + item][v] - sum[3 * items + item][v];
        row[2][v] = even + odd;
        row[3][v] = even - odd;
      }
    }
    // Points that are their own image are written once.
    NAME(write_point)(plain, vectors, points, points->to[0] + step, row[0]);
    if (place > 0) NAME(write_point)(plain, vectors, points, points->to[1] - step, row[1]);
    if (count == 2 || points->n / 2 - place == place) continue;
    NAME(write_point)(plain, vectors, points, points->to[2] - step, row[2]);
    if (place > 0) NAME(write_point)(plain, vectors, points, points->to[3] + step, row[3]);
  }
}

/// All rows at one tile.
TARGET INLINE void NAME(expand_points)(const int plain, const int count, const int vectors, const struct part *parts,
                                       size_t point_count, const size_t *terms, const float *const *tiles,
                                       size_t tile_row, const float *constant, const struct NAME(points) * points) {
  enum { rows = PRODUCT_ROWS };
  const int items = rows / count;
  size_t i = 0;
  for (; i + items <= point_count; i += items)
    NAME(expand_rows)(plain, count, items, vectors, parts, i, terms, tiles, tile_row, constant, points);
  for (; i < point_count; i++)
    NAME(expand_rows)(plain, count, 1, vectors, parts, i, terms, tiles, tile_row, constant, points);
}

TARGET INLINE void NAME(expand_tile)(const int plain, const int count, const struct part *parts, size_t point_count,
                                     const size_t *terms, const float *const *tiles, size_t tile_row,
                                     const float *constant, const struct NAME(points) * points) {
  switch ((points->width + LANES - 1) / LANES) {
    case 1:
      NAME(expand_points)(plain, count, 1, parts, point_count, terms, tiles, tile_row, constant, points);
      break;
    case 2:
      NAME(expand_points)(plain, count, 2, parts, point_count, terms, tiles, tile_row, constant, points);
      break;
#if PRODUCT_VECTORS > 2
    default:
      NAME(expand_points)(plain, count, 3, parts, point_count, terms, tiles, tile_row, constant, points);
      break;
#endif
  }
}

/// What the terms from `first` to `last` of each of `count` parts add at one tile.
TARGET INLINE void NAME(expand_visit)(const int count, const struct ck_axis *axis, const struct part *parts,
                                      size_t point_count, size_t first, size_t last, size_t start, size_t width,
                                      const float *from, float *packed, float *to) {
  size_t row = axis->row, terms[4];
  const float *tiles[4], *constant = packed;
  struct part rest[4];
  struct ck_factors factors = {1, NULL, 0, 0, from, row};
  if (first == 0)
    NAME(pack)(&factors, start, width, packed, 0);
  else
    memset(packed, 0, TILE * sizeof *packed);
  packed += TILE;
  for (int p = 0; p < count; p++) {
    rest[p] = parts[p];
    rest[p].factors += first * parts[p].factor_row;
    size_t end = parts[p].frequencies < last ? parts[p].frequencies : last;
    terms[p] = end > first ? end - first : 0;
    factors = (struct ck_factors){terms[p], NULL, 0, 0, from + (parts[p].target + first * parts[p].step) * row,
                                  parts[p].step * row};
    NAME(pack)(&factors, start, width, packed, 0);
    tiles[p] = packed;
    packed += terms[p] * TILE;
  }
  size_t n = axis->points;
  float *field = to + start;
  struct NAME(points) points = {
      n, 0, {field, field + n * row, field + n / 2 * row, field + n / 2 * row}, row, width, first > 0};
  if (first == 0 && width % 4 == 0)
    NAME(expand_tile)(1, count, rest, point_count, terms, tiles, TILE, constant, &points);
  else
    NAME(expand_tile)(0, count, rest, point_count, terms, tiles, TILE, constant, &points);
}

TARGET static void NAME(expand_axis)(const struct ck_axis *axis, const float *from, float *to) {
  _Alignas(64) float packed[(1 + MAXIMUM_INNER) * TILE];
  struct part parts[4];
  size_t row = axis->row, sums = 2 * axis->m + 1, points = parts_of(axis, parts), most = 1;
  const struct part two[2] = {parts[0], parts[2]};
  for (int p = 0; p < 4; p++) most = parts[p].frequencies > most ? parts[p].frequencies : most;
  for (size_t outer = 0; outer < axis->outer; outer++, from += sums * row, to += axis->points * row)
    for (size_t start = 0; start < row; start += TILE) {
      size_t width = row - start < TILE ? row - start : TILE;
      for (size_t first = 0; first < most; first += MAXIMUM_INNER / 4) {
        size_t last = most - first < MAXIMUM_INNER / 4 ? most : first + MAXIMUM_INNER / 4;
        if (axis->points % 2 == 0)
          NAME(expand_visit)(4, axis, parts, points, first, last, start, width, from, packed, to);
        else
          NAME(expand_visit)(2, axis, two, points, first, last, start, width, from, packed, to);
      }
    }
}

/// The points from `first` to `last` and their images, as ck_expand_some says. The sums are read where they lie: they are
/// rows one after the other, few enough for the first cache.
TARGET INLINE void NAME(expand_some_of)(const int count, const struct ck_axis *axis, size_t first, size_t last,
                                        const struct part *parts, const float *from, float *to) {
  size_t row = axis->row, point_count = last - first, block = point_count * row, terms[4];
  struct part some[4];
  for (int p = 0; p < count; p++) {
    some[p] = parts[p];
    some[p].factors += first;
    terms[p] = parts[p].frequencies;
  }
  // Tiles of nearly equal widths. The last one is of whole vectors too, and repeats some of what is before it.
  size_t vectors = (row + LANES - 1) / LANES;
  size_t tiles = row < LANES * (vectors < PRODUCT_VECTORS ? vectors : PRODUCT_VECTORS)
                     ? vectors
                     : (vectors + PRODUCT_VECTORS - 1) / PRODUCT_VECTORS;
  for (size_t t = 0; t < tiles; t++) {
    size_t start = vectors * t / tiles * LANES, width = vectors * (t + 1) / tiles * LANES - start;
    if (start + width > row) start = row - width;
    const float *rows[4];
    for (int p = 0; p < count; p++) rows[p] = from + parts[p].target * row + start;
    float *field = to + start;
    struct NAME(points) points = {
        axis->points, first, {field, field + 2 * block - row, field + 3 * block - row, field + 3 * block}, row, width, 0};
    NAME(expand_tile)(1, count, some, point_count, terms, rows, parts[0].step * row, from + start, &points);
  }
}

TARGET static void NAME(expand_some)(const struct ck_axis *axis, size_t first, size_t last, const float *from,
                                     float *to) {
  struct part parts[4];
  parts_of(axis, parts);
  const struct part two[2] = {parts[0], parts[2]};
  if (axis->points % 2 == 0)
    NAME(expand_some_of)(4, axis, first, last, parts, from, to);
  else
    NAME(expand_some_of)(2, axis, first, last, two, from, to);
}

/// The lanes in the opposite order.
TARGET INLINE NAME(vector) NAME(reversed)(NAME(vector) v) {
#if LANES == 16
  return __builtin_shufflevector(v, v, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
#elif LANES == 8
  return __builtin_shufflevector(v, v, 7, 6, 5, 4, 3, 2, 1, 0);
#else
  return __builtin_shufflevector(v, v, 3, 2, 1, 0);
#endif
}

/// One tile of the first and the third quarter of a row, and as many points of the second and the fourth, which come
/// backwards and end where the pointers point; whole vectors if `whole`, else `width` numbers.
TARGET INLINE void NAME(expand_row)(const int whole, const int vectors, const struct part parts[4],
                                    const size_t terms[2], const float *const tiles[4], size_t width, float *first,
                                    float *second, float *third, float *fourth) {
  NAME(vector) sum[PRODUCT_ROWS][PRODUCT_VECTORS];
  UNROLL for (int p = 0; p < 4; p++) {
    UNROLL for (int v = 0; v < vectors; v++) sum[p][v] = NAME(all)(0);
  }
  NAME(expand_terms)(4, 1, vectors, parts, 0, 0, terms[1], tiles, TILE, sum);
  UNROLL for (int p = 0; p < 4; p += 2)
    NAME(expand_terms)(1, 1, vectors, parts + p, 0, terms[1], terms[0], tiles + p, TILE, sum + p);
  UNROLL for (int v = 0; v < vectors; v++) {
    const int j = v * LANES;
    NAME(vector) cosine = sum[0][v] + sum[1][v], sine = sum[2][v] + sum[3][v];
    NAME(vector) middle_cosine = sum[0][v] - sum[1][v], middle_sine = sum[2][v] - sum[3][v];
    NAME(vector) rows[4] = {cosine + sine, middle_cosine - middle_sine, middle_cosine + middle_sine, cosine - sine};
    if (whole) {
      NAME(store)(first + j, rows[0]);
      NAME(store)(second - j - (LANES - 1), NAME(reversed)(rows[1]));
      NAME(store)(third + j, rows[2]);
      NAME(store)(fourth - j - (LANES - 1), NAME(reversed)(rows[3]));
      continue;
    }
    for (int i = 0; i < LANES && j + i < (int)width; i++) {
      first[j + i] = rows[0][i];
      second[-j - i] = rows[1][i];
      third[j + i] = rows[2][i];
      fourth[-j - i] = rows[3][i];
    }
  }
}

TARGET static void NAME(expand_quarters)(size_t channels, const struct ck_quarters *quarters, const float *sums,
                                         size_t start, size_t count, float *packed, size_t quarter, size_t place,
                                         float *field) {
  size_t m = quarters->m, even = (m + 1) / 2, n = quarters->length;
  size_t terms[2] = {even, m - even};
  for (size_t done = 0; done < count; done += TILE) {
    size_t width = count - done < TILE ? count - done : TILE, j = place + done;
    struct ck_factors cosines = {m, NULL, 0, 0, quarters->cosines, n}, sines = {m, NULL, 0, 0, quarters->sines, n};
    NAME(pack)(&cosines, start + done, width, packed, 0);
    NAME(pack)(&sines, start + done, width, packed + m * TILE, 0);
    const float *tiles[4] = {packed, packed + even * TILE, packed + m * TILE, packed + (m + even) * TILE};
    for (size_t channel = 0; channel < channels; channel++) {
      const float *a = sums + channel * 2 * m;
      float *row = field + channel * 4 * quarter;
      struct part parts[4] = {{.factors = a, .factor_row = 1},
                              {.factors = a + even, .factor_row = 1},
                              {.factors = a + m, .factor_row = 1},
                              {.factors = a + m + even, .factor_row = 1}};
      float *first = row + j, *second = row + 2 * quarter - 1 - j, *third = row + 2 * quarter + j,
            *fourth = row + 4 * quarter - 1 - j;
      if (width == TILE)
        NAME(expand_row)(1, PRODUCT_VECTORS, parts, terms, tiles, width, first, second, third, fourth);
      else if (width == LANES)
        NAME(expand_row)(1, 1, parts, terms, tiles, width, first, second, third, fourth);
      else if (width == 2 * LANES)
        NAME(expand_row)(1, 2, parts, terms, tiles, width, first, second, third, fourth);
      else
        NAME(expand_row)(0, PRODUCT_VECTORS, parts, terms, tiles, width, first, second, third, fourth);
    }
  }
}
