// Messages of one NFQUEUE, as the kernel takes them: the one that binds or unbinds it, and a packet's verdict.
#ifndef VERDICTD_QUEUE_MESSAGE_H_
#define VERDICTD_QUEUE_MESSAGE_H_

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <sys/socket.h>

#include <vector>

#include "netlink_message.h"

namespace verdictd {

constexpr uint16_t QueueMessage(int type) { return static_cast<uint16_t>(NFNL_SUBSYS_QUEUE << 8 | type); }

inline nfgenmsg QueueHeader(uint32_t queue) {
  nfgenmsg header{};
  header.nfgen_family = AF_UNSPEC;
  header.version = NFNETLINK_V0;
  header.res_id = htons(static_cast<uint16_t>(queue));
  return header;
}

struct QueueParameters {
  uint32_t copy_range;  // bytes of each packet that are handed over
  uint32_t max_length;  // packets that wait before the queue is full
  bool fail_open;       // what doesn't fit is accepted
};

// One message binds and configures: the kernel takes the command first, then the rest. `parameters` is null for every
// other command.
inline std::vector<uint8_t> ConfigMessage(uint32_t queue, uint8_t command, const QueueParameters* parameters) {
  std::vector<uint8_t> bytes;
  {
    MessageWriter message(&bytes, QueueMessage(NFQNL_MSG_CONFIG), NLM_F_REQUEST | NLM_F_ACK, 1);
    const nfgenmsg header = QueueHeader(queue);
    message.Append(&header, sizeof header);
    nfqnl_msg_config_cmd cmd{};
    cmd.command = command;
    message.Attribute(NFQA_CFG_CMD, &cmd, sizeof cmd);
    if (parameters != nullptr) {
      nfqnl_msg_config_params params{};
      params.copy_range = htonl(parameters->copy_range);
      params.copy_mode = NFQNL_COPY_PACKET;
      message.Attribute(NFQA_CFG_PARAMS, &params, sizeof params);
      const uint32_t max_length = htonl(parameters->max_length);
      message.Attribute(NFQA_CFG_QUEUE_MAXLEN, &max_length, sizeof max_length);
      // GSO: without it the kernel cuts merged packets up before it queues them; slow, and SCTP breaks.
      const uint32_t mask = htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN);
      const uint32_t flags = htonl(NFQA_CFG_F_GSO | (parameters->fail_open ? NFQA_CFG_F_FAIL_OPEN : 0));
      message.Attribute(NFQA_CFG_MASK, &mask, sizeof mask);
      message.Attribute(NFQA_CFG_FLAGS, &flags, sizeof flags);
    }
  }
  return bytes;
}

// One NFQNL_MSG_VERDICT; numbers of attributes in network order.
struct VerdictMessage {
  nlmsghdr header;
  nfgenmsg queue;
  nlattr verdict_attribute;
  nfqnl_msg_verdict_hdr verdict;
  nlattr mark_attribute;
  uint32_t mark;
};
static_assert(sizeof(VerdictMessage) == 40, "messages lie end to end, without padding");

// All but the packet's number, verdict and mark.
inline VerdictMessage EmptyVerdict(uint32_t queue) {
  VerdictMessage message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = QueueMessage(NFQNL_MSG_VERDICT);
  message.header.nlmsg_flags = NLM_F_REQUEST;
  message.queue = QueueHeader(queue);
  message.verdict_attribute = {sizeof(nlattr) + sizeof(nfqnl_msg_verdict_hdr), NFQA_VERDICT_HDR};
  message.mark_attribute = {sizeof(nlattr) + sizeof(uint32_t), NFQA_MARK};
  return message;
}

}  // namespace verdictd

#endif  // VERDICTD_QUEUE_MESSAGE_H_
