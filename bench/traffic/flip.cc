// When a change of policy reached packets: a new UDP flow every `interval` microseconds, until new flows are let through
// (`want=open`) or no more (`want=closed`).
//
// Prints "started" when flows have met the opposite for a while, then "at=TIME", the start of the first flow that met
// what is wanted (of `closed`: none after it was answered), by CLOCK_MONOTONIC; 0 where that didn't happen in time.

#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "traffic.h"

namespace {

constexpr int64_t kBefore = 20 * kMillisecond;  // flows of this time must meet the opposite
constexpr int64_t kQuiet = 60 * kMillisecond;   // no answer for so long: closed
constexpr int64_t kKept = 200 * kMillisecond;   // how long an answer is waited for

struct Probe {
  int fd;
  int64_t sent;
};

}  // namespace

int Flip(const Arguments& arguments) {
  RaiseFileLimit();
  const Pairs pairs(arguments);
  const bool wants_open = arguments.Text("want") == "open";
  const int64_t interval = arguments.Number("interval") * 1000;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::deque<Probe> probes;
  int64_t forgotten = 0;
  const int64_t start = Now(), limit = start + arguments.Number("limit") * kMillisecond;
  int64_t next = start, last_open = 0, first_open = 0, first_closed = 0;
  bool has_started = false;
  for (int64_t now = start; now < limit; now = Now()) {
    if (now >= next) {
      next = std::max(next + interval, now);
      const int64_t flow = forgotten + static_cast<int64_t>(probes.size());
      const sockaddr_in server = pairs.Server(flow);
      const int fd = BindClient(SOCK_DGRAM | SOCK_NONBLOCK, pairs.Client(flow));
      if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) Fail("connect");
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = static_cast<uint64_t>(flow);
      epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
      const int64_t sent = Now();
      (void)!send(fd, &sent, sizeof sent, 0);
      probes.push_back({fd, sent});
    }
    while (!probes.empty() && (probes.front().fd < 0 || now - probes.front().sent > kKept)) {
      if (probes.front().fd >= 0) close(probes.front().fd);
      probes.pop_front();
      forgotten++;
    }
    pollfd p{epoll, POLLIN, 0};
    const int64_t wait = std::max<int64_t>(0, next - Now());
    timespec t{wait / kSecond, wait % kSecond};
    ppoll(&p, 1, &t, nullptr);
    epoll_event events[64];
    const int count = epoll_wait(epoll, events, 64, 0);
    for (int i = 0; i < count; i++) {
      Probe& probe = probes[static_cast<size_t>(static_cast<int64_t>(events[i].data.u64) - forgotten)];
      int64_t arrived;
      const bool is_open = recv(probe.fd, &arrived, sizeof arrived, 0) > 0;
      if (is_open) {
        last_open = std::max(last_open, probe.sent);
        if (first_open == 0 || probe.sent < first_open) first_open = probe.sent;
      }
      close(probe.fd);
      probe.fd = -1;
    }
    now = Now();
    if (!has_started && now - start > kBefore) {
      if ((first_open != 0) == wants_open) Fail(wants_open ? "flows are let through already" : "flows are denied already");
      has_started = true;
      puts("started");
      fflush(stdout);
    }
    if (!has_started) continue;
    if (wants_open && first_open != 0) {
      printf("at=%lld\n", static_cast<long long>(first_open));
      return 0;
    }
    if (!wants_open && now - last_open > kQuiet) {
      for (const Probe& probe : probes) {
        if (probe.sent > last_open && (first_closed == 0 || probe.sent < first_closed)) first_closed = probe.sent;
      }
      printf("at=%lld\n", static_cast<long long>(first_closed));
      return 0;
    }
  }
  puts("at=0");
  return 0;
}
