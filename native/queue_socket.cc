#include "queue_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <string>

#include "addon_data.h"
#include "netlink_message.h"
#include "packet_parser.h"

namespace verdictd {
namespace {

// A turn of the event loop serves at most this many batches, so that messages from other threads are heard in between.
constexpr int kBatchesPerTurn = 16;
// What a queued packet's message holds besides the packet: header, mark, interfaces, addresses, security context.
constexpr size_t kMetadataBytes = 1024;
constexpr int kBindTimeoutMs = 5000;
// nlmsghdr, nfgenmsg, verdict and mark attributes: one answer.
constexpr size_t kVerdictBytes = sizeof(nlmsghdr) + sizeof(nfgenmsg) + 4 + sizeof(nfqnl_msg_verdict_hdr) + 4 + 4;

double NowMicroseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

uint32_t ReadBig32(const uint8_t* bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  return ntohl(value);
}

uint16_t QueueMessage(int type) { return static_cast<uint16_t>(NFNL_SUBSYS_QUEUE << 8 | type); }

nfgenmsg QueueHeader(uint32_t queue) {
  nfgenmsg header{};
  header.nfgen_family = AF_UNSPEC;
  header.version = NFNETLINK_V0;
  header.res_id = htons(static_cast<uint16_t>(queue));
  return header;
}

}  // namespace

Napi::Function QueueSocket::Define(Napi::Env env) {
  return DefineClass(env, "QueueSocket",
                     {InstanceMethod<&QueueSocket::Start>("start"), InstanceMethod<&QueueSocket::Send>("send"),
                      InstanceMethod<&QueueSocket::Stats>("stats"), InstanceMethod<&QueueSocket::Close>("close")});
}

QueueSocket::QueueSocket(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (!ReadOptions(info)) return;
  buffer_bytes_ = Align4(copy_range_ + kMetadataBytes);
  buffers_.resize(buffer_bytes_ * slots_);
  headers_.resize(slots_);
  vectors_.resize(slots_);
  for (uint32_t i = 0; i < slots_; i++) {
    vectors_[i] = {buffers_.data() + i * buffer_bytes_, buffer_bytes_};
    headers_[i] = {};
    headers_[i].msg_hdr.msg_iov = &vectors_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
  verdicts_.resize(slots_ * kVerdictBytes);
  Bind(info.Env());
}

QueueSocket::~QueueSocket() { Shut(); }

bool QueueSocket::ReadOptions(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fail = [&](const char* what) {
    Napi::TypeError::New(env, std::string("QueueSocket: ") + what).ThrowAsJavaScriptException();
    return false;
  };
  if (info.Length() < 1 || !info[0].IsObject()) return fail("options are an object");
  const auto options = info[0].As<Napi::Object>();
  const auto number = [&](const char* name, uint32_t minimum, uint32_t maximum, uint32_t* out) {
    const Napi::Value value = options.Get(name);
    if (!value.IsNumber()) return false;
    const double d = value.As<Napi::Number>().DoubleValue();
    if (!(d >= minimum && d <= maximum) || d != static_cast<double>(static_cast<uint32_t>(d))) return false;
    *out = static_cast<uint32_t>(d);
    return true;
  };
  if (!number("queue", 0, 65535, &queue_)) return fail("queue is 0 to 65535");
  if (!number("copyRangeBytes", 64, 65535, &copy_range_)) return fail("copyRangeBytes is 64 to 65535");
  if (!number("maxLength", 1, UINT32_MAX, &max_length_)) return fail("maxLength is at least 1");
  if (!number("receiveBufferBytes", 4096, 1u << 30, &receive_buffer_)) return fail("receiveBufferBytes is 4096 to 1 GiB");
  if (!number("slots", 1, 1024, &slots_)) return fail("slots is 1 to 1024");
  if (!number("errorVerdict", 0, 1, &error_verdict_)) return fail("errorVerdict is 0 or 1");
  if (!number("errorMark", 0, UINT32_MAX, &error_mark_)) return fail("errorMark is 32 bits");
  if (!number("markMask", 0, UINT32_MAX, &mark_mask_)) return fail("markMask is 32 bits");
  if (!options.Get("failOpen").IsBoolean()) return fail("failOpen is a boolean");
  fail_open_ = options.Get("failOpen").As<Napi::Boolean>();
  const Napi::Value slab = options.Get("slab");
  // A view over the whole buffer tells address and length alike for ArrayBuffer and SharedArrayBuffer, which Node-API
  // before version 10 can't open by itself.
  if (!slab.IsObject()) return fail("slab is an ArrayBuffer or a SharedArrayBuffer");
  const Napi::Value view = env.Global().Get("Uint32Array").As<Napi::Function>().New({slab});
  if (env.IsExceptionPending()) return false;
  const auto words = view.As<Napi::Uint32Array>();
  void* data = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env, words, nullptr, &length, &data, nullptr, nullptr) != napi_ok) {
    return fail("slab is an ArrayBuffer or a SharedArrayBuffer");
  }
  if (length < kHeaderWords + static_cast<size_t>(slots_) * kSlotWords) return fail("slab is too small for its slots");
  slab_ = Napi::Persistent(view.As<Napi::Object>());
  slab_words_ = static_cast<uint32_t*>(data);
  return true;
}

// One message binds and configures: the kernel takes the command first, then the rest.
std::vector<uint8_t> QueueSocket::ConfigMessage(uint8_t command) const {
  std::vector<uint8_t> bytes;
  {
    MessageWriter message(&bytes, QueueMessage(NFQNL_MSG_CONFIG), NLM_F_REQUEST | NLM_F_ACK, 1);
    const nfgenmsg header = QueueHeader(queue_);
    message.Append(&header, sizeof header);
    nfqnl_msg_config_cmd cmd{};
    cmd.command = command;
    message.Attribute(NFQA_CFG_CMD, &cmd, sizeof cmd);
    if (command == NFQNL_CFG_CMD_BIND) {
      nfqnl_msg_config_params params{};
      params.copy_range = htonl(copy_range_);
      params.copy_mode = NFQNL_COPY_PACKET;
      message.Attribute(NFQA_CFG_PARAMS, &params, sizeof params);
      const uint32_t max_length = htonl(max_length_);
      message.Attribute(NFQA_CFG_QUEUE_MAXLEN, &max_length, sizeof max_length);
      // GSO: without it the kernel cuts merged packets up before it queues them; slow, and SCTP breaks.
      const uint32_t mask = htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN);
      const uint32_t flags = htonl(NFQA_CFG_F_GSO | (fail_open_ ? NFQA_CFG_F_FAIL_OPEN : 0));
      message.Attribute(NFQA_CFG_MASK, &mask, sizeof mask);
      message.Attribute(NFQA_CFG_FLAGS, &flags, sizeof flags);
    }
  }
  return bytes;
}

void QueueSocket::Bind(Napi::Env env) {
  const std::string operation = "bind queue " + std::to_string(queue_);
  fd_.Reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd_.is_open()) return ThrowKernelError(env, "VERDICTD_NETLINK", operation, errno, "");
  const int size = static_cast<int>(receive_buffer_);
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  const std::vector<uint8_t> message = ConfigMessage(NFQNL_CFG_CMD_BIND);
  const ssize_t sent = send(fd_.get(), message.data(), message.size(), 0);
  const int error = sent < 0 ? errno : AwaitBound();
  if (error == 0) return;
  fd_.Close();
  // The kernel answers EPERM both for a queue that somebody else holds and for a lack of privilege; as root in the
  // namespace it can only be the first.
  if (error == EPERM && geteuid() == 0) {
    ThrowKernelError(env, "VERDICTD_QUEUE_BUSY", operation, error,
                     "another program holds this queue, or CAP_NET_ADMIN is missing; choose another number with --queue");
  } else if (error == EPERM) {
    ThrowKernelError(env, "VERDICTD_NO_PRIVILEGE", operation, error,
                     "CAP_NET_ADMIN is missing, or another program holds this queue; run it with sudo");
  } else {
    ThrowKernelError(env, "VERDICTD_NETLINK", operation, error,
                     error == EINVAL ? "the kernel lacks NFQUEUE; try modprobe nfnetlink_queue" : "");
  }
}

// Waits for the answer to the configuration; returns its errno. Packets may come first: they are kept.
int QueueSocket::AwaitBound() {
  std::vector<uint8_t> buffer(buffer_bytes_);
  for (;;) {
    pollfd readable{fd_.get(), POLLIN, 0};
    const int ready = poll(&readable, 1, kBindTimeoutMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return ready == 0 ? ETIMEDOUT : errno;
    const ssize_t n = recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == ENOBUFS) {
      overruns_++;
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    int answer = -1;
    bool has_packet = false;
    ForEachMessage(buffer.data(), static_cast<size_t>(n),
                   [&](const nlmsghdr& header, const uint8_t* payload, size_t length) {
                     if (header.nlmsg_type == NLMSG_ERROR && length >= 4) {
                       int32_t code;
                       memcpy(&code, payload, sizeof code);
                       answer = -code;
                     } else {
                       has_packet = true;
                     }
                   });
    if (has_packet) early_.emplace_back(buffer.begin(), buffer.begin() + n);
    if (answer >= 0) return answer;
  }
}

void QueueSocket::Start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!fd_.is_open() || poll_ != nullptr || info.Length() < 2 || !info[0].IsFunction() || !info[1].IsFunction()) {
    Napi::TypeError::New(env, "QueueSocket.start: two functions, once, on an open socket").ThrowAsJavaScriptException();
    return;
  }
  uv_loop_s* loop = nullptr;
  auto* handle = static_cast<uv_poll_s*>(calloc(1, uv_handle_size(kUvPollHandle)));
  if (handle == nullptr || napi_get_uv_event_loop(env, &loop) != napi_ok ||
      uv_poll_init(loop, handle, fd_.get()) != 0) {
    free(handle);
    ThrowKernelError(env, "VERDICTD_NETLINK", "watch queue " + std::to_string(queue_), 0, "the event loop refused it");
    return;
  }
  poll_ = new Poll{this, nullptr, handle};
  uv_handle_set_data(reinterpret_cast<uv_handle_s*>(handle), poll_);
  napi_add_async_cleanup_hook(env, &QueueSocket::OnEnvironmentCleanup, poll_, &poll_->hook);
  on_batch_ = Napi::Persistent(info[0].As<Napi::Function>());
  on_error_ = Napi::Persistent(info[1].As<Napi::Function>());
  Ref();  // The event loop refers to this object until it's closed.
  uv_poll_start(handle, kUvReadable, &QueueSocket::OnReadable);
  if (early_.empty()) return;
  // Those were taken off the socket: nothing will make it readable for them. Close() may come from the callback.
  const std::vector<std::vector<uint8_t>> early = std::move(early_);
  early_.clear();
  for (size_t at = 0; at < early.size() && fd_.is_open();) {
    for (; at < early.size() && batch_ < slots_; at++) TakeDatagram(early[at].data(), early[at].size(), true);
    received_at_ = NowMicroseconds();
    CallBatch(env);
  }
}

void QueueSocket::OnReadable(uv_poll_s* handle, int, int) {
  auto* poll = static_cast<Poll*>(uv_handle_get_data(reinterpret_cast<uv_handle_s*>(handle)));
  if (poll->owner != nullptr) poll->owner->ServeBatches();
}

void QueueSocket::ServeBatches() {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  for (int i = 0; i < kBatchesPerTurn && fd_.is_open(); i++) {
    const uint32_t received = Receive();
    if (batch_ > 0) CallBatch(env);
    if (received < slots_) return;
  }
}

// One call into JavaScript. Whatever it does, every slot of the batch is answered when this returns.
void QueueSocket::CallBatch(Napi::Env env) {
  if (batch_ == 0) return;
  in_callback_ = true;
  on_batch_.Value().MakeCallback(env.Global(), {Napi::Number::New(env, batch_)}, nullptr);
  const bool threw = env.IsExceptionPending();
  Napi::Value error = threw ? env.GetAndClearPendingException().Value() : env.Undefined();
  if (batch_ > 0) {
    if (threw) failed_ += batch_;
    SendVerdicts();
  }
  if (threw && !on_error_.IsEmpty()) {
    on_error_.Value().MakeCallback(env.Global(), {error}, nullptr);
    // A handler that throws as well has no one left to tell.
    if (env.IsExceptionPending()) env.GetAndClearPendingException();
  }
  in_callback_ = false;
  if (close_wanted_) Shut();
}

// Fills slots from what the socket holds, without waiting; returns how many datagrams there were.
uint32_t QueueSocket::Receive() {
  for (;;) {
    const int n = recvmmsg(fd_.get(), headers_.data(), slots_, MSG_DONTWAIT, nullptr);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS) {
      // The kernel could not hand over some packet, and dealt with it by the queue's own rule. Ours go on.
      overruns_++;
      continue;
    }
    if (n <= 0) return 0;
    received_at_ = NowMicroseconds();
    for (int i = 0; i < n; i++) {
      const bool is_whole = (headers_[i].msg_hdr.msg_flags & MSG_TRUNC) == 0;
      TakeDatagram(static_cast<const uint8_t*>(vectors_[i].iov_base),
                   std::min<size_t>(headers_[i].msg_len, buffer_bytes_), is_whole);
    }
    return static_cast<uint32_t>(n);
  }
}

// The kernel puts one packet into each datagram.
void QueueSocket::TakeDatagram(const uint8_t* bytes, size_t length, bool is_whole) {
  if (length < sizeof(nlmsghdr)) return;
  nlmsghdr header;
  memcpy(&header, bytes, sizeof header);
  if (header.nlmsg_type == QueueMessage(NFQNL_MSG_PACKET) && length >= sizeof header + sizeof(nfgenmsg)) {
    const size_t offset = sizeof header + sizeof(nfgenmsg);
    TakePacket(bytes + offset, std::min<size_t>(length, header.nlmsg_len) - offset, is_whole);
  } else if (header.nlmsg_type == NLMSG_ERROR) {
    // Verdicts ask for no answer, so this is one that the kernel didn't take.
    send_errors_++;
  }
}

void QueueSocket::TakePacket(const uint8_t* attributes, size_t length, bool is_whole) {
  if (batch_ >= slots_) return;
  PacketSlot* slot = Slot(batch_);
  memset(slot, 0, sizeof *slot);
  const uint8_t* payload = nullptr;
  size_t payload_length = 0;
  bool has_id = false;
  ForEachAttribute(attributes, length, [&](int type, const uint8_t* data, size_t size) {
    if (type == NFQA_PACKET_HDR && size >= sizeof(nfqnl_msg_packet_hdr)) {
      slot->packet_id = ReadBig32(data);
      slot->hook = data[6];
      has_id = true;
    } else if (type == NFQA_PAYLOAD) {
      payload = data;
      payload_length = size;
    } else if (size == 4) {
      if (type == NFQA_MARK) slot->mark_in = ReadBig32(data);
      if (type == NFQA_IFINDEX_INDEV) slot->in_interface = ReadBig32(data);
      if (type == NFQA_IFINDEX_OUTDEV) slot->out_interface = ReadBig32(data);
      if (type == NFQA_CAP_LEN) slot->length_bytes = ReadBig32(data);
    }
  });
  if (!has_id) return;  // Without its number there is nothing to answer.
  if (slot->length_bytes == 0) slot->length_bytes = static_cast<uint32_t>(payload_length);
  ParsePacket(payload, is_whole && payload != nullptr ? payload_length : 0, slot);
  if ((slot->flags & kUnparseable) != 0) unparseable_++;
  PresetAnswer(slot);
  batch_++;
  received_++;
}

void QueueSocket::PresetAnswer(PacketSlot* slot) const {
  slot->verdict = error_verdict_;
  slot->mark_out = (slot->mark_in & ~mark_mask_) | (error_mark_ & mark_mask_);
}

Napi::Value QueueSocket::Send(const Napi::CallbackInfo& info) {
  SendVerdicts();
  return Napi::Number::New(info.Env(), NowMicroseconds() - received_at_);
}

// All answers of the batch in one send; the kernel takes the messages one by one.
void QueueSocket::SendVerdicts() {
  const uint32_t count = batch_;
  batch_ = 0;
  if (count == 0 || !fd_.is_open()) return;
  uint8_t* out = verdicts_.data();
  const nfgenmsg queue = QueueHeader(queue_);
  for (uint32_t i = 0; i < count; i++) {
    const PacketSlot* slot = Slot(i);
    nlmsghdr header{};
    header.nlmsg_len = kVerdictBytes;
    header.nlmsg_type = QueueMessage(NFQNL_MSG_VERDICT);
    header.nlmsg_flags = NLM_F_REQUEST;
    nlattr verdict_attribute{4 + sizeof(nfqnl_msg_verdict_hdr), NFQA_VERDICT_HDR};
    nfqnl_msg_verdict_hdr verdict;
    verdict.verdict = htonl(slot->verdict == NF_ACCEPT ? NF_ACCEPT : NF_DROP);
    verdict.id = htonl(slot->packet_id);
    nlattr mark_attribute{4 + 4, NFQA_MARK};
    const uint32_t mark = htonl(slot->mark_out);
    const auto put = [&](const void* data, size_t length) {
      memcpy(out, data, length);
      out += length;
    };
    put(&header, sizeof header);
    put(&queue, sizeof queue);
    put(&verdict_attribute, sizeof verdict_attribute);
    put(&verdict, sizeof verdict);
    put(&mark_attribute, sizeof mark_attribute);
    put(&mark, sizeof mark);
  }
  // The socket is a blocking one for sends: the kernel works the messages off before the call returns.
  for (;;) {
    const ssize_t n = send(fd_.get(), verdicts_.data(), count * kVerdictBytes, 0);
    if (n >= 0) break;
    if (errno == EINTR || errno == EAGAIN || errno == ENOMEM) continue;
    send_errors_ += count;
    return;
  }
  sent_ += count;
}

Napi::Value QueueSocket::Stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object stats = Napi::Object::New(env);
  stats["received"] = Napi::Number::New(env, received_);
  stats["sent"] = Napi::Number::New(env, sent_);
  stats["unparseable"] = Napi::Number::New(env, unparseable_);
  stats["overruns"] = Napi::Number::New(env, overruns_);
  stats["sendErrors"] = Napi::Number::New(env, send_errors_);
  stats["failed"] = Napi::Number::New(env, failed_);
  return stats;
}

void QueueSocket::Close(const Napi::CallbackInfo&) {
  if (in_callback_) {
    close_wanted_ = true;  // This batch's answers first.
  } else {
    Shut();
  }
}

// Answers what is queued with the error verdict, unbinds and closes. May be called twice, and while the environment is
// going: it calls no JavaScript.
void QueueSocket::Shut() {
  close_wanted_ = false;
  if (fd_.is_open()) {
    SendVerdicts();
    for (const auto& datagram : early_) {
      TakeDatagram(datagram.data(), datagram.size(), true);
      SendVerdicts();
    }
    early_.clear();
    // What arrives between this and the unbinding, the kernel drops with the queue.
    for (;;) {
      const uint32_t received = Receive();
      failed_ += batch_;
      SendVerdicts();
      if (received < slots_) break;
    }
    const std::vector<uint8_t> message = ConfigMessage(NFQNL_CFG_CMD_UNBIND);
    const ssize_t ignored = send(fd_.get(), message.data(), message.size(), 0);
    static_cast<void>(ignored);  // Closing the socket unbinds as well.
  }
  if (poll_ != nullptr) {
    Poll* poll = poll_;
    poll_ = nullptr;
    poll->owner = nullptr;
    uv_poll_stop(poll->handle);
    uv_close(reinterpret_cast<uv_handle_s*>(poll->handle), [](uv_handle_s* handle) {
      auto* closed = static_cast<Poll*>(uv_handle_get_data(handle));
      if (closed->hook != nullptr) napi_remove_async_cleanup_hook(closed->hook);
      free(closed->handle);
      delete closed;
    });
    on_batch_.Reset();
    on_error_.Reset();
    Unref();
  }
  fd_.Close();
}

// The environment goes while the socket is open. The close callback, which removes the hook, lets it go on.
void QueueSocket::OnEnvironmentCleanup(napi_async_cleanup_hook_handle, void* data) {
  auto* poll = static_cast<Poll*>(data);
  if (poll->owner != nullptr) poll->owner->Shut();
}

}  // namespace verdictd
