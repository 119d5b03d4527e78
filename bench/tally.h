// What was received: the histogram of latencies, and whether anything was lost, doubled, reordered or seen in
// another order than the others saw it.
#pragma once
#include "frames.h"

// Log-linear: 32 buckets per octave, so a value is off by 3 % at most.
enum { SUB_BITS = 5, SUB = 1 << SUB_BITS, BUCKETS = 64 * SUB };

typedef struct {
  uint64_t count[BUCKETS], total;
} Histogram;

static void histogram_add(Histogram *h, uint64_t ns) {
  int bucket = (int)ns;
  if (ns >= SUB) {
    int octave = 63 - __builtin_clzll(ns);
    bucket = (octave - SUB_BITS + 1) * SUB + (int)(ns >> (octave - SUB_BITS) & (SUB - 1));
  }
  h->count[bucket]++;
  h->total++;
}

static double histogram_ms(const Histogram *h, double share) {
  uint64_t passed = 0;
  int b = 0;
  if (!h->total) return 0;
  while (b < BUCKETS - 1 && (double)(passed += h->count[b]) < (double)h->total * share) b++;
  if (b < SUB) return b / 1e6;
  int octave = b / SUB + SUB_BITS - 1;
  return ((1ull << octave) + ((uint64_t)(b % SUB) << (octave - SUB_BITS))) / 1e6;
}

// Of one sender: the newest count that came, and which of the 64 up to it have come.
typedef struct {
  uint64_t seen;
  uint32_t newest;
} Sender;

// What one receiver has got.
typedef struct {
  Sender *senders;
  uint64_t unique, doubled, reordered;
} View;

// A message's identity: sender in the upper, count in the lower half. Senders count from 0, their messages from 1.
typedef uint64_t Key;

// The room as the connection that was furthest saw it. A connection that follows it exactly (all of them, when all is
// well) needs one comparison per delivery and no memory; only one that strays gets a view of its own.
typedef struct {
  Key *keys;
  size_t len, cap;
  uint32_t senders;
  View view;
} RoomLog;

typedef struct {
  size_t position;
  View *own;
} Witness;

static void view_open(View *v, uint32_t senders) {
  *v = (View){.senders = calloc(senders + 1, sizeof(Sender))};
}

static void view_add(View *v, uint32_t senders, Key key) {
  uint32_t sender = (uint32_t)(key >> 32), count = (uint32_t)key;
  if (sender >= senders) return;
  Sender *s = v->senders + sender;
  if (count > s->newest) {
    uint32_t ahead = count - s->newest;
    s->seen = ahead > 63 ? 1 : s->seen << ahead | 1;
    s->newest = count;
    v->unique++;
    return;
  }
  uint32_t behind = s->newest - count;
  if (behind < 64 && s->seen >> behind & 1) {
    v->doubled++;
    return;
  }
  if (behind < 64) s->seen |= 1ull << behind;
  v->reordered++;
  v->unique++;
}

static View *view_replay(const RoomLog *log, size_t upTo) {
  View *v = grow(NULL, sizeof *v);
  view_open(v, log->senders);
  for (size_t i = 0; i < upTo; i++) view_add(v, log->senders, log->keys[i]);
  return v;
}

static void log_append(RoomLog *log, Key key) {
  if (log->len == log->cap) {
    log->cap = log->cap ? log->cap * 2 : 65536;
    log->keys = grow(log->keys, log->cap * sizeof *log->keys);
  }
  log->keys[log->len++] = key;
  view_add(&log->view, log->senders, key);
}

static void witness(Witness *w, RoomLog *log, Key key) {
  if (w->own) {
    view_add(w->own, log->senders, key);
  } else if (w->position == log->len) {
    log_append(log, key);
    w->position++;
  } else if (log->keys[w->position] == key) {
    w->position++;
  } else {
    w->own = view_replay(log, w->position);
    view_add(w->own, log->senders, key);
  }
}

// Different messages received; a connection that follows the room's log has missed only what nobody got.
static uint64_t witness_count(const Witness *w, const RoomLog *log) {
  if (w->own) return w->own->unique;
  return w->position < log->len ? w->position : log->view.unique;
}

typedef struct {
  uint64_t lost, doubled, reordered, disagree;
} Faults;

static void faults_add(Faults *f, Witness *w, const RoomLog *log, uint64_t due) {
  if (w->own) f->disagree++;
  else if (w->position < log->len) w->own = view_replay(log, w->position);
  const View *v = w->own ? w->own : &log->view;
  f->lost += due - v->unique;
  f->doubled += v->doubled;
  f->reordered += v->reordered;
}
