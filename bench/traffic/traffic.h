// What the traffic programs share: arguments, addresses, time. Each command is one function in a file of its name.

#ifndef VERDICTD_BENCH_TRAFFIC_H_
#define VERDICTD_BENCH_TRAFFIC_H_

#include <netinet/in.h>
#include <stdint.h>
#include <time.h>

#include <map>
#include <string>

constexpr int64_t kSecond = 1000 * 1000 * 1000;
constexpr int64_t kMillisecond = 1000 * 1000;

// CLOCK_MONOTONIC, which is the same in every network namespace, and the clock of Node's process.hrtime.
inline int64_t Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * kSecond + t.tv_nsec;
}

// Words `key=value` of the command line. Ends the program where one that is asked for is missing or isn't a number.
class Arguments {
 public:
  Arguments(int count, char** words);
  const std::string& Text(const std::string& key) const;
  int64_t Number(const std::string& key) const;
  int64_t Number(const std::string& key, int64_t otherwise) const;
  bool Has(const std::string& key) const { return values_.count(key) != 0; }

 private:
  std::map<std::string, std::string> values_;
};

// Ends the program: `traffic: WHAT`, with errno's text where there is an error.
[[noreturn]] void Fail(const std::string& what);

// `pairs` clients and servers, client i talking to server i, with addresses that follow each other: flow number n is
// pair n modulo `pairs`, and its source port changes from one round of pairs to the next, starting with `first`.
class Pairs {
 public:
  explicit Pairs(const Arguments& arguments);
  sockaddr_in Client(int64_t flow) const;
  sockaddr_in Server(int64_t flow) const;

 private:
  uint32_t client_, server_;
  int64_t pairs_, first_;
  uint16_t port_;
};

// A socket bound to the flow's client, not connected yet; -1 where its port is taken.
int BindClient(int type, const sockaddr_in& client);

// A reset instead of FIN: connections by the thousand leave no TIME_WAIT behind.
void CloseAbruptly(int fd);

void RaiseFileLimit();

// Server side, until killed.
int Serve(int count, char** words);
int RoundTrips(const Arguments& arguments);
int Flood(const Arguments& arguments);
int Connect(const Arguments& arguments);
int Bulk(const Arguments& arguments);
int Flip(const Arguments& arguments);
int Get(const Arguments& arguments);
int Flush();

#endif  // VERDICTD_BENCH_TRAFFIC_H_
