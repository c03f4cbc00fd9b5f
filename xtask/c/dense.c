/* ROWS rows of N int8 weights each, listed, added to N accumulators of type SUM. */
#include "kernel.h"

KERNEL(const int8_t *const *restrict rows, SUM *restrict sink) {
  for (int r = 0; r < ROWS; r++) {
    const int8_t *restrict row = rows[r];
    for (int j = 0; j < N; j++)
      sink[j] += row[j];
  }
}
