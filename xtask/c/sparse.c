/* The synapses of one spike: target and weight in one word. */
#include "kernel.h"

struct synapse {
  uint16_t target;
  int16_t weight;
};

KERNEL(const struct synapse *restrict s, const struct synapse *restrict end,
       int16_t *restrict sink) {
  for (; s != end; s++)
    sink[s->target] += s->weight;
}
