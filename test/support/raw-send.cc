// Sends whole IP packets as they are given: raw-send HEX... (the first digit says IPv4 or IPv6); or whole Ethernet frames
// by an interface: raw-send -i DEVICE HEX... For tests of what no ordinary socket sends: forged ICMP errors, truncated
// and garbage transport headers, tagged frames.
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <vector>

int main(int argc, char** argv) {
  const bool is_frame = argc > 2 && strcmp(argv[1], "-i") == 0;
  const unsigned device = is_frame ? if_nametoindex(argv[2]) : 0;
  if (is_frame && device == 0) return perror(argv[2]), 3;
  for (int i = is_frame ? 3 : 1; i < argc; i++) {
    std::vector<uint8_t> bytes;
    for (const char* c = argv[i]; c[0] != 0 && c[1] != 0; c += 2) {
      unsigned value = 0;
      if (sscanf(c, "%2x", &value) != 1) return 2;
      bytes.push_back(static_cast<uint8_t>(value));
    }
    if (bytes.size() < 20) return 2;
    const bool v6 = !is_frame && bytes[0] >> 4 == 6;
    if (v6 && bytes.size() < 40) return 2;
    const int fd = is_frame ? socket(AF_PACKET, SOCK_RAW, 0) : socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (fd < 0) return perror("socket"), 3;
    sockaddr_storage to{};
    socklen_t length;
    if (is_frame) {
      auto* a = reinterpret_cast<sockaddr_ll*>(&to);
      a->sll_family = AF_PACKET;
      a->sll_ifindex = static_cast<int>(device);
      length = sizeof *a;
    } else if (v6) {
      auto* a = reinterpret_cast<sockaddr_in6*>(&to);
      a->sin6_family = AF_INET6;
      memcpy(&a->sin6_addr, &bytes[24], 16);
      length = sizeof *a;
    } else {
      auto* a = reinterpret_cast<sockaddr_in*>(&to);
      a->sin_family = AF_INET;
      memcpy(&a->sin_addr, &bytes[16], 4);
      length = sizeof *a;
    }
    const auto sent = sendto(fd, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to), length);
    if (sent != static_cast<ssize_t>(bytes.size())) return perror("sendto"), 3;
  }
  return 0;
}
