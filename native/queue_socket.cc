#include "queue_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <string>

#include "addon_data.h"
#include "netlink_message.h"
#include "packet_parser.h"
#include "queue_message.h"

namespace verdictd {
namespace {

// After so long the event loop has its turn, however many packets wait: it hears what the agent says.
constexpr int64_t kTurnNanoseconds = 2'000'000;
// Between two looks for a packet lie some hundred nanoseconds. Where it's as much as this, another thread had the CPU.
constexpr int64_t kStolenNanoseconds = 200'000;
// What a queued packet's message holds besides the packet: header, mark, interfaces, addresses, security context.
constexpr size_t kMetadataBytes = 1024;
constexpr int kBindTimeoutMs = 5000;
// Memory for a send can be short for a moment; after so many tries with a single message, the kernel has none.
constexpr int kSendAttempts = 64;
// Of packets that were kept, so many are answered in one send.
constexpr uint32_t kLateAnswers = 64;

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

uint32_t ReadBig32(const uint8_t* bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  return ntohl(value);
}

// False with the error where it throws, or can't run because the worker is being terminated. The C functions, since
// Napi::Error aborts the whole process where it can't be made while a thread ends.
bool CallFunction(napi_env env, napi_value function, napi_value argument, napi_value* error) {
  napi_value undefined = nullptr, result = nullptr;
  napi_get_undefined(env, &undefined);
  if (argument == nullptr) argument = undefined;
  if (napi_call_function(env, undefined, function, 1, &argument, &result) == napi_ok) return true;
  napi_get_and_clear_last_exception(env, error);
  return false;
}

}  // namespace

Napi::Function QueueSocket::Define(Napi::Env env) {
  return DefineClass(env, "QueueSocket",
                     {InstanceMethod<&QueueSocket::Start>("start"), InstanceMethod<&QueueSocket::Stats>("stats"),
                      InstanceMethod<&QueueSocket::AnswerKept>("answerKept"),
                      InstanceMethod<&QueueSocket::Close>("close")});
}

QueueSocket::QueueSocket(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (!ReadOptions(info)) return;
  PrepareBuffers();
  Bind(info.Env());
}

void QueueSocket::PrepareBuffers() {
  buffer_bytes_ = Align4(copy_range_ + kMetadataBytes);
  buffers_.resize(buffer_bytes_ * slots_);
  headers_.resize(slots_);
  vectors_.resize(slots_);
  answers_.resize(slots_);
  own_slots_.resize(slots_);
  for (uint32_t i = 0; i < slots_; i++) {
    vectors_[i] = {buffers_.data() + i * buffer_bytes_, buffer_bytes_};
    headers_[i] = {};
    headers_[i].msg_hdr.msg_iov = &vectors_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
    answers_[i] = EmptyVerdict(queue_);
  }
  if (!kept_.empty()) late_answers_.assign(kLateAnswers, EmptyVerdict(queue_));
}

QueueSocket::~QueueSocket() { Shut(); }

bool QueueSocket::ReadOptions(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fail = [&](const char* what) {
    // A getter of the options may have thrown: that is told as it is.
    if (!env.IsExceptionPending()) {
      Napi::TypeError::New(env, std::string("QueueSocket: ") + what).ThrowAsJavaScriptException();
    }
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
  uint32_t spin_microseconds = 0;
  if (!number("spinMicroseconds", 0, 1000, &spin_microseconds)) return fail("spinMicroseconds is 0 to 1000");
  spin_ = SpinBudget(spin_microseconds);
  if (!number("errorVerdict", 0, 1, &error_verdict_)) return fail("errorVerdict is 0 or 1");
  if (!number("errorMark", 0, UINT32_MAX, &error_mark_)) return fail("errorMark is 32 bits");
  if (!number("markMask", 0, UINT32_MAX, &mark_mask_)) return fail("markMask is 32 bits");
  uint32_t places = 0;
  if (!options.Get("keeps").IsUndefined() && !number("keeps", 0, 65536, &places)) return fail("keeps is 0 to 65536");
  kept_.resize(places);
  if (!options.Get("failOpen").IsBoolean()) return fail("failOpen is a boolean");
  fail_open_ = options.Get("failOpen").As<Napi::Boolean>();
  // One that is shared can't be given away or shrunk: its address stays good for as long as it's referred to.
  const Napi::Object view = ViewSlab(env, options.Get("slab"));
  if (view.IsEmpty() || options.Get("slab").IsArrayBuffer()) return fail("slab is a SharedArrayBuffer");
  slab_slots_ = SlotsOf(env, view, slots_);
  if (slab_slots_ == nullptr) return fail("slab is too small for its slots");
  slab_header_ = reinterpret_cast<SlabHeader*>(slab_slots_) - 1;
  slab_ = Napi::Persistent(view);
  const Napi::Value packets = options.Get("packets");
  if (packets.IsUndefined()) return true;
  const Napi::Object copies = ViewSlab(env, packets);
  void* data = nullptr;
  size_t words = 0;
  if (copies.IsEmpty() || packets.IsArrayBuffer() ||
      napi_get_typedarray_info(env, copies, nullptr, &words, &data, nullptr, nullptr) != napi_ok || data == nullptr ||
      words * 4 < size_t{slots_} * copy_range_) {
    return fail("packets is a SharedArrayBuffer with room for all slots");
  }
  packet_copies_ = static_cast<uint8_t*>(data);
  packets_ = Napi::Persistent(copies);
  return true;
}

void QueueSocket::Bind(Napi::Env env) {
  const std::string operation = "bind queue " + std::to_string(queue_);
  fd_.Reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd_.is_open()) return ThrowKernelError(env, "VERDICTD_NETLINK", operation, errno, "");
  const int size = static_cast<int>(receive_buffer_);
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  // Messages of the kernel alone: what another process sends to our port is refused.
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  connect(fd_.get(), reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  const int error = Configure(NFQNL_CFG_CMD_BIND);
  if (error == 0) return;
  // EPERM is the answer both for a queue that somebody else holds and for a lack of privilege. Whether we may configure
  // at all, the kernel knows better than our user or our capabilities, which count only in the user namespace that owns
  // this network namespace: PF_UNBIND has done nothing since Linux 3.8, but is refused without the privilege.
  const bool is_busy = error == EPERM && Configure(NFQNL_CFG_CMD_PF_UNBIND) != EPERM;
  fd_.Close();
  if (is_busy) {
    ThrowKernelError(env, "VERDICTD_QUEUE_BUSY", operation, error,
                     "another program holds this queue in this network namespace; stop it, or choose another number "
                     "with --queue");
  } else if (error == EPERM) {
    ThrowKernelError(env, "VERDICTD_NO_PRIVILEGE", operation, error, "CAP_NET_ADMIN is missing; run it with sudo");
  } else {
    ThrowKernelError(env, "VERDICTD_NETLINK", operation, error,
                     error == EINVAL ? "the kernel lacks NFQUEUE; try modprobe nfnetlink_queue" : "");
  }
}

// Sends a configuration and waits for the answer; returns its errno. Packets may come first: they are kept.
int QueueSocket::Configure(uint8_t command) {
  const QueueParameters parameters{copy_range_, max_length_, fail_open_};
  const bool is_bind = command == NFQNL_CFG_CMD_BIND;
  const std::vector<uint8_t> message = ConfigMessage(queue_, command, is_bind ? &parameters : nullptr);
  while (send(fd_.get(), message.data(), message.size(), 0) < 0) {
    if (errno != EINTR) return errno;
  }
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
  if (!fd_.is_open() || poll_ != nullptr || info.Length() < 2 || !info[0].IsFunction() || !info[1].IsFunction() ||
      !(info[2].IsUndefined() || info[2].IsFunction())) {
    Napi::TypeError::New(env, "QueueSocket.start: two functions or three, once, on an open socket").ThrowAsJavaScriptException();
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
  on_turn_end_ = Napi::Persistent(info[2].IsFunction() ? info[2].As<Napi::Function>()
                                                       : Napi::Function::New(env, [](const Napi::CallbackInfo&) {}));
  Ref();  // The event loop refers to this object until it's closed.
  const int status = uv_poll_start(handle, kUvReadable, &QueueSocket::OnReadable);
  if (status != 0) {
    Shut();
    ThrowKernelError(env, "VERDICTD_NETLINK", "watch queue " + std::to_string(queue_), -status, "");
    return;
  }
  ServeEarly();
}

void QueueSocket::ServeEarly() {
  // These were taken off the socket: nothing will make it readable for them. Close() may come from the callback.
  const std::vector<std::vector<uint8_t>> early = std::move(early_);
  early_.clear();
  for (size_t at = 0; at < early.size();) {
    for (; at < early.size() && batch_ < slots_; at++) {
      TakeDatagram(early[at].data(), early[at].size(), true, fd_.is_open() ? slab_slots_ : own_slots_.data());
    }
    received_at_ = Now();
    if (fd_.is_open()) {
      DecideBatch(Env(), on_batch_.Value());
    } else {
      SendVerdicts();
    }
  }
}

void QueueSocket::OnReadable(uv_poll_s* handle, int status, int) {
  auto* poll = static_cast<Poll*>(uv_handle_get_data(reinterpret_cast<uv_handle_s*>(handle)));
  if (poll->owner != nullptr) poll->owner->ServeTurn();
  // A queue that the kernel could not hand a packet of (ENOBUFS) polls as an error, at which libuv stops watching.
  if (status < 0 && poll->owner != nullptr) uv_poll_start(handle, kUvReadable, &QueueSocket::OnReadable);
}

// One turn of the event loop: batches for as long as there are any, or may soon be some.
void QueueSocket::ServeTurn() {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  const Napi::Object self = Value();  // close() lets go of this object, and JavaScript may collect it
  const napi_value on_batch = on_batch_.Value(), on_turn_end = on_turn_end_.Value(),
                   on_error = on_error_.Value();
  const int64_t turn_end = Now() + kTurnNanoseconds;
  // A packet that was waited for is most often alone, and faster to get so; what came with it is the next batch.
  bool has_one = ReceiveOne(slab_slots_) > 0;
  while (has_one) {
    while (batch_ > 0) {
      DecideBatch(env, on_batch);
      if (!fd_.is_open() || received_at_ >= turn_end) break;
      Receive(slab_slots_);
    }
    has_one = fd_.is_open() && broken_ == 0 && received_at_ < turn_end && Spin();
  }
  if (broken_ != 0 && fd_.is_open()) Break(env);
  // What has time until no packet waits. Batches are decided by plain calls, which cost less than Node's callbacks but
  // leave promises and ticks waiting: those run now, too.
  napi_value value = nullptr;
  if (napi_make_callback(env, nullptr, self, on_turn_end, 0, nullptr, &value) != napi_ok &&
      napi_get_and_clear_last_exception(env, &value) == napi_ok && on_error != nullptr) {
    CallFunction(env, on_error, value, &value);
  }
}

// Looks for the next packet for a moment, without sleeping, where that has paid lately. True where it has got one.
bool QueueSocket::Spin() {
  const int64_t nanoseconds = spin_.Take();
  if (nanoseconds == 0) return false;
  const int64_t start = Now();
  for (int64_t now = start; now - start < nanoseconds;) {
    const bool has_one = ReceiveOne(slab_slots_) > 0;
    if (!has_one && broken_ != 0) return false;
    const int64_t last = now;
    now = has_one ? received_at_ : Now();
    if (now - last > kStolenNanoseconds) {
      spin_.Contended();
      return has_one;
    }
    if (has_one) {
      spin_.Paid();
      return true;
    }
  }
  spin_.Failed();
  return false;
}

// One call into JavaScript. Whatever it does, every packet of the batch is answered when this returns.
void QueueSocket::DecideBatch(Napi::Env env, napi_value on_batch) {
  in_callback_ = true;
  napi_value count = nullptr, error = nullptr;
  napi_create_uint32(env, batch_, &count);
  const bool threw = !CallFunction(env, on_batch, count, &error);
  if (threw) failed_ += CountPreset(slab_slots_);
  const uint32_t packets = batch_;
  TakeAnswers(slab_slots_);
  SendVerdicts();
  NoteAnswered(packets);
  if (threw) CallOnError(env, error);
  in_callback_ = false;
  if (close_wanted_) Shut();
}

// For JavaScript to count when no packet waits.
void QueueSocket::NoteAnswered(uint32_t packets) {
  // Read once: another thread may write into the slab.
  const uint32_t batches = *static_cast<volatile uint32_t*>(&slab_header_->answered_batches);
  if (batches >= kAnsweredRoom) return;
  const int64_t nanoseconds = std::min<int64_t>(Now() - received_at_, INT32_MAX);
  slab_header_->answered[batches] = {static_cast<uint32_t>(nanoseconds), packets};
  slab_header_->answered_batches = batches + 1;
}

void QueueSocket::CallOnError(Napi::Env env, napi_value error) {
  const bool was_in_callback = in_callback_;
  in_callback_ = true;
  // A handler that throws as well has no one left to tell.
  napi_value ignored = nullptr;
  CallFunction(env, on_error_.Value(), error, &ignored);
  in_callback_ = was_in_callback;
  if (!in_callback_ && close_wanted_) Shut();
}

// The socket can't be read any more: say so, and let the queue go rather than seem to serve it.
void QueueSocket::Break(Napi::Env env) {
  const int error = broken_;
  broken_ = 0;
  ThrowKernelError(env, "VERDICTD_NETLINK", "receive from queue " + std::to_string(queue_), error, "");
  napi_value value = nullptr;
  napi_get_and_clear_last_exception(env, &value);
  CallOnError(env, value);
  Shut();
}

// Fills slots from what the socket holds, without waiting; returns how many datagrams there were.
uint32_t QueueSocket::Receive(PacketSlot* slots) {
  int n;
  do {
    n = recvmmsg(fd_.get(), headers_.data(), slots_, MSG_DONTWAIT, nullptr);
  } while (n < 0 && IsPassing(errno));
  if (n <= 0) return 0;
  received_at_ = Now();
  for (int i = 0; i < n; i++) {
    const bool is_whole = (headers_[i].msg_hdr.msg_flags & MSG_TRUNC) == 0;
    TakeDatagram(static_cast<const uint8_t*>(vectors_[i].iov_base),
                 std::min<size_t>(headers_[i].msg_len, buffer_bytes_), is_whole, slots);
  }
  return static_cast<uint32_t>(n);
}

// The same for a single one, which takes the kernel half the time.
uint32_t QueueSocket::ReceiveOne(PacketSlot* slots) {
  ssize_t n;
  do {
    n = recv(fd_.get(), buffers_.data(), buffer_bytes_, MSG_DONTWAIT | MSG_TRUNC);
  } while (n < 0 && IsPassing(errno));
  if (n < 0) return 0;
  received_at_ = Now();
  const auto length = static_cast<size_t>(n);
  TakeDatagram(buffers_.data(), std::min(length, buffer_bytes_), length <= buffer_bytes_, slots);
  return 1;
}

// Whether to receive again after this error; if not, and it isn't that there is nothing, the socket is broken.
bool QueueSocket::IsPassing(int error) {
  if (error == EINTR) return true;
  if (error == ENOBUFS) {
    // The kernel could not hand over some packet, and dealt with it by the queue's own rule. Ours go on.
    overruns_++;
    return true;
  }
  if (error != EAGAIN) broken_ = error;
  return false;
}

// The kernel puts one packet into each datagram.
void QueueSocket::TakeDatagram(const uint8_t* bytes, size_t length, bool is_whole, PacketSlot* slots) {
  if (length < sizeof(nlmsghdr)) return;
  nlmsghdr header;
  memcpy(&header, bytes, sizeof header);
  length = std::min<size_t>(length, header.nlmsg_len);
  constexpr size_t kAttributes = sizeof header + sizeof(nfgenmsg);
  if (header.nlmsg_type == QueueMessage(NFQNL_MSG_PACKET) && length >= kAttributes && batch_ < slots_) {
    TakePacket(bytes + kAttributes, length - kAttributes, is_whole, &slots[batch_]);
  } else if (header.nlmsg_type == NLMSG_ERROR && length >= sizeof header + sizeof(int32_t)) {
    // Verdicts ask for no answer, so an error is one that the kernel didn't take.
    int32_t code;
    memcpy(&code, bytes + sizeof header, sizeof code);
    if (code != 0) send_errors_++;
  }
}

void QueueSocket::TakePacket(const uint8_t* attributes, size_t length, bool is_whole, PacketSlot* slot) {
  *slot = {};
  const uint8_t* payload = nullptr;
  size_t payload_length = 0;
  uint32_t packet_id = 0, mark = 0;
  bool has_id = false;
  ForEachAttribute(attributes, length, [&](int type, const uint8_t* data, size_t size) {
    if (type == NFQA_PACKET_HDR && size >= sizeof(nfqnl_msg_packet_hdr)) {
      packet_id = ReadBig32(data);
      slot->hook = data[offsetof(nfqnl_msg_packet_hdr, hook)];
      has_id = true;
    } else if (type == NFQA_PAYLOAD) {
      payload = data;
      payload_length = size;
    } else if (size == 4) {
      if (type == NFQA_MARK) mark = ReadBig32(data);
      if (type == NFQA_IFINDEX_INDEV) slot->in_interface = ReadBig32(data);
      if (type == NFQA_IFINDEX_OUTDEV) slot->out_interface = ReadBig32(data);
      if (type == NFQA_CAP_LEN) slot->length_bytes = ReadBig32(data);
    }
  });
  if (!has_id) return;  // Without its number there is nothing to answer.
  slot->packet_id = packet_id;
  slot->mark_in = mark;
  if (slot->length_bytes == 0) slot->length_bytes = static_cast<uint32_t>(payload_length);
  ParsePacket(payload, is_whole && payload != nullptr ? payload_length : 0, slot);
  if ((slot->flags & kUnparseable) != 0) unparseable_++;
  if (packet_copies_ != nullptr && payload != nullptr) {
    memcpy(packet_copies_ + size_t{batch_} * copy_range_, payload, std::min<size_t>(payload_length, copy_range_));
  }
  slot->verdict = error_verdict_;
  slot->mark_out = (mark & ~mark_mask_) | (error_mark_ & mark_mask_);
  VerdictMessage& answer = answers_[batch_];
  answer.verdict.id = htonl(packet_id);
  answer.verdict.verdict = htonl(slot->verdict);
  answer.mark = htonl(slot->mark_out);
  batch_++;
  received_++;
}

// The answers of the batch, as far as they are some: another verdict than these leaves the error verdict. A packet that
// is kept leaves the batch: its answer comes later, or with the end of the queue.
void QueueSocket::TakeAnswers(const PacketSlot* slots) {
  uint32_t answered = 0;
  for (uint32_t i = 0; i < batch_; i++) {
    // Read once: another thread may write into a shared slab.
    const uint32_t verdict = *static_cast<const volatile uint32_t*>(&slots[i].verdict);
    const uint32_t mark = *static_cast<const volatile uint32_t*>(&slots[i].mark_out);
    if (verdict == NF_STOLEN && Keep(answers_[i].verdict.id, slots[i].mark_in, mark)) continue;
    if (verdict == NF_ACCEPT || verdict == NF_DROP || (verdict == NF_REPEAT && !kept_.empty())) {
      answers_[i].verdict.verdict = htonl(verdict);
      answers_[i].mark = htonl(mark);
    } else {
      failed_++;
    }
    if (answered != i) answers_[answered] = answers_[i];
    answered++;
  }
  batch_ = answered;
}

// False where the place isn't there or is taken.
bool QueueSocket::Keep(uint32_t id, uint32_t mark, uint32_t place) {
  if (place >= kept_.size() || kept_[place].is_taken) return false;
  kept_[place] = {id, htonl(mark), true};
  kept_count_++;
  return true;
}

Napi::Value QueueSocket::AnswerKept(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fail = [&](const char* what) {
    Napi::TypeError::New(env, std::string("QueueSocket.answerKept: ") + what).ThrowAsJavaScriptException();
    return env.Undefined();
  };
  if (info.Length() < 3 || !info[0].IsTypedArray() ||
      info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array || !info[1].IsNumber() ||
      !info[2].IsNumber()) {
    return fail("places in a Uint32Array, how many, a verdict");
  }
  const auto places = info[0].As<Napi::Uint32Array>();
  const double count = info[1].As<Napi::Number>().DoubleValue();
  const double verdict = info[2].As<Napi::Number>().DoubleValue();
  if (!(count >= 0 && count <= static_cast<double>(places.ElementLength()))) return fail("that many places aren't there");
  if (verdict != NF_DROP && verdict != NF_ACCEPT && verdict != NF_REPEAT) return fail("drop, accept or repeat");
  uint32_t answered = 0, waiting = 0;
  if (!fd_.is_open()) return Napi::Number::New(env, 0);
  for (uint32_t i = 0; i < static_cast<uint32_t>(count); i++) {
    const uint32_t place = places[i];
    if (place >= kept_.size() || !kept_[place].is_taken) continue;
    kept_[place].is_taken = false;
    kept_count_--;
    VerdictMessage& answer = late_answers_[waiting++];
    answer.verdict.id = kept_[place].id;
    answer.verdict.verdict = htonl(static_cast<uint32_t>(verdict));
    answer.mark = kept_[place].mark;
    answered++;
    if (waiting < late_answers_.size()) continue;
    Send(late_answers_.data(), waiting);
    waiting = 0;
  }
  Send(late_answers_.data(), waiting);
  return Napi::Number::New(env, answered);
}

// Slots that nobody has answered.
size_t QueueSocket::CountPreset(const PacketSlot* slots) const {
  size_t count = 0;
  for (uint32_t i = 0; i < batch_; i++) {
    if (answers_[i].verdict.verdict == htonl(slots[i].verdict) && answers_[i].mark == htonl(slots[i].mark_out)) count++;
  }
  return count;
}

// All verdicts of the batch in one send.
void QueueSocket::SendVerdicts() {
  const uint32_t count = batch_;
  batch_ = 0;
  Send(answers_.data(), count);
}

// The kernel works the messages of a send off before it returns, all of them or, where it has no memory to copy them,
// none: then half as many at a time.
void QueueSocket::Send(const VerdictMessage* first, uint32_t left) {
  uint32_t at_once = left;
  int attempts = 0;
  while (left > 0 && fd_.is_open()) {
    const uint32_t count = std::min(at_once, left);
    const bool is_sent = send(fd_.get(), first, count * sizeof(VerdictMessage), 0) >= 0;
    if (!is_sent) {
      if (errno == EINTR) continue;
      const bool is_short = errno == ENOBUFS || errno == ENOMEM || errno == EAGAIN || errno == EMSGSIZE;
      if (is_short && count > 1) {
        at_once = count / 2;
        continue;
      }
      if (is_short && ++attempts < kSendAttempts) {
        sched_yield();
        continue;
      }
      send_errors_ += count;
    } else {
      sent_ += count;
    }
    first += count;
    left -= count;
    attempts = 0;
  }
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
  stats["kept"] = Napi::Number::New(env, kept_count_);
  stats["spinsPaid"] = Napi::Number::New(env, spin_.paid());
  stats["spinsFailed"] = Napi::Number::New(env, spin_.failed());
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
  if (fd_.is_open()) Drain();
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
    on_turn_end_.Reset();
    Unref();
  }
  fd_.Close();
}

// Answers what is there with the error verdict, as much as the queue can hold: what arrives meanwhile could keep it
// filled for ever. What comes after that, the kernel drops with the queue, and what is kept.
void QueueSocket::Drain() {
  SendVerdicts();
  for (const auto& datagram : early_) {
    TakeDatagram(datagram.data(), datagram.size(), true, own_slots_.data());
    SendVerdicts();
  }
  early_.clear();
  const double until = received_ + max_length_;
  while (received_ < until) {
    const uint32_t received = Receive(own_slots_.data());
    SendVerdicts();
    if (received == 0) break;
  }
  const std::vector<uint8_t> message = ConfigMessage(queue_, NFQNL_CFG_CMD_UNBIND, nullptr);
  const ssize_t ignored = send(fd_.get(), message.data(), message.size(), 0);
  static_cast<void>(ignored);  // Closing the socket unbinds as well.
  for (KeptPacket& packet : kept_) packet.is_taken = false;
  kept_count_ = 0;
}

// The environment goes while the socket is open. The close callback, which removes the hook, lets it go on.
void QueueSocket::OnEnvironmentCleanup(napi_async_cleanup_hook_handle, void* data) {
  auto* poll = static_cast<Poll*>(data);
  if (poll->owner != nullptr) poll->owner->Shut();
}

}  // namespace verdictd
