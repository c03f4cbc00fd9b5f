#include <stdint.h>

#define KERNEL __attribute__((section(".text.kernel"))) void kernel

/* The controller's registers; bit 31 of the status is set when a packet may be sent. */
#define STATUS (*(volatile int32_t *)0x1e000)
#define SEND_KEY (*(volatile uint32_t *)0x1e008)

static inline void send(uint32_t key) {
  while (STATUS >= 0) {
  }
  SEND_KEY = key;
}
