// Packets as fast as one core makes them, each the first of a flow: whole frames through a packet socket, so that source
// addresses can be anybody's. Frames have checksums that connection tracking believes.
//
//   sources=sequential   flow after flow of the pairs, none twice within 64,512 rounds
//   sources=ports        the first client's address, random source ports
//   sources=addresses    random addresses of 100.64.0.0/10, random source ports
//
// `count` frames, or `seconds`, whichever ends first; `rate` a second at most. Prints "sent=N ns=TIME cpu=TIME": what it
// took by the wall and of this process, which is most of the way to the queue.

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "traffic.h"

namespace {

constexpr int kBatch = 64;

struct Frame {
  ether_header link;
  iphdr ip;
  union {
    udphdr udp;
    tcphdr tcp;
  } transport;
} __attribute__((packed));

uint32_t Sum(const void* data, size_t length, uint32_t sum) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  for (size_t i = 0; i + 1 < length; i += 2) sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  return sum;
}

uint16_t Fold(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<uint16_t>(~sum));
}

// xorshift64*: good enough for ports and addresses, and the same in every run.
uint64_t Random() {
  static uint64_t state = 0x9e3779b97f4a7c15;
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1d;
}

void ParseMac(const std::string& text, uint8_t* mac) {
  unsigned v[6];
  if (sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) != 6) Fail("no MAC: " + text);
  for (int i = 0; i < 6; i++) mac[i] = static_cast<uint8_t>(v[i]);
}

int64_t CpuTime() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return int64_t{t.tv_sec} * kSecond + t.tv_nsec;
}

// Everything that stays the same from frame to frame.
Frame Template(const Arguments& arguments, int fd, bool is_tcp) {
  Frame frame{};
  ParseMac(arguments.Text("mac"), frame.link.ether_dhost);
  ifreq request{};
  strcpy(request.ifr_name, "eth0");
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) Fail("address of eth0");
  memcpy(frame.link.ether_shost, request.ifr_hwaddr.sa_data, ETH_ALEN);
  frame.link.ether_type = htons(ETHERTYPE_IP);
  frame.ip.version = 4;
  frame.ip.ihl = 5;
  frame.ip.ttl = 64;
  frame.ip.protocol = is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
  frame.ip.tot_len = htons(static_cast<uint16_t>(sizeof(iphdr) + (is_tcp ? sizeof(tcphdr) : sizeof(udphdr))));
  if (is_tcp) {
    frame.transport.tcp.doff = 5;
    frame.transport.tcp.syn = 1;
    frame.transport.tcp.window = htons(65535);
  } else {
    frame.transport.udp.len = htons(sizeof(udphdr));
  }
  return frame;
}

void Address(Frame* frame, const sockaddr_in& client, const sockaddr_in& server, bool is_tcp) {
  frame->ip.saddr = client.sin_addr.s_addr;
  frame->ip.daddr = server.sin_addr.s_addr;
  frame->ip.check = 0;
  frame->ip.check = Fold(Sum(&frame->ip, sizeof frame->ip, 0));
  // Ports lie alike in both headers. UDP goes without a checksum.
  frame->transport.udp.source = client.sin_port;
  frame->transport.udp.dest = server.sin_port;
  if (!is_tcp) return;
  frame->transport.tcp.seq = static_cast<uint32_t>(Random());
  frame->transport.tcp.check = 0;
  const uint32_t pseudo = Sum(&frame->ip.saddr, 8, IPPROTO_TCP + sizeof(tcphdr));
  frame->transport.tcp.check = Fold(Sum(&frame->transport.tcp, sizeof(tcphdr), pseudo));
}

}  // namespace

int Flood(const Arguments& arguments) {
  const Pairs pairs(arguments);
  const bool is_tcp = arguments.Text("protocol") == "tcp";
  const std::string& sources = arguments.Text("sources");
  const int64_t count = arguments.Number("count", INT64_MAX);
  const int64_t rate = arguments.Number("rate", 0);
  const int64_t seconds = arguments.Number("seconds", 3600);
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) Fail("packet socket");
  sockaddr_ll device{};
  device.sll_family = AF_PACKET;
  device.sll_ifindex = static_cast<int>(if_nametoindex("eth0"));
  if (bind(fd, reinterpret_cast<const sockaddr*>(&device), sizeof device) != 0) Fail("bind to eth0");
  int one = 1;
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);

  const Frame blank = Template(arguments, fd, is_tcp);
  const size_t length = sizeof(ether_header) + ntohs(blank.ip.tot_len);
  std::vector<Frame> frames(kBatch, blank);
  std::vector<iovec> vectors(kBatch);
  std::vector<mmsghdr> messages(kBatch);
  for (int i = 0; i < kBatch; i++) {
    vectors[i] = {&frames[i], length};
    messages[i] = {};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const bool random_ports = sources != "sequential", random_addresses = sources == "addresses";
  const int64_t start = Now(), deadline = start + seconds * kSecond;
  int64_t sent = 0;
  while (sent < count && Now() < deadline) {
    const int batch = static_cast<int>(std::min<int64_t>(kBatch, count - sent));
    for (int i = 0; i < batch; i++) {
      const int64_t flow = sent + i;
      sockaddr_in client = pairs.Client(random_ports ? 0 : flow);
      if (random_ports) client.sin_port = htons(static_cast<uint16_t>(1024 + Random() % 64512));
      if (random_addresses) client.sin_addr.s_addr = htonl(0x64400000u | static_cast<uint32_t>(Random() & 0x3fffff));
      Address(&frames[i], client, pairs.Server(random_ports ? 0 : flow), is_tcp);
    }
    for (int done = 0; done < batch;) {
      const int n = sendmmsg(fd, messages.data() + done, static_cast<unsigned>(batch - done), 0);
      if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) Fail("send");
      if (n > 0) done += n;
    }
    sent += batch;
    // The next batch is due when the rate allows.
    const int64_t due = rate == 0 ? 0 : start + static_cast<int64_t>(static_cast<double>(sent) / static_cast<double>(rate) * kSecond);
    if (due > Now()) {
      timespec t{due / kSecond, due % kSecond};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
    }
  }
  printf("sent=%lld ns=%lld cpu=%lld\n", static_cast<long long>(sent), static_cast<long long>(Now() - start),
         static_cast<long long>(CpuTime()));
  return 0;
}
