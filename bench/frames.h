// What the load client and the relay share: growing byte buffers, WebSocket frames and the clock.
// Included once by each program, which is one translation unit.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

// The key of RFC 6455's own example, so that neither program needs SHA-1.
#define SAMPLE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define SAMPLE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

typedef struct {
  uint8_t *data;
  size_t len, cap;
} Bytes;

typedef struct {
  int opcode;
  uint8_t *payload;
  size_t len;
} Frame;

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void raise_file_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void *grow(void *old, size_t bytes) {
  void *p = realloc(old, bytes);
  if (!p) fail("memory");
  return p;
}

static void bytes_put(Bytes *b, const void *data, size_t n) {
  if (b->len + n > b->cap) {
    b->cap = (b->len + n) * 2;
    b->data = grow(b->data, b->cap);
  }
  memcpy(b->data + b->len, data, n);
  b->len += n;
}

static void bytes_drop(Bytes *b, size_t n) {
  memmove(b->data, b->data + n, b->len - n);
  b->len -= n;
}

// Sends what the socket takes; the rest stays. 0 when the peer is gone.
static int bytes_flush(Bytes *b, int fd) {
  size_t done = 0;
  while (done < b->len) {
    ssize_t n = send(fd, b->data + done, b->len - done, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return 0;
    if (n <= 0) break;
    done += (size_t)n;
  }
  bytes_drop(b, done);
  return 1;
}

static void unmask(uint8_t *payload, size_t n, const uint8_t *mask) {
  uint64_t wide;
  size_t i = 0;
  memcpy(&wide, mask, 4);
  wide |= wide << 32;
  for (; i + 8 <= n; i += 8) {
    uint64_t word;
    memcpy(&word, payload + i, 8);
    word ^= wide;
    memcpy(payload + i, &word, 8);
  }
  for (; i < n; i++) payload[i] ^= mask[i & 3];
}

// Reads one frame and unmasks it in place. Its size with the header, 0 when it is not all there yet.
// Payloads over 64 KiB do not occur here: both servers refuse them.
static size_t frame_read(uint8_t *p, size_t n, Frame *f) {
  if (n < 2) return 0;
  size_t head = 2, len = p[1] & 127;
  int masked = p[1] & 128;
  if (len == 126) {
    if (n < 4) return 0;
    len = (size_t)p[2] << 8 | p[3];
    head = 4;
  } else if (len == 127) {
    errno = EMSGSIZE;
    fail("frame");
  }
  const uint8_t *mask = p + head;
  if (masked) head += 4;
  if (n < head + len) return 0;
  if (masked) unmask(p + head, len, mask);
  *f = (Frame){p[0] & 15, p + head, len};
  return head + len;
}

// A client's frame has a mask (of zeros, which costs the server as much as any other), a server's has none.
static void frame_put(Bytes *out, int opcode, int masked, const void *payload, size_t n) {
  uint8_t head[8] = {(uint8_t)(0x80 | opcode)};
  size_t h = 2;
  if (n < 126) {
    head[1] = (uint8_t)n;
  } else {
    head[1] = 126;
    head[2] = (uint8_t)(n >> 8);
    head[3] = (uint8_t)n;
    h = 4;
  }
  if (masked) {
    head[1] |= 128;
    h += 4;
  }
  bytes_put(out, head, h);
  bytes_put(out, payload, n);
}
