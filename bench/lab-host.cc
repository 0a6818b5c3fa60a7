// One endpoint of the lab: serves TCP and UDP echo in the network namespace it was started in, and probes others.
//
// Commands come on standard input, answers go to standard output, one line each, words split by one space. Every
// command starts with an id, which its answer repeats; probes run side by side, so answers come in any order. The
// process ends when its input does or its parent dies: nothing outlives the lab.
//
//   ID sysctl net/ipv4/ip_forward 1            -> ID ok | ID error TEXT
//   ID listen tcp|udp PORT                     -> ID ok | ID error TEXT
//   ID probe tcp|udp|icmp ADDRESS PORT MS      -> ID open MICROSECONDS | ID closed timeout|refused|reset|unreachable
//   ID rtt ADDRESS PORT FIRST COUNT MS         -> ID rtt LOST NANOSECONDS...  (UDP echo, source ports FIRST, FIRST + 1 ...)
//   ID live ADDRESS PORT MS                    -> ID started, later ID live LAST_OPEN FIRST_DENIED CUT HOW
//
// Times of `live` are nanoseconds of CLOCK_MONOTONIC, the clock of Node's process.hrtime, 0 for what never happened.

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int64_t kMillisecond = 1000 * 1000;

int64_t Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1000 * kMillisecond + t.tv_nsec;
}

void Answer(const std::string& id, const std::string& text) {
  std::string line = id + " " + text + "\n";
  for (size_t at = 0; at < line.size();) {
    ssize_t n = write(STDOUT_FILENO, line.data() + at, line.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) exit(0);
    at += static_cast<size_t>(n);
  }
}

struct Target {
  sockaddr_storage storage{};
  socklen_t length = 0;
  int family() const { return storage.ss_family; }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

bool ParseTarget(const std::string& text, int port, Target* target) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&target->storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&target->storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    target->length = sizeof *v4;
    return true;
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(port));
    target->length = sizeof *v6;
    return true;
  }
  return false;
}

void SetNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

void SetNoDelay(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

// A reset instead of FIN: probes by the thousand leave no TIME_WAIT behind.
void CloseAbruptly(int fd) {
  linger l{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  close(fd);
}

const char* Why(int error) {
  switch (error) {
    case ECONNREFUSED: return "refused";
    case ECONNRESET: case EPIPE: return "reset";
    case EHOSTUNREACH: case ENETUNREACH: case EACCES: case EPERM: return "unreachable";
    case ETIMEDOUT: return "timeout";
    default: return "error";
  }
}

// What a descriptor in the loop is.
enum class Role { kListener, kConnection, kUdpServer, kProbe };
enum class Kind { kTcp, kUdp, kIcmp };

struct Peer {
  int fd;
  Role role;
  // Probes only.
  std::string id;
  Kind kind = Kind::kTcp;
  int family = AF_INET;
  bool connecting = false;
  int64_t started = 0;
  int64_t deadline = 0;
  uint16_t sequence = 0;
};

class Host {
 public:
  int Run();

 private:
  void Command(const std::string& line);
  void Listen(const std::string& id, const std::string& kind, int port);
  void Probe(const std::string& id, const std::string& kind, const std::string& address, int port, int ms);
  void Rtt(const std::string& id, const std::string& address, int port, int first, int count, int ms);
  void Live(const std::string& id, const std::string& address, int port, int ms);
  void Ready(Peer* peer, short events);
  void ProbeReady(Peer* probe);
  void Finish(Peer* probe, const std::string& text);

  std::vector<Peer> peers_;
  std::vector<Peer> added_;
  std::string input_;
  uint16_t sequence_ = 0;
};

void Host::Listen(const std::string& id, const std::string& kind, int port) {
  bool tcp = kind == "tcp";
  int fd = socket(AF_INET6, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int one = 1, zero = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(static_cast<uint16_t>(port));
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0 || (tcp && listen(fd, 1024) != 0)) {
    Answer(id, std::string("error ") + strerror(errno));
    if (fd >= 0) close(fd);
    return;
  }
  added_.push_back({fd, tcp ? Role::kListener : Role::kUdpServer});
  Answer(id, "ok");
}

void Host::Probe(const std::string& id, const std::string& kind, const std::string& address, int port, int ms) {
  Target target;
  if (!ParseTarget(address, kind == "icmp" ? 0 : port, &target)) return Answer(id, "closed error");
  Peer probe{-1, Role::kProbe};
  probe.id = id;
  probe.family = target.family();
  probe.kind = kind == "tcp" ? Kind::kTcp : kind == "udp" ? Kind::kUdp : Kind::kIcmp;
  probe.sequence = ++sequence_;
  int type = probe.kind == Kind::kTcp ? SOCK_STREAM : probe.kind == Kind::kUdp ? SOCK_DGRAM : SOCK_RAW;
  int protocol = probe.kind != Kind::kIcmp ? 0 : probe.family == AF_INET ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  probe.fd = socket(probe.family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (probe.fd < 0) return Answer(id, std::string("closed ") + Why(errno));
  probe.started = Now();
  probe.deadline = probe.started + ms * kMillisecond;
  if (probe.kind == Kind::kTcp) SetNoDelay(probe.fd);
  int failed = connect(probe.fd, target.address(), target.length);
  if (failed != 0 && errno != EINPROGRESS) return Finish(&probe, std::string("closed ") + Why(errno));
  if (probe.kind == Kind::kTcp) {
    probe.connecting = true;
  } else if (probe.kind == Kind::kUdp) {
    if (send(probe.fd, "?", 1, 0) < 0) return Finish(&probe, std::string("closed ") + Why(errno));
  } else {
    // Identifier and sequence tell this answer from those of the other probes; type and checksum are the kernel's
    // business for ICMPv6, ours for ICMP.
    uint8_t echo[8] = {probe.family == AF_INET ? uint8_t{ICMP_ECHO} : uint8_t{ICMP6_ECHO_REQUEST}};
    uint16_t words[2] = {htons(static_cast<uint16_t>(getpid())), htons(probe.sequence)};
    memcpy(echo + 4, words, 4);
    uint32_t sum = 0;
    for (int i = 0; i < 8; i += 2) sum += static_cast<uint32_t>(echo[i] << 8 | echo[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    uint16_t checksum = htons(static_cast<uint16_t>(~sum));
    if (probe.family == AF_INET) memcpy(echo + 2, &checksum, 2);
    if (send(probe.fd, echo, sizeof echo, 0) < 0) return Finish(&probe, std::string("closed ") + Why(errno));
  }
  added_.push_back(probe);
}

void Host::Finish(Peer* probe, const std::string& text) {
  Answer(probe->id, text);
  CloseAbruptly(probe->fd);
  probe->fd = -1;
}

void Host::ProbeReady(Peer* probe) {
  if (probe->connecting) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return Finish(probe, std::string("closed ") + Why(error));
    probe->connecting = false;
    // The handshake alone proves less than a byte there and back.
    if (send(probe->fd, "?", 1, MSG_NOSIGNAL) < 0) Finish(probe, std::string("closed ") + Why(errno));
    return;
  }
  for (;;) {
    uint8_t data[256];
    ssize_t n = recv(probe->fd, data, sizeof data, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) return Finish(probe, std::string("closed ") + Why(errno));
    if (probe->kind == Kind::kIcmp) {
      size_t at = probe->family == AF_INET && n > 0 ? static_cast<size_t>(data[0] & 15) * 4 : 0;
      if (static_cast<size_t>(n) < at + 8) continue;
      uint16_t words[2];
      memcpy(words, data + at + 4, 4);
      uint8_t reply = probe->family == AF_INET ? uint8_t{ICMP_ECHOREPLY} : uint8_t{ICMP6_ECHO_REPLY};
      bool ours = data[at] == reply && words[0] == htons(static_cast<uint16_t>(getpid())) &&
                  words[1] == htons(probe->sequence);
      if (!ours) continue;
    } else if (n == 0) {
      return Finish(probe, "closed reset");
    }
    return Finish(probe, "open " + std::to_string((Now() - probe->started) / 1000));
  }
}

void Host::Rtt(const std::string& id, const std::string& address, int port, int first, int count, int ms) {
  Target target;
  if (!ParseTarget(address, port, &target)) return Answer(id, "error address");
  int lost = 0;
  std::string samples;
  for (int i = 0; i < count; i++) {
    Target local;
    ParseTarget(target.family() == AF_INET ? "0.0.0.0" : "::", first + i, &local);
    int fd = socket(target.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, local.address(), local.length) != 0 || connect(fd, target.address(), target.length) != 0) {
      Answer(id, std::string("error ") + strerror(errno));
      if (fd >= 0) close(fd);
      return;
    }
    char byte = '?';
    int64_t start = Now();
    pollfd p{fd, POLLIN, 0};
    bool answered = send(fd, &byte, 1, 0) == 1 && poll(&p, 1, ms) == 1 && recv(fd, &byte, 1, 0) == 1;
    int64_t end = Now();
    close(fd);
    if (answered) samples += " " + std::to_string(end - start);
    else lost++;
  }
  Answer(id, "rtt " + std::to_string(lost) + samples);
}

// Holds one connection open with a byte there and back every millisecond, and tries a new one every millisecond,
// until both have been closed by somebody, or until the time is over.
void Host::Live(const std::string& id, const std::string& address, int port, int ms) {
  constexpr int64_t kQuiet = 250 * kMillisecond;  // no answer for so long: closed
  Target target;
  if (!ParseTarget(address, port, &target)) return Answer(id, "error address");
  int stream = socket(target.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval patience{1, 0};
  setsockopt(stream, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);  // bounds connect as well
  if (stream < 0 || connect(stream, target.address(), target.length) != 0) {
    Answer(id, std::string("error ") + strerror(errno));
    if (stream >= 0) close(stream);
    return;
  }
  SetNoDelay(stream);
  SetNonBlocking(stream);
  Answer(id, "started");

  struct Attempt {
    int fd;
    int64_t started;
  };
  std::vector<Attempt> attempts;
  std::vector<pollfd> polls;
  int64_t begin = Now(), next = begin, last_echo = begin, last_open = 0, cut = 0;
  int64_t first_failed = 0;  // start of the first attempt that failed since the last one that succeeded
  std::string how = "none";
  for (;;) {
    int64_t now = Now();
    if (cut == 0 && now - last_echo > kQuiet) cut = last_echo, how = "silence";
    bool denied = first_failed != 0 && now - std::max(last_open, begin) > kQuiet;
    if ((cut != 0 && denied) || now - begin > ms * kMillisecond) {
      if (!denied) first_failed = 0;
      break;
    }
    if (now >= next) {
      next = now + kMillisecond;
      if (cut == 0) (void)!send(stream, "?", 1, MSG_NOSIGNAL);
      int fd = socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd >= 0) {
        if (connect(fd, target.address(), target.length) != 0 && errno != EINPROGRESS) {
          if (first_failed == 0) first_failed = now;
          close(fd);
        } else {
          attempts.push_back({fd, now});
        }
      }
    }
    polls.assign(1, pollfd{cut == 0 ? stream : -1, POLLIN, 0});
    for (const Attempt& a : attempts) polls.push_back({a.fd, POLLOUT, 0});
    timespec wait{0, std::max<int64_t>(0, next - Now())};
    ppoll(polls.data(), polls.size(), &wait, nullptr);
    now = Now();
    if (polls[0].revents != 0) {
      char data[4096];
      ssize_t n = recv(stream, data, sizeof data, 0);
      if (n > 0) last_echo = now;
      else if (n == 0) cut = now, how = "closed";
      else if (errno != EAGAIN && errno != EINTR) cut = now, how = Why(errno);
    }
    for (size_t i = 0; i < attempts.size(); i++) {
      Attempt& a = attempts[i];
      bool over = now - a.started > kQuiet;
      if (polls[i + 1].revents == 0 && !over) continue;
      int error = over ? ETIMEDOUT : 0;
      socklen_t length = sizeof error;
      if (!over) getsockopt(a.fd, SOL_SOCKET, SO_ERROR, &error, &length);
      if (error == 0) {
        last_open = std::max(last_open, a.started);
        if (first_failed <= a.started) first_failed = 0;
      } else if (a.started > last_open && (first_failed == 0 || a.started < first_failed)) {
        first_failed = a.started;
      }
      CloseAbruptly(a.fd);
      a.fd = -1;
    }
    attempts.erase(std::remove_if(attempts.begin(), attempts.end(), [](const Attempt& a) { return a.fd < 0; }),
                   attempts.end());
  }
  for (const Attempt& a : attempts) CloseAbruptly(a.fd);
  CloseAbruptly(stream);
  Answer(id, "live " + std::to_string(last_open) + " " + std::to_string(first_failed) + " " + std::to_string(cut) +
                 " " + how);
}

void Host::Command(const std::string& line) {
  std::istringstream words(line);
  std::string id, verb, a, b;
  int port = 0, x = 0, y = 0, z = 0;
  words >> id >> verb;
  if (verb == "listen" && words >> a >> port) return Listen(id, a, port);
  if (verb == "probe" && words >> a >> b >> port >> x) return Probe(id, a, b, port, x);
  if (verb == "rtt" && words >> a >> port >> x >> y >> z) return Rtt(id, a, port, x, y, z);
  if (verb == "live" && words >> a >> port >> x) return Live(id, a, port, x);
  if (verb == "sysctl" && words >> a >> b && a.rfind("net/", 0) == 0) {
    int fd = open(("/proc/sys/" + a).c_str(), O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, b.data(), b.size()) == static_cast<ssize_t>(b.size());
    Answer(id, ok ? "ok" : std::string("error ") + strerror(errno));
    if (fd >= 0) close(fd);
    return;
  }
  Answer(id, "error command");
}

void Host::Ready(Peer* peer, short events) {
  if (peer->role == Role::kProbe) return ProbeReady(peer);
  if (peer->role == Role::kListener) {
    for (int fd; (fd = accept4(peer->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      SetNoDelay(fd);
      added_.push_back({fd, Role::kConnection});
    }
    return;
  }
  char data[2048];
  if (peer->role == Role::kUdpServer) {
    sockaddr_in6 from;
    for (;;) {
      socklen_t length = sizeof from;
      ssize_t n = recvfrom(peer->fd, data, sizeof data, 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (n < 0) return;
      sendto(peer->fd, data, static_cast<size_t>(n), 0, reinterpret_cast<sockaddr*>(&from), length);
    }
  }
  ssize_t n = recv(peer->fd, data, sizeof data, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR) && (events & (POLLERR | POLLHUP)) == 0) return;
  if (n > 0 && send(peer->fd, data, static_cast<size_t>(n), MSG_NOSIGNAL) == n) return;
  close(peer->fd);
  peer->fd = -1;
}

int Host::Run() {
  SetNonBlocking(STDIN_FILENO);
  std::vector<pollfd> polls;
  for (;;) {
    peers_.insert(peers_.end(), added_.begin(), added_.end());
    added_.clear();
    polls.assign(1, pollfd{STDIN_FILENO, POLLIN, 0});
    int64_t now = Now(), deadline = INT64_MAX;
    for (const Peer& p : peers_) {
      polls.push_back({p.fd, static_cast<short>(p.connecting ? POLLOUT : POLLIN), 0});
      if (p.role == Role::kProbe) deadline = std::min(deadline, p.deadline);
    }
    int wait = deadline == INT64_MAX ? -1 : static_cast<int>(std::max<int64_t>(0, (deadline - now) / kMillisecond + 1));
    if (poll(polls.data(), polls.size(), wait) < 0 && errno != EINTR) return 1;
    now = Now();
    for (size_t i = 0; i < peers_.size(); i++) {
      Peer& p = peers_[i];
      if (polls[i + 1].revents != 0) Ready(&p, polls[i + 1].revents);
      if (p.fd >= 0 && p.role == Role::kProbe && now >= p.deadline) Finish(&p, "closed timeout");
    }
    peers_.erase(std::remove_if(peers_.begin(), peers_.end(), [](const Peer& p) { return p.fd < 0; }), peers_.end());
    if (polls[0].revents == 0) continue;
    char data[65536];
    ssize_t n = read(STDIN_FILENO, data, sizeof data);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return 0;
    if (n > 0) input_.append(data, static_cast<size_t>(n));
    size_t start = 0;
    for (size_t end; (end = input_.find('\n', start)) != std::string::npos; start = end + 1)
      Command(input_.substr(start, end - start));
    input_.erase(0, start);
  }
}

}  // namespace

int main() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A Ctrl-C on the terminal reaches the whole process group; the lab's owner decides when its hosts go.
  signal(SIGINT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  return Host().Run();
}
