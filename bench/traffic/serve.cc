// The server's side: UDP is answered with the time of its arrival or swallowed, TCP is accepted or read to its end.

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "traffic.h"

namespace {

constexpr int kAcceptors = 8;

int Bound(int type, uint16_t port) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) Fail("bind");
  if (type == SOCK_STREAM && listen(fd, 4096) != 0) Fail("listen");
  return fd;
}

// Answers from the address that was asked: the server has many.
void Echo(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
  for (;;) {
    char data[64];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in_pktinfo))];
    sockaddr_in from;
    iovec vector{data, sizeof data};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(fd, &message, 0) < 0) continue;
    const int64_t now = Now();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != IP_PKTINFO) continue;
    in_pktinfo info;
    memcpy(&info, CMSG_DATA(header), sizeof info);
    info.ipi_spec_dst = info.ipi_addr;
    info.ipi_ifindex = 0;
    memcpy(CMSG_DATA(header), &info, sizeof info);
    memcpy(data, &now, sizeof now);
    vector.iov_len = sizeof now;
    sendmsg(fd, &message, 0);
  }
}

// Holds each connection until its client is done with it.
void Accept(int fd) {
  for (;;) {
    const int connection = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    timeval patience{1, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    char data[16];
    while (recv(connection, data, sizeof data, 0) > 0) continue;
    CloseAbruptly(connection);
  }
}

void Swallow(int fd) {
  for (;;) {
    const int connection = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    std::thread([connection] {
      std::vector<char> data(256 << 10);
      while (recv(connection, data.data(), data.size(), 0) > 0) continue;
      close(connection);
    }).detach();
  }
}

}  // namespace

int Serve(int count, char** words) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; i++) {
    const std::string word = words[i];
    const size_t at = word.find(':');
    const std::string role = word.substr(0, at);
    const int port = at == std::string::npos ? 0 : atoi(word.c_str() + at + 1);
    errno = 0;
    if (port < 1 || port > 65535) Fail("ROLE:PORT expected: " + word);
    const bool is_udp = role == "udp" || role == "sink";
    const int fd = Bound(is_udp ? SOCK_DGRAM : SOCK_STREAM, static_cast<uint16_t>(port));
    errno = 0;
    // A sink's packets fill its buffer, and the rest is dropped without a word.
    if (role == "udp") threads.emplace_back(Echo, fd);
    else if (role == "tcp") for (int t = 0; t < kAcceptors; t++) threads.emplace_back(Accept, fd);
    else if (role == "bulk") threads.emplace_back(Swallow, fd);
    else if (role != "sink") Fail("unknown role: " + role);
  }
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
