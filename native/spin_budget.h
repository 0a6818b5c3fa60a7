// Whether to look for the next packet again and again for a moment, instead of sleeping until the kernel wakes the
// thread. Waking up is most of what a queue adds to a packet's latency where sender and engine have a CPU each, but
// looking is wasted where packets are far apart, and does harm where others wait for this very CPU: the sender, or
// somebody whose turn it is next, for a whole slice of time, since we have used up ours. So each look that found nothing
// doubles the number of idle moments in which there is none, up to `kMostSkipped`; one that was interrupted is followed
// by `kSkippedWhenContended`; one that found something begins anew.
#ifndef VERDICTD_SPIN_BUDGET_H_
#define VERDICTD_SPIN_BUDGET_H_

#include <stdint.h>

namespace verdictd {

class SpinBudget {
 public:
  static constexpr uint32_t kMostSkipped = 1024;
  static constexpr uint32_t kSkippedWhenContended = 64;

  // 0: never.
  explicit SpinBudget(uint32_t microseconds = 0) : nanoseconds_(int64_t{microseconds} * 1000) {}

  // Asked once as the queue has run empty: nanoseconds to look for, or 0.
  int64_t Take() {
    if (nanoseconds_ == 0) return 0;
    if (skipping_ > 0) {
      skipping_--;
      return 0;
    }
    return nanoseconds_;
  }
  void Paid() {
    paid_++;
    penalty_ = 0;
  }
  void Failed() {
    failed_++;
    skipping_ = penalty_;
    penalty_ = penalty_ == 0 ? 1 : penalty_ * 2;
    if (penalty_ > kMostSkipped) penalty_ = kMostSkipped;
  }

  // Somebody else had the CPU meanwhile.
  void Contended() {
    failed_++;
    skipping_ = kSkippedWhenContended;
  }

  double paid() const { return static_cast<double>(paid_); }
  double failed() const { return static_cast<double>(failed_); }

 private:
  int64_t nanoseconds_;
  uint32_t skipping_ = 0;  // idle moments still to sleep through
  uint32_t penalty_ = 0;   // of the next failure
  uint64_t paid_ = 0, failed_ = 0;
};

}  // namespace verdictd

#endif  // VERDICTD_SPIN_BUDGET_H_
