// HTTP from this namespace's loopback, where the engine's pages are. Once: prints the body. With `interval` and
// `seconds`: asks again and again, and prints how long each answer took; an event loop that pauses answers late.

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "traffic.h"

namespace {

// The whole answer; empty where there was none.
std::string Ask(int64_t port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval patience{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server.sin_port = htons(static_cast<uint16_t>(port));
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) Fail("connect");
  const std::string request = "GET " + path + " HTTP/1.0\r\nHost: bench\r\nConnection: close\r\n\r\n";
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) Fail("send");
  std::string answer;
  char data[65536];
  for (ssize_t n; (n = recv(fd, data, sizeof data, 0)) > 0;) answer.append(data, static_cast<size_t>(n));
  CloseAbruptly(fd);
  return answer;
}

}  // namespace

int Get(const Arguments& arguments) {
  const int64_t port = arguments.Number("port");
  const std::string& path = arguments.Text("path");
  if (!arguments.Has("seconds")) {
    const std::string answer = Ask(port, path);
    const size_t body = answer.find("\r\n\r\n");
    errno = 0;
    if (body == std::string::npos) Fail("no answer");
    fwrite(answer.data() + body + 4, 1, answer.size() - body - 4, stdout);
    return 0;
  }
  const int64_t interval = arguments.Number("interval") * 1000;
  const int64_t deadline = Now() + arguments.Number("seconds") * kSecond;
  for (int64_t start; (start = Now()) < deadline;) {
    Ask(port, path);
    const int64_t end = Now();
    printf("%lld\n", static_cast<long long>(end - start));
    const int64_t wait = start + interval - end;
    timespec t{wait / kSecond, wait % kSecond};
    if (wait > 0) nanosleep(&t, nullptr);
  }
  return 0;
}
