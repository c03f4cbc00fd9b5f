/* One row of N int8 weights added to N accumulators of type SUM. */
#include "kernel.h"

KERNEL(const int8_t *restrict row, SUM *restrict sink) {
  for (int j = 0; j < N; j++)
    sink[j] += row[j];
}
