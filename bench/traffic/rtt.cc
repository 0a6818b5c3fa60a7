// Round trips of a flow's first packet: every one is a UDP flow of its own. The server says when it got it, by the same
// clock, so that the way there is known as well.
//
// Prints "lost=N", then a line "ROUND_TRIP ONE_WAY" for each answer.

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "traffic.h"

int RoundTrips(const Arguments& arguments) {
  const Pairs pairs(arguments);
  const int64_t count = arguments.Number("count");
  const int64_t gap = arguments.Number("gap", 0) * 1000;
  const int64_t patience = arguments.Number("timeout", 1000);
  struct Sample {
    int64_t there_and_back, there;
  };
  std::vector<Sample> samples;
  samples.reserve(static_cast<size_t>(count));
  int64_t lost = 0;
  for (int64_t i = 0; i < count; i++) {
    const sockaddr_in server = pairs.Server(i);
    const int fd = BindClient(SOCK_DGRAM, pairs.Client(i));
    if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) Fail("connect");
    if (gap > 0) {
      timespec t{gap / kSecond, gap % kSecond};
      nanosleep(&t, nullptr);
    }
    timeval t{patience / 1000, patience % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    int64_t arrived = 0;
    const int64_t start = Now();
    const bool answered = send(fd, &start, sizeof start, 0) == sizeof start &&
                          recv(fd, &arrived, sizeof arrived, 0) == sizeof arrived;
    const int64_t end = Now();
    close(fd);
    if (answered) samples.push_back({end - start, arrived - start});
    else lost++;
  }
  printf("lost=%lld\n", static_cast<long long>(lost));
  for (const Sample& s : samples) {
    printf("%lld %lld\n", static_cast<long long>(s.there_and_back), static_cast<long long>(s.there));
  }
  return 0;
}
