// The load client's connections: how they are opened, greeted and read. What a text frame means is load.c's.
#pragma once
#include "frames.h"
#include "stamp.h"
#include "tally.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

// Linux gives one address 28,231 ports by default; another source address brings as many again.
enum { CONNECTIONS_PER_ADDRESS = 20000 };
// So many handshakes may be under way at once, well below the usual backlog of 511.
enum { HANDSHAKES_AT_ONCE = 32 };

typedef struct {
  int port, listeners_port, connections, senders, inflight, socketio, streams, idle, offset, members_per_room, server_pid;
  double rate, seconds, warmup;
  size_t frame_bytes;
  const char *path, *auth, *format, *tokens_file, *listeners_path; // listeners: who does not send; NULL where all are alike, 0 where at one port
} Options;

typedef enum { UPGRADING, GREETING, READY, DEAD } State;

typedef struct {
  int fd, number, pending; // messages sent and not yet heard
  State state;
  uint32_t count;  // messages sent
  size_t overhead; // what the server's frame has around our text
  int writable_watched;
  Bytes in, out;
  Witness witness;
} Conn;

static Options options = {.port = 3000, .connections = 100, .inflight = 1, .seconds = 5, .warmup = 1,
                          .members_per_room = 1, .path = "/", .auth = "", .format = "%s"};
static Conn *conns;
static char **tokens;
static int token_count, epoll, ready_count, opened_count, dead_count;
static uint64_t heard_at;

static void on_text(Conn *c, Frame *f, uint64_t at);

static void read_tokens(const char *file) {
  FILE *f = fopen(file, "r");
  if (!f) fail(file);
  char *line = NULL;
  size_t cap = 0;
  ssize_t n;
  while ((n = getline(&line, &cap, f)) > 0) {
    line[strcspn(line, "\n")] = 0;
    tokens = grow(tokens, (size_t)(token_count + 1) * sizeof *tokens);
    tokens[token_count++] = strdup(line);
  }
  free(line);
  fclose(f);
}

static int is_listener(const Conn *c) { return options.listeners_path && c->number >= options.senders; }

static int is_stream(const Conn *c) { return options.streams && is_listener(c); }

// %d is the connection's number, counted from 1 and the offset; %r its room, also from 1; %t its token.
static void expand(Bytes *out, const Conn *c, const char *template) {
  char number[16];
  int id = c->number + options.offset;
  for (const char *p = template; *p; p++) {
    const char *value = NULL;
    snprintf(number, sizeof number, "%d", p[1] == 'r' ? id / options.members_per_room + 1 : id + 1);
    if (p[0] == '%' && (p[1] == 'd' || p[1] == 'r')) value = number;
    if (p[0] == '%' && p[1] == 't' && token_count) value = tokens[id % token_count];
    if (value) bytes_put(out, value, strlen(value));
    else bytes_put(out, p, 1);
    if (value) p++;
  }
}

static void flush_out(Conn *c) {
  if (!bytes_flush(&c->out, c->fd)) return; // the read that follows finds the end
  int wanted = c->out.len > 0;
  if (wanted == c->writable_watched) return;
  struct epoll_event e = {wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, {.ptr = c}};
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
  c->writable_watched = wanted;
}

static void send_text(Conn *c, const void *text, size_t n) { frame_put(&c->out, OP_TEXT, 1, text, n); }

static void open_socket(Conn *c) {
  int on = 1;
  uint32_t loopback = INADDR_LOOPBACK;
  int port = is_listener(c) && options.listeners_port ? options.listeners_port : options.port;
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(loopback)};
  struct sockaddr_in from = {.sin_family = AF_INET};
  uint32_t address = loopback + (uint32_t)((c->number + options.offset) / CONNECTIONS_PER_ADDRESS);
  from.sin_addr.s_addr = htonl(address);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0) fail("socket");
  if (address != loopback && bind(c->fd, (void *)&from, sizeof from)) fail("bind");
  if (connect(c->fd, (void *)&to, sizeof to)) fail("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event e = {EPOLLIN, {.ptr = c}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
}

static void open_next(void) {
  static const char upgrade[] = " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Key: " SAMPLE_KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n";
  static const char stream[] = " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n";
  Conn *c = conns + opened_count;
  c->number = opened_count++;
  open_socket(c);
  bytes_put(&c->out, "GET ", 4);
  expand(&c->out, c, is_listener(c) ? options.listeners_path : options.path);
  const char *headers = is_stream(c) ? stream : upgrade;
  bytes_put(&c->out, headers, strlen(headers));
  flush_out(c);
}

static void become_ready(Conn *c) {
  c->state = READY;
  ready_count++;
}

// Takes the handshake's answer out of the buffer; 0 while it is not all there.
static int take_upgrade(Conn *c) {
  uint8_t *end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
  if (!end) return 0;
  if (memcmp(c->in.data, is_stream(c) ? "HTTP/1.1 200" : "HTTP/1.1 101", 12)) {
    fprintf(stderr, "connection %d refused: %.*s\n", c->number, (int)c->in.len, (char *)c->in.data);
    exit(1);
  }
  bytes_drop(&c->in, (size_t)(end + 4 - c->in.data));
  if (options.socketio && !is_stream(c)) c->state = GREETING;
  else become_ready(c);
  return 1;
}

// socket.io's CONNECT.
static void connect_socketio(Conn *c) {
  Bytes packet = {0};
  bytes_put(&packet, "40", 2);
  expand(&packet, c, options.auth);
  send_text(c, packet.data, packet.len);
  free(packet.data);
}

// engine.io and socket.io packets that are not events. 1 when it was one.
static int take_packet(Conn *c, const Frame *f) {
  const uint8_t *p = f->payload;
  if (!f->len) return 1;
  if (p[0] == '0') connect_socketio(c);
  if (p[0] == '2') send_text(c, "3", 1);
  if (f->len > 1 && p[0] == '4' && p[1] == '0') become_ready(c);
  return !(f->len > 1 && p[0] == '4' && p[1] == '2');
}

static void on_frame(Conn *c, Frame *f, uint64_t at) {
  heard_at = at;
  if (f->opcode == OP_PING) frame_put(&c->out, OP_PONG, 1, f->payload, f->len);
  if (f->opcode != OP_TEXT) return;
  if (options.socketio && !is_stream(c) && take_packet(c, f)) return;
  on_text(c, f, at);
}

static void die(Conn *c) {
  if (c->state == READY) ready_count--;
  c->state = DEAD;
  dead_count++;
  epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
  close(c->fd);
}

// An event of a stream is what stands before an empty line, its id with it. 0 when it is not all there yet.
static size_t event_read(uint8_t *p, size_t n, Frame *f) {
  uint8_t *end = p, *last = p + n - 1;
  // Line by line: memmem for two characters takes longer than all the rest.
  while (end < last && (end = memchr(end, '\n', (size_t)(last - end))) && end[1] != '\n') end++;
  if (!end || end >= last) return 0;
  *f = (Frame){OP_TEXT, p, (size_t)(end - p)};
  return f->len + 2;
}

static size_t take_frames(Conn *c, uint8_t *data, size_t len, uint64_t at) {
  size_t done = 0, n;
  Frame f;
  while ((n = is_stream(c) ? event_read(data + done, len - done, &f) : frame_read(data + done, len - done, &f))) {
    on_frame(c, &f, at);
    done += n;
  }
  return done;
}

// All connections are read through one buffer, which stays in the cache; only a cut frame is kept with its connection.
static void receive(Conn *c) {
  static uint8_t chunk[512 * 1024];
  size_t kept = c->in.len, len = kept;
  if (kept) memcpy(chunk, c->in.data, kept);
  ssize_t n = read(c->fd, chunk + kept, sizeof chunk - kept);
  if (n == 0 || (n < 0 && errno != EAGAIN)) {
    die(c);
    return;
  }
  uint64_t at = now_ns();
  if (n > 0) len += (size_t)n;
  c->in.len = 0;
  size_t done = 0;
  if (c->state == UPGRADING) {
    bytes_put(&c->in, chunk, len);
    if (!take_upgrade(c)) return;
    len = c->in.len;
    memcpy(chunk, c->in.data, len);
    c->in.len = 0;
  }
  done = take_frames(c, chunk, len, at);
  if (done < len) bytes_put(&c->in, chunk + done, len - done);
  if (c->out.len) flush_out(c);
}
