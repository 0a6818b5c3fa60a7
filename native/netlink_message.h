// Writing and reading netlink messages: alignment, headers, attributes. Bounds are the reader's business and are
// checked here; a writer's buffer is its caller's promise.
#ifndef VERDICTD_NETLINK_MESSAGE_H_
#define VERDICTD_NETLINK_MESSAGE_H_

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>

#include <vector>

namespace verdictd {

// NLA_ALIGN and NLMSG_ALIGN: both align to 4.
constexpr size_t Align4(size_t n) { return (n + 3) & ~size_t{3}; }

// Appends one message to a buffer. Offsets, not pointers: the buffer may move while it grows.
class MessageWriter {
 public:
  MessageWriter(std::vector<uint8_t>* out, uint16_t type, uint16_t flags, uint32_t sequence)
      : out_(out), start_(out->size()) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
    header.nlmsg_seq = sequence;
    Append(&header, sizeof header);
  }
  ~MessageWriter() {
    const auto length = static_cast<uint32_t>(out_->size() - start_);
    memcpy(out_->data() + start_, &length, sizeof length);
  }
  MessageWriter(const MessageWriter&) = delete;
  MessageWriter& operator=(const MessageWriter&) = delete;

  void Append(const void* data, size_t length) {
    const size_t at = out_->size();
    out_->resize(at + Align4(length), 0);
    memcpy(out_->data() + at, data, length);
  }
  void Attribute(uint16_t type, const void* data, size_t length) {
    nlattr attribute{};
    attribute.nla_len = static_cast<uint16_t>(sizeof attribute + length);
    attribute.nla_type = type;
    Append(&attribute, sizeof attribute);
    Append(data, length);
  }

 private:
  std::vector<uint8_t>* out_;
  size_t start_;
};

// Calls visit(type, data, length) for each attribute that lies wholly within the bytes.
template <typename Visit>
void ForEachAttribute(const uint8_t* bytes, size_t length, Visit visit) {
  while (length >= sizeof(nlattr)) {
    nlattr attribute;
    memcpy(&attribute, bytes, sizeof attribute);
    if (attribute.nla_len < sizeof attribute || attribute.nla_len > length) return;
    visit(attribute.nla_type & NLA_TYPE_MASK, bytes + sizeof attribute, attribute.nla_len - sizeof attribute);
    const size_t step = Align4(attribute.nla_len);
    if (step >= length) return;
    bytes += step;
    length -= step;
  }
}

// Calls visit(header, payload, length) for each message that lies wholly within the bytes.
template <typename Visit>
void ForEachMessage(const uint8_t* bytes, size_t length, Visit visit) {
  while (length >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    memcpy(&header, bytes, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > length) return;
    visit(header, bytes + sizeof header, header.nlmsg_len - sizeof header);
    const size_t step = Align4(header.nlmsg_len);
    if (step >= length) return;
    bytes += step;
    length -= step;
  }
}

}  // namespace verdictd

#endif  // VERDICTD_NETLINK_MESSAGE_H_
