// What the benchmark compares with: programs in C that accept whatever a queue holds, and do nothing else. Two shapes:
// the loop that most NFQUEUE programs have, and the fastest one that we know.
//
//   queue-loop QUEUE              blocks in recv; one packet, one verdict message, one send
//   queue-loop QUEUE --batch N    blocks for a packet, takes up to N with it (recvmmsg), sends all verdicts in one send
//
// Verdicts carry no mark: packets keep theirs. Prints "ready" when the queue is bound, and on SIGTERM or SIGINT
// "verdicts N" and ends. It ends with its parent too. The queue has room for 8,192 packets, as the engine's.

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace {

constexpr uint32_t kCopyRange = 128;
constexpr uint32_t kMaxLength = 8192;
constexpr int kReceiveBuffer = 64 << 20;
constexpr size_t kBufferBytes = 2048;
constexpr uint32_t kMostBatch = 1024;

volatile sig_atomic_t stopped = 0;

uint16_t MessageType(int type) { return static_cast<uint16_t>(NFNL_SUBSYS_QUEUE << 8 | type); }

nfgenmsg QueueHeader(uint16_t queue) {
  nfgenmsg header{};
  header.nfgen_family = AF_UNSPEC;
  header.version = NFNETLINK_V0;
  header.res_id = htons(queue);
  return header;
}

// Attributes are appended to a message whose length is set at the end.
struct Config {
  alignas(4) uint8_t bytes[256] = {};
  size_t length = sizeof(nlmsghdr);

  void Append(const void* data, size_t size) {
    memcpy(bytes + length, data, size);
    length += NLMSG_ALIGN(size);
  }
  void Attribute(uint16_t type, const void* data, size_t size) {
    const nlattr attribute{static_cast<uint16_t>(sizeof(nlattr) + size), type};
    Append(&attribute, sizeof attribute);
    Append(data, size);
  }
  void AttributeBig32(uint16_t type, uint32_t value) {
    value = htonl(value);
    Attribute(type, &value, sizeof value);
  }
};

// Binds the queue; returns the kernel's errno.
int Bind(int fd, uint16_t queue) {
  Config config;
  const nfgenmsg header = QueueHeader(queue);
  config.Append(&header, sizeof header);
  nfqnl_msg_config_cmd command{};
  command.command = NFQNL_CFG_CMD_BIND;
  config.Attribute(NFQA_CFG_CMD, &command, sizeof command);
  nfqnl_msg_config_params params{};
  params.copy_range = htonl(kCopyRange);
  params.copy_mode = NFQNL_COPY_PACKET;
  config.Attribute(NFQA_CFG_PARAMS, &params, sizeof params);
  config.AttributeBig32(NFQA_CFG_QUEUE_MAXLEN, kMaxLength);
  config.AttributeBig32(NFQA_CFG_MASK, NFQA_CFG_F_GSO);
  config.AttributeBig32(NFQA_CFG_FLAGS, NFQA_CFG_F_GSO);
  nlmsghdr message{};
  message.nlmsg_len = static_cast<uint32_t>(config.length);
  message.nlmsg_type = MessageType(NFQNL_MSG_CONFIG);
  message.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  memcpy(config.bytes, &message, sizeof message);
  if (send(fd, config.bytes, config.length, 0) < 0) return errno;
  // Packets that come before the answer are dropped with the queue: load the rule when it is bound.
  for (;;) {
    alignas(4) uint8_t buffer[kBufferBytes];
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n < 0) return errno;
    nlmsghdr answer;
    if (static_cast<size_t>(n) < sizeof answer + sizeof(int32_t)) continue;
    memcpy(&answer, buffer, sizeof answer);
    if (answer.nlmsg_type != NLMSG_ERROR) continue;
    int32_t code;
    memcpy(&code, buffer + sizeof answer, sizeof code);
    return -code;
  }
}

// One NFQNL_MSG_VERDICT.
struct Verdict {
  nlmsghdr header;
  nfgenmsg queue;
  nlattr attribute;
  nfqnl_msg_verdict_hdr verdict;
};
static_assert(sizeof(Verdict) == 32, "messages lie end to end, without padding");

Verdict Accept(uint16_t queue) {
  Verdict v{};
  v.header.nlmsg_len = sizeof v;
  v.header.nlmsg_type = MessageType(NFQNL_MSG_VERDICT);
  v.header.nlmsg_flags = NLM_F_REQUEST;
  v.queue = QueueHeader(queue);
  v.attribute = {sizeof(nlattr) + sizeof(nfqnl_msg_verdict_hdr), NFQA_VERDICT_HDR};
  v.verdict.verdict = htonl(NF_ACCEPT);
  return v;
}

// The packet's number, in network order as it came. False where the message is no packet's.
bool ReadPacketId(const uint8_t* bytes, size_t length, uint32_t* id) {
  nlmsghdr header;
  if (length < sizeof header) return false;
  memcpy(&header, bytes, sizeof header);
  if (header.nlmsg_type != MessageType(NFQNL_MSG_PACKET)) return false;
  for (size_t at = sizeof header + sizeof(nfgenmsg); at + sizeof(nlattr) <= length;) {
    nlattr attribute;
    memcpy(&attribute, bytes + at, sizeof attribute);
    if (attribute.nla_len < sizeof attribute || attribute.nla_len > length - at) return false;
    if ((attribute.nla_type & NLA_TYPE_MASK) == NFQA_PACKET_HDR &&
        attribute.nla_len >= sizeof attribute + sizeof(nfqnl_msg_packet_hdr)) {
      memcpy(id, bytes + at + sizeof attribute + offsetof(nfqnl_msg_packet_hdr, packet_id), sizeof *id);
      return true;
    }
    at += NLMSG_ALIGN(attribute.nla_len);
  }
  return false;
}

// Nothing to worry about: a signal, or packets that the kernel couldn't hand over.
bool IsPassing(int error) { return error == EINTR || error == ENOBUFS; }

uint64_t ServeOneByOne(int fd, uint16_t queue) {
  Verdict verdict = Accept(queue);
  alignas(4) uint8_t buffer[kBufferBytes];
  uint64_t count = 0;
  while (!stopped) {
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n < 0 && IsPassing(errno)) continue;
    if (n < 0) break;
    if (!ReadPacketId(buffer, static_cast<size_t>(n), &verdict.verdict.id)) continue;
    if (send(fd, &verdict, sizeof verdict, 0) >= 0) count++;
  }
  return count;
}

uint64_t ServeBatches(int fd, uint16_t queue, uint32_t size) {
  std::vector<uint8_t> buffers(size * kBufferBytes);
  std::vector<iovec> vectors(size);
  std::vector<mmsghdr> headers(size);
  std::vector<Verdict> verdicts(size, Accept(queue));
  for (uint32_t i = 0; i < size; i++) {
    vectors[i] = {buffers.data() + i * kBufferBytes, kBufferBytes};
    headers[i] = {};
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  uint64_t count = 0;
  while (!stopped) {
    const int n = recvmmsg(fd, headers.data(), size, MSG_WAITFORONE, nullptr);
    if (n < 0 && IsPassing(errno)) continue;
    if (n < 0) break;
    uint32_t filled = 0;
    for (int i = 0; i < n; i++) {
      const auto* bytes = static_cast<const uint8_t*>(vectors[i].iov_base);
      if (ReadPacketId(bytes, headers[i].msg_len, &verdicts[filled].verdict.id)) filled++;
    }
    if (filled > 0 && send(fd, verdicts.data(), filled * sizeof(Verdict), 0) >= 0) count += filled;
  }
  return count;
}

// A whole number from 0 to `most`, else -1.
long ReadNumber(const char* text, long most) {
  char* end = nullptr;
  errno = 0;
  const long value = strtol(text, &end, 10);
  return errno != 0 || end == text || *end != '\0' || value < 0 || value > most ? -1 : value;
}

}  // namespace

int main(int argc, char** argv) {
  const long queue = argc > 1 ? ReadNumber(argv[1], 65535) : -1;
  const bool is_batched = argc == 4 && strcmp(argv[2], "--batch") == 0;
  const long batch = is_batched ? ReadNumber(argv[3], kMostBatch) : 0;
  if (queue < 0 || batch < 0 || (is_batched && batch == 0) || (argc != 2 && !is_batched)) {
    fprintf(stderr, "usage: queue-loop QUEUE [--batch N]   (queue 0 to 65535, N 1 to %u)\n", kMostBatch);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct sigaction action{};
  // Without SA_RESTART, so that a wait ends. The alarm is for a signal that came just before the wait began.
  action.sa_handler = [](int) {
    stopped = 1;
    alarm(1);
  };
  for (const int number : {SIGTERM, SIGINT, SIGALRM}) sigaction(number, &action, nullptr);

  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) {
    perror("queue-loop: socket");
    return 1;
  }
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  const int error = Bind(fd, static_cast<uint16_t>(queue));
  if (error != 0) {
    fprintf(stderr, "queue-loop: bind queue %ld: %s\n", queue, strerror(error));
    return 1;
  }
  puts("ready");
  fflush(stdout);
  const auto number = static_cast<uint16_t>(queue);
  const uint64_t count =
      is_batched ? ServeBatches(fd, number, static_cast<uint32_t>(batch)) : ServeOneByOne(fd, number);
  printf("verdicts %llu\n", static_cast<unsigned long long>(count));
  return 0;
}
