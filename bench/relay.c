// relay: the least that a server can do for a room on one core, as the bound that the others are held against.
// Every text frame goes out to every connection; what one pass of the loop brought leaves in one send per connection.
// It stores nothing, checks nothing and has one room. Only bench/load.c may call: it answers the sample key alone.
//   relay PORT
#include "frames.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

typedef struct {
  int fd, open, gone;
  size_t place; // in members
  Bytes in, out;
} Conn;

static int epoll;
static Conn **members;
static size_t member_count, member_cap;
static Bytes batch;

static void accept_all(int listener) {
  int fd, on = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Conn *c = calloc(1, sizeof *c);
    c->fd = fd;
    struct epoll_event e = {EPOLLIN, {.ptr = c}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
  }
}

static void watch_writable(Conn *c, int on) {
  struct epoll_event e = {on ? EPOLLIN | EPOLLOUT : EPOLLIN, {.ptr = c}};
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void join(Conn *c) {
  static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: " SAMPLE_ACCEPT "\r\n\r\n";
  uint8_t *end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
  if (!end) return;
  bytes_drop(&c->in, (size_t)(end + 4 - c->in.data));
  bytes_put(&c->out, answer, sizeof answer - 1);
  if (!bytes_flush(&c->out, c->fd)) c->gone = 1;
  if (member_count == member_cap) {
    member_cap = member_cap ? member_cap * 2 : 64;
    members = grow(members, member_cap * sizeof *members);
  }
  c->place = member_count;
  members[member_count++] = c;
  c->open = 1;
}

static void leave(Conn *c) {
  if (c->open) {
    members[c->place] = members[--member_count];
    members[c->place]->place = c->place;
  }
  close(c->fd);
  free(c->in.data);
  free(c->out.data);
  free(c);
}

static void take_frames(Conn *c) {
  size_t done = 0, n;
  Frame f;
  while ((n = frame_read(c->in.data + done, c->in.len - done, &f))) {
    if (f.opcode == OP_TEXT) frame_put(&batch, OP_TEXT, 0, f.payload, f.len);
    if (f.opcode == OP_CLOSE) c->gone = 1;
    done += n;
  }
  bytes_drop(&c->in, done);
}

static void receive(Conn *c) {
  static uint8_t chunk[65536];
  ssize_t n;
  do {
    n = read(c->fd, chunk, sizeof chunk);
    if (n > 0) bytes_put(&c->in, chunk, (size_t)n);
  } while (n == sizeof chunk);
  if (n == 0 || (n < 0 && errno != EAGAIN)) c->gone = 1;
  if (!c->open && c->in.len) join(c);
  if (c->open) take_frames(c);
}

static void send_batch(Conn *c) {
  ssize_t n = 0;
  if (!c->out.len) n = send(c->fd, batch.data, batch.len, MSG_NOSIGNAL);
  if (n < 0) n = 0;
  if ((size_t)n == batch.len) return;
  if (!c->out.len) watch_writable(c, 1);
  bytes_put(&c->out, batch.data + n, batch.len - (size_t)n);
}

static void handle(Conn *c, uint32_t events) {
  if (events & EPOLLOUT) {
    if (!bytes_flush(&c->out, c->fd)) c->gone = 1;
    if (!c->out.len) watch_writable(c, 0);
  }
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
  if (c->gone) leave(c);
}

static int listen_on(int port) {
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (void *)&a, sizeof a) || listen(fd, 4096)) fail("listen");
  return fd;
}

int main(int argc, char **argv) {
  raise_file_limit();
  int listener = listen_on(argc > 1 ? atoi(argv[1]) : 9000);
  struct epoll_event e = {EPOLLIN, {.ptr = NULL}}, events[1024];
  epoll = epoll_create1(0);
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    int n = epoll_wait(epoll, events, 1024, -1);
    for (int i = 0; i < n; i++) {
      if (events[i].data.ptr) handle(events[i].data.ptr, events[i].events);
      else accept_all(listener);
    }
    if (!batch.len) continue;
    for (size_t i = 0; i < member_count; i++) send_batch(members[i]);
    batch.len = 0;
  }
}
