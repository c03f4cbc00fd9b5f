/* One step of N neurons with int32 state. FACTOR (decay - 1 in 2^-32) and THRESHOLD are
   numbers, or elements of the parameters: N factors, then N thresholds. */
#include "kernel.h"

#define KEY 0x10000

static inline int high(int a, int b) {
  return (int)(((long long)a * b + (1ll << 31)) >> 32);
}

static inline int saturated(long long x) {
  return x > 2147483647 ? 2147483647 : x < -2147483647 - 1 ? -2147483647 - 1 : (int)x;
}

KERNEL(SUM *restrict sums, int *restrict vs, int *restrict is,
       const int *restrict params) {
  for (int j = 0; j < N; j++) {
    int sum = sums[j];
#ifdef SKIPS
    if (sum == 0)
      continue;
#endif
    sums[j] = 0;
    int x = sum * (1 << SHIFT);
#ifdef SYN_FACTOR
    x = is[j] + high(is[j], SYN_FACTOR) + x;
    is[j] = x;
#endif
#ifdef FACTOR
    int v = vs[j] + high(vs[j], FACTOR) + x;
#else
    int v = saturated((long long)vs[j] + x);
#endif
    if (v > THRESHOLD) {
      v = 0;
      send(KEY + j);
    }
    vs[j] = v;
  }
}
