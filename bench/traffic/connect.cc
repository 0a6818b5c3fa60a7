// TCP connections: opened, and reset as soon as they are open.
//
//   threads=N   each thread one after the other, as fast as it goes; prints "opened=N failed=N ns=TIME"
//   rate=N      so many are begun each second, whatever becomes of them; each may take `timeout` milliseconds. Prints
//               the same, then a line with the time that each of those opened took.

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "traffic.h"

namespace {

void Report(int64_t opened, int64_t failed, int64_t ns) {
  printf("opened=%lld failed=%lld ns=%lld\n", static_cast<long long>(opened), static_cast<long long>(failed),
         static_cast<long long>(ns));
}

int ConnectInThreads(const Arguments& arguments) {
  const Pairs pairs(arguments);
  const int64_t seconds = arguments.Number("seconds");
  const int64_t milliseconds = arguments.Number("timeout", 3000);
  std::atomic<int64_t> next{0}, opened{0}, failed{0};
  const int64_t start = Now(), deadline = start + seconds * kSecond;
  std::vector<std::thread> threads;
  for (int64_t t = arguments.Number("threads"); t > 0; t--) {
    threads.emplace_back([&] {
      timeval patience{milliseconds / 1000, milliseconds % 1000 * 1000};
      while (Now() < deadline) {
        const int64_t flow = next.fetch_add(1, std::memory_order_relaxed);
        const int fd = BindClient(SOCK_STREAM, pairs.Client(flow));
        if (fd < 0) continue;
        const sockaddr_in server = pairs.Server(flow);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);  // bounds connect as well
        const bool is_open = connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0;
        (is_open ? opened : failed).fetch_add(1, std::memory_order_relaxed);
        CloseAbruptly(fd);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Report(opened, failed, Now() - start);
  return 0;
}

int ConnectPaced(const Arguments& arguments) {
  RaiseFileLimit();
  const Pairs pairs(arguments);
  const int64_t interval = kSecond / arguments.Number("rate");
  const int64_t patience = arguments.Number("timeout", 3000) * kMillisecond;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct Attempt {
    int fd;
    int64_t started;
  };
  std::deque<Attempt> attempts;  // in order of their start; those that ended have no descriptor
  int64_t forgotten = 0;         // attempts that have left the front
  std::vector<int64_t> times;
  int64_t failed = 0;
  const int64_t start = Now(), last = start + arguments.Number("seconds") * kSecond;
  int64_t next = start;
  for (;;) {
    int64_t now = Now();
    while (next <= now && next < last) {
      const int64_t flow = forgotten + static_cast<int64_t>(attempts.size());
      next += interval;
      const int fd = BindClient(SOCK_STREAM | SOCK_NONBLOCK, pairs.Client(flow));
      attempts.push_back({fd, Now()});
      if (fd < 0) continue;
      const sockaddr_in server = pairs.Server(flow);
      epoll_event event{};
      event.events = EPOLLOUT;
      event.data.u64 = static_cast<uint64_t>(flow);
      if (connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0 && errno != EINPROGRESS) Fail("connect");
      epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    while (!attempts.empty() && (attempts.front().fd < 0 || now - attempts.front().started > patience)) {
      if (attempts.front().fd >= 0) {
        failed++;
        CloseAbruptly(attempts.front().fd);
      }
      attempts.pop_front();
      forgotten++;
    }
    if (next >= last && attempts.empty()) break;
    const int64_t wake = next < last ? next : attempts.front().started + patience;
    pollfd p{epoll, POLLIN, 0};
    const int64_t wait = std::max<int64_t>(0, wake - Now());
    timespec t{wait / kSecond, wait % kSecond};
    ppoll(&p, 1, &t, nullptr);
    epoll_event events[64];
    const int count = epoll_wait(epoll, events, 64, 0);
    now = Now();
    for (int i = 0; i < count; i++) {
      Attempt& attempt = attempts[static_cast<size_t>(static_cast<int64_t>(events[i].data.u64) - forgotten)];
      int error = 0;
      socklen_t length = sizeof error;
      getsockopt(attempt.fd, SOL_SOCKET, SO_ERROR, &error, &length);
      if (error == 0) times.push_back(now - attempt.started);
      else failed++;
      CloseAbruptly(attempt.fd);
      attempt.fd = -1;
    }
  }
  Report(static_cast<int64_t>(times.size()), failed, Now() - start);
  for (const int64_t time : times) printf("%lld\n", static_cast<long long>(time));
  return 0;
}

}  // namespace

int Connect(const Arguments& arguments) {
  return arguments.Has("rate") ? ConnectPaced(arguments) : ConnectInThreads(arguments);
}
