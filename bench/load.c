// load: an epoll WebSocket client that measures a chat room from outside, whichever server keeps it.
// All connections are in one room (idle ones may be in many); the first of them send. Each text begins with a stamp
// (time, sender, count), by which every receiver knows what it got and how long it took. Results are JSON on stdout;
// "counting" and "counted" on stderr are the counted window's ends.
//   load -p PORT -u PATH -n CONNECTIONS [-k SENDERS] [-w IN_FLIGHT_EACH | -R MESSAGES_PER_SECOND] [-d SECONDS]
//        [-W WARM_UP_SECONDS] [-m FORMAT] [-L FRAME_BYTES] [-t TOKENS_FILE] [-P SERVER_PID] [-S [-a AUTH]]
//   load -I -p PORT -u PATH -n CONNECTIONS [-o OFFSET] [-g MEMBERS_PER_ROOM] [-S [-a AUTH]]    opens, says ready, holds
//   load ... -r PATH [-q PORT] [-e]    only the senders are at -u's PATH, the others at this one; -e: it is an event stream (SSE)
//   FORMAT: the frame to send, its %s the text. FRAME_BYTES: texts are padded so that delivered frames are this long.
//   -S: the server speaks socket.io. AUTH: what a client says as it connects, JSON. PATH, AUTH: see expand.
#include "clients.h"
#include "cpu.h"

#define MS 1000000ull
// However slow the server, the warm-up ends.
#define WARM_UP_MAX_NS (15000 * MS)
// Nothing is sent before the greetings have been quiet for so long, and so long is waited for doubles at the end.
#define SETTLE_NS (300 * MS)
// What is under way at the end is awaited until this long passes without a frame.
#define DRAIN_QUIET_NS (3000 * MS)
#define STALL_NS (30000 * MS)

typedef enum { OPENING, HOLDING, CALIBRATING, WARMING, COUNTING, DRAINING, DONE } Phase;

static Phase phase = OPENING;
static uint64_t phase_ends_at, next_send_at, born_at, total_sent, own_heard, warming_since;
static uint64_t deliveries, delivered_bytes, own_deliveries;
static RoomLog room;
static Histogram latency;
static double load_cpu, server_cpu, server_main_cpu;

static void send_message(Conn *c) {
  static char text[8192], frame[9000];
  size_t used = STAMP_BYTES + c->overhead;
  size_t pad = options.frame_bytes > used ? options.frame_bytes - used : 0;
  text[0] = '#';
  put_digits(text + 1, now_ns() % CLOCK_MODULUS, 16);
  put_digits(text + 17, (uint64_t)c->number, 8);
  put_digits(text + 25, ++c->count, 8);
  memset(text + STAMP_BYTES, 'x', pad);
  text[STAMP_BYTES + pad] = 0;
  int n = snprintf(frame, sizeof frame, options.format, text);
  send_text(c, frame, (size_t)n);
  c->pending++;
  total_sent++;
}

static int sending(void) { return phase == WARMING || phase == COUNTING; }

static void heard_own(Conn *c, const Frame *f, const uint8_t *stamp) {
  const uint8_t *end = f->payload + f->len, *quote = memchr(stamp, '"', (size_t)(end - stamp));
  c->overhead = f->len - (size_t)((quote ? quote : end) - stamp);
  c->pending--;
  own_heard++;
  if (phase == COUNTING) own_deliveries++;
  if (options.rate > 0) return;
  while (sending() && c->pending < options.inflight) send_message(c);
}

static const uint8_t *find_stamp(const Frame *f) {
  static size_t likely; // frames of one server have it at the same place, more or less
  if (f->len < STAMP_BYTES) return NULL;
  if (likely < f->len && f->payload[likely] == '#') return f->payload + likely;
  const uint8_t *p = memchr(f->payload, '#', f->len - STAMP_BYTES + 1);
  if (p) likely = (size_t)(p - f->payload);
  return p;
}

static void on_text(Conn *c, Frame *f, uint64_t at) {
  const uint8_t *stamp = find_stamp(f);
  if (!stamp) return;
  uint64_t sent_at = read8(stamp + 1) * 100000000 + read8(stamp + 9), sender = read8(stamp + 17);
  at %= CLOCK_MODULUS;
  if (sent_at < born_at || sent_at > at) return; // history that a server replays, of an earlier run
  if (phase == COUNTING) {
    deliveries++;
    delivered_bytes += f->len;
    histogram_add(&latency, at - sent_at);
  }
  witness(&c->witness, &room, sender << 32 | read8(stamp + 25));
  if ((int)sender == c->number) heard_own(c, f, stamp);
}

// Called at both ends of the window: what was used before it is taken away again.
static void read_cpu(double sign) {
  char file[64];
  load_cpu += sign * cpu_seconds("/proc/self/stat");
  snprintf(file, sizeof file, "/proc/%d/stat", options.server_pid);
  server_cpu += sign * cpu_seconds(file);
  snprintf(file, sizeof file, "/proc/%d/task/%d/stat", options.server_pid, options.server_pid);
  server_main_cpu += sign * cpu_seconds(file);
}

// One message tells how long the server's frames are, so that all that follow are padded to the same length.
static void calibrate(void) {
  phase = CALIBRATING;
  send_message(conns);
  flush_out(conns);
}

static void start_sending(uint64_t now) {
  phase = WARMING;
  warming_since = now;
  for (int i = 1; i < options.senders; i++) conns[i].overhead = conns->overhead;
  phase_ends_at = now + (uint64_t)(options.warmup * 1e9);
  next_send_at = now;
  for (int i = 0; i < options.senders && options.rate <= 0; i++) {
    for (int j = 0; j < options.inflight; j++) send_message(conns + i);
    flush_out(conns + i);
  }
}

static void send_paced(uint64_t now) {
  static int turn;
  for (; next_send_at <= now; next_send_at += (uint64_t)(1e9 / options.rate)) {
    Conn *c = conns + turn++ % options.senders;
    if (c->state != READY) continue;
    send_message(c);
    flush_out(c);
  }
}

static int all_arrived(void) {
  for (int i = 0; i < options.connections; i++)
    if (witness_count(&conns[i].witness, &room) < total_sent) return 0;
  return 1;
}

static void give_up(const char *why) {
  fprintf(stderr, "%s (%d of %d connections ready)\n", why, ready_count, options.connections);
  exit(1);
}

static void open_more(uint64_t now) {
  while (opened_count < options.connections && opened_count - ready_count < HANDSHAKES_AT_ONCE) open_next();
  if (dead_count || now - heard_at > STALL_NS) give_up("not all connections came up");
  if (ready_count < options.connections || now - heard_at < SETTLE_NS) return;
  fprintf(stderr, "ready\n");
  if (options.idle) phase = HOLDING;
  else calibrate();
}

// A queue that has not gone round once is not yet as long as it will be, nor are its latencies.
static int is_warm(uint64_t now) {
  uint64_t round = options.rate > 0 ? 0 : (uint64_t)options.senders * (uint64_t)options.inflight;
  return now >= phase_ends_at && (own_heard > round || now - warming_since > WARM_UP_MAX_NS);
}

static void advance(uint64_t now) {
  if (phase == OPENING) open_more(now);
  else if (phase == CALIBRATING && own_heard) start_sending(now);
  else if (phase == CALIBRATING && now - heard_at > STALL_NS) give_up("the first message did not come back");
  else if (phase == WARMING && is_warm(now)) {
    phase = COUNTING;
    phase_ends_at = now + (uint64_t)(options.seconds * 1e9);
    read_cpu(-1);
    fprintf(stderr, "counting\n");
  } else if (phase == COUNTING && now >= phase_ends_at) {
    phase = DRAINING;
    read_cpu(1);
    options.seconds += (double)(now - phase_ends_at) / 1e9;
    fprintf(stderr, "counted\n");
    heard_at = now;
  } else if (phase == DRAINING && now - heard_at > (all_arrived() ? SETTLE_NS : DRAIN_QUIET_NS)) phase = DONE;
  if (sending() && options.rate > 0) send_paced(now);
}

// The fine steps of a paced run; a saturated one wakes by what it hears.
static int wait_ms(uint64_t now) {
  if (phase == OPENING) return 10;
  if (!sending() || options.rate <= 0) return 20;
  return next_send_at <= now ? 0 : (int)((next_send_at - now) / MS + 1);
}

static void run(void) {
  struct epoll_event events[1024];
  heard_at = now_ns();
  while (phase != DONE) {
    uint64_t now = now_ns();
    advance(now);
    int n = epoll_wait(epoll, events, 1024, wait_ms(now));
    for (int i = 0; i < n; i++) {
      Conn *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) flush_out(c);
      if (events[i].events & ~(uint32_t)EPOLLOUT) receive(c);
    }
  }
}

static void report(void) {
  Faults f = {0};
  for (int i = 0; i < options.connections; i++) faults_add(&f, &conns[i].witness, &room, total_sent);
  double s = options.seconds;
  printf("{\"seconds\":%.3f,\"connections\":%d,\"senders\":%d,\"inflight\":%d,\"sent\":%lu,\"deliveries\":%lu,"
         "\"messagesPerS\":%.1f,\"deliveriesPerS\":%.1f,\"frameBytes\":%.1f,\"p50Ms\":%.4f,\"p99Ms\":%.4f,",
         s, options.connections, options.senders, options.senders * options.inflight, total_sent, deliveries,
         (double)own_deliveries / s, (double)deliveries / s,
         deliveries ? (double)delivered_bytes / (double)deliveries : 0.0, histogram_ms(&latency, .5),
         histogram_ms(&latency, .99));
  printf("\"serverCpuS\":%.3f,\"serverMainCpuS\":%.3f,\"loadCpu\":%.3f,\"dead\":%d,\"lost\":%lu,\"doubled\":%lu,"
         "\"reordered\":%lu,\"disagree\":%lu}\n",
         server_cpu, server_main_cpu, load_cpu / s, dead_count, f.lost, f.doubled, f.reordered, f.disagree);
}

static void set_option(int name, const char *value) {
  switch (name) {
    case 'p': options.port = atoi(value); break;
    case 'u': options.path = value; break;
    case 'n': options.connections = atoi(value); break;
    case 'k': options.senders = atoi(value); break;
    case 'w': options.inflight = atoi(value); break;
    case 'R': options.rate = atof(value); break;
    case 'd': options.seconds = atof(value); break;
    case 'W': options.warmup = atof(value); break;
    case 'm': options.format = value; break;
    case 'L': options.frame_bytes = strtoul(value, NULL, 10); break;
    case 't': options.tokens_file = value; break;
    case 'P': options.server_pid = atoi(value); break;
    case 'o': options.offset = atoi(value); break;
    case 'g': options.members_per_room = atoi(value); break;
    case 'S': options.socketio = 1; break;
    case 'a': options.auth = value; break;
    case 'r': options.listeners_path = value; break;
    case 'q': options.listeners_port = atoi(value); break;
    case 'e': options.streams = 1; break;
    case 'I': options.idle = 1; break;
    default: exit(2);
  }
}

int main(int argc, char **argv) {
  int name;
  while ((name = getopt(argc, argv, "p:u:n:k:w:R:d:W:m:L:t:P:o:g:r:q:a:eSI")) != -1) set_option(name, optarg);
  if (options.senders > options.connections) options.senders = options.connections;
  if (options.rate > 0 && options.senders < 1) options.senders = 1;
  if (options.tokens_file) read_tokens(options.tokens_file);
  raise_file_limit();
  conns = calloc((size_t)options.connections, sizeof *conns);
  room.senders = (uint32_t)options.senders;
  view_open(&room.view, room.senders);
  born_at = now_ns() % CLOCK_MODULUS;
  epoll = epoll_create1(0);
  run();
  if (!options.idle) report();
  return 0;
}
