// Traffic for the benchmark: each run of this program makes one kind of it in the network namespace that it was started
// in, prints what came of it on standard output, and ends. Arguments are words `key=value`; times are nanoseconds.
//
//   serve  udp:PORT | sink:PORT | tcp:PORT | bulk:PORT ...    answers, swallows, accepts; prints "ready", until killed
//   rtt    from= to= pairs= port= first= count= gap=US        a UDP byte there and back, each from a new source port
//   flood  from= to= pairs= port= mac= protocol=udp|tcp sources=sequential|ports|addresses first= count= [seconds= rate=]
//   connect from= to= pairs= port= first= seconds= threads= | rate=    TCP connections, one after the other or paced
//   bulk   from= to= port= streams= seconds=                  TCP, as fast as it goes
//   flip   from= to= pairs= port= first= interval=US limit=MS want=open|closed    when new flows began to be let through
//   get    port= path= [interval=US seconds=]                 HTTP from 127.0.0.1: the body, or how long each answer took
//   flush                                                     forgets the namespace's connections

#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr int64_t kFirstPort = 1024;
constexpr int64_t kPorts = 65536 - kFirstPort;

uint32_t ParseAddress(const std::string& text) {
  in_addr address;
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) Fail("no IPv4 address: " + text);
  return ntohl(address.s_addr);
}

sockaddr_in MakeAddress(uint32_t address, int64_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_addr.s_addr = htonl(address);
  result.sin_port = htons(static_cast<uint16_t>(port));
  return result;
}

}  // namespace

void Fail(const std::string& what) {
  if (errno != 0) fprintf(stderr, "traffic: %s: %s\n", what.c_str(), strerror(errno));
  else fprintf(stderr, "traffic: %s\n", what.c_str());
  exit(1);
}

Arguments::Arguments(int count, char** words) {
  for (int i = 0; i < count; i++) {
    const std::string word = words[i];
    const size_t at = word.find('=');
    if (at == std::string::npos) Fail("key=value expected: " + word);
    values_[word.substr(0, at)] = word.substr(at + 1);
  }
}

const std::string& Arguments::Text(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) Fail("missing: " + key + "=");
  return found->second;
}

int64_t Arguments::Number(const std::string& key) const {
  const std::string& text = Text(key);
  char* end = nullptr;
  const int64_t value = strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < 0) Fail("no number: " + key + "=" + text);
  return value;
}

int64_t Arguments::Number(const std::string& key, int64_t otherwise) const {
  return Has(key) ? Number(key) : otherwise;
}

Pairs::Pairs(const Arguments& arguments)
    : client_(ParseAddress(arguments.Text("from"))),
      server_(ParseAddress(arguments.Text("to"))),
      pairs_(arguments.Number("pairs", 1)),
      first_(arguments.Number("first", 0)),
      port_(static_cast<uint16_t>(arguments.Number("port"))) {
  if (pairs_ < 1) Fail("pairs= must be 1 or more");
}

sockaddr_in Pairs::Client(int64_t flow) const {
  return MakeAddress(client_ + static_cast<uint32_t>(flow % pairs_), kFirstPort + (first_ + flow / pairs_) % kPorts);
}

sockaddr_in Pairs::Server(int64_t flow) const {
  return MakeAddress(server_ + static_cast<uint32_t>(flow % pairs_), port_);
}

int BindClient(int type, const sockaddr_in& client) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) Fail("socket");
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&client), sizeof client) == 0) return fd;
  if (errno != EADDRINUSE) Fail("bind");
  close(fd);
  return -1;
}

void CloseAbruptly(int fd) {
  linger l{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  close(fd);
}

void RaiseFileLimit() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A Ctrl-C on the terminal reaches the whole process group; who started this decides when it ends.
  signal(SIGINT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "serve") return Serve(argc - 2, argv + 2);
  const Arguments arguments(argc > 2 ? argc - 2 : 0, argv + 2);
  if (command == "rtt") return RoundTrips(arguments);
  if (command == "flood") return Flood(arguments);
  if (command == "connect") return Connect(arguments);
  if (command == "bulk") return Bulk(arguments);
  if (command == "flip") return Flip(arguments);
  if (command == "get") return Get(arguments);
  if (command == "flush") return Flush();
  Fail("a command is one of serve, rtt, flood, connect, bulk, flip, get, flush");
}
