/* One spike through KY x KX kernel elements to 16 channels, accumulators in lines
   of PITCH pixels, pixels of 16 channels; weights in the order of the kernel. */
#include "kernel.h"

KERNEL(const int8_t *restrict w, int16_t *restrict sink) {
  for (int y = 0; y < KY; y++)
    for (int x = 0; x < KX; x++)
      for (int c = 0; c < 16; c++)
        sink[(y * PITCH + x) * 16 + c] += w[(y * KX + x) * 16 + c];
}
