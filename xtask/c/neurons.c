/* One step of N neurons. LEAK, THRESHOLD and SYN_DECAY are numbers, or elements of
   the parameters: N decays, then N thresholds. */
#include "kernel.h"

#define KEY 0x10000

KERNEL(SUM *restrict sums, float *restrict vs, float *restrict is,
       const float *restrict params) {
  for (int j = 0; j < N; j++) {
    int sum = sums[j];
#ifdef SKIPS
    if (sum == 0)
      continue;
#endif
    sums[j] = 0;
    float x = (float)sum;
#ifdef SYN_DECAY
    x = is[j] * SYN_DECAY + x;
    is[j] = x;
#endif
#ifdef LEAK
    float v = vs[j] * LEAK + x;
#else
    float v = vs[j] + x;
#endif
    if (v > THRESHOLD) {
      v = 0.0f;
      send(KEY + j);
    }
    vs[j] = v;
  }
}
