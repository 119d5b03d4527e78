// What a text begins with, by which a receiver knows who sent it, which one it is and when it left.
#pragma once
#include "frames.h"

// "#", 16 digits of nanoseconds, 8 of the sender, 8 of the count. Of fixed width, because each delivery reads it.
enum { STAMP_BYTES = 33 };
#define CLOCK_MODULUS 10000000000000000ull

static void put_digits(char *out, uint64_t value, int width) {
  for (int i = width - 1; i >= 0; i--, value /= 10) out[i] = (char)('0' + value % 10);
}

// Eight decimal digits at once, by pairs, fours and eights.
static uint64_t read8(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, 8);
  v = (v & 0x0F0F0F0F0F0F0F0F) * 2561 >> 8;
  v = (v & 0x00FF00FF00FF00FF) * 6553601 >> 16;
  return (v & 0x0000FFFF0000FFFF) * 42949672960001 >> 32;
}
