// Established throughput: TCP streams as fast as they go. Prints "bytes=N ns=TIME" of what was sent once all streams
// were open.

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "traffic.h"

int Bulk(const Arguments& arguments) {
  const Pairs pairs(arguments);
  std::vector<int> streams;
  for (int64_t i = 0; i < arguments.Number("streams"); i++) {
    const int fd = BindClient(SOCK_STREAM, pairs.Client(i));
    const sockaddr_in server = pairs.Server(i);
    timeval patience{3, 0};
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) Fail("connect");
    streams.push_back(fd);
  }
  std::atomic<int64_t> bytes{0};
  const int64_t start = Now(), deadline = start + arguments.Number("seconds") * kSecond;
  std::vector<std::thread> threads;
  for (const int fd : streams) {
    threads.emplace_back([&bytes, deadline, fd] {
      const std::vector<char> data(128 << 10);
      while (Now() < deadline) {
        const ssize_t n = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
        if (n <= 0) Fail("send");
        bytes.fetch_add(n, std::memory_order_relaxed);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  printf("bytes=%lld ns=%lld\n", static_cast<long long>(bytes), static_cast<long long>(Now() - start));
  for (const int fd : streams) CloseAbruptly(fd);
  return 0;
}
