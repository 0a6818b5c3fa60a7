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

constexpr int64_t kBefore = 40;                   // so many flows meet the opposite first
constexpr int64_t kBeforeLimit = 5 * kSecond;
constexpr int64_t kUnanswered = 100;              // so many flows in a row without an answer: closed
constexpr int64_t kPatience = 30 * kMillisecond;  // for the last of them
constexpr int64_t kKept = 2 * kSecond;            // how long an answer counts

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
  int64_t next = start, last_open = 0, first_open = 0, opened = 0;
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
        opened++;
        last_open = std::max(last_open, probe.sent);
        if (first_open == 0 || probe.sent < first_open) first_open = probe.sent;
      }
      close(probe.fd);
      probe.fd = -1;
    }
    now = Now();
    if (!has_started) {
      const int64_t waited = forgotten + static_cast<int64_t>(probes.size()) - opened;
      if (wants_open && opened > 0) Fail("flows are let through already");
      if (now - start > kBeforeLimit) Fail(wants_open ? "flows are slow" : "flows are denied already");
      if (wants_open ? waited < kBefore || now - probes.front().sent < kPatience : opened < kBefore) continue;
      has_started = true;
      puts("started");
      fflush(stdout);
      continue;
    }
    if (wants_open && first_open != 0) {
      printf("at=%lld\n", static_cast<long long>(first_open));
      return 0;
    }
    if (wants_open) continue;
    // A busy machine stops us for a while as well: it's flows that are counted, and not time alone.
    int64_t unanswered = 0, first_closed = 0;
    for (const Probe& probe : probes) {
      if (probe.fd < 0 || probe.sent <= last_open || now - probe.sent < kPatience) continue;
      if (unanswered++ == 0) first_closed = probe.sent;
    }
    if (unanswered >= kUnanswered) {
      printf("at=%lld\n", static_cast<long long>(first_closed));
      return 0;
    }
  }
  puts("at=0");
  return 0;
}
