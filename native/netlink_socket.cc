#include "netlink_socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_set>

#include "addon_data.h"
#include "netlink_message.h"

namespace verdictd {
namespace {

// A dump's datagrams are at most 32 KiB, or as long as the receive call's buffer; an answer quotes what it answers.
constexpr size_t kBufferBytes = 1 << 20;
// Acknowledgements of a large transaction all wait in the socket before the first is read.
constexpr int kSocketBufferBytes = 16 << 20;

int64_t NowMilliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

struct Failure {
  uint32_t sequence;
  int error;
  std::string text;
};

// NLMSG_ERROR: int error, the request's header, and after NETLINK_CAP_ACK has cut the rest, attributes.
Failure ReadFailure(const nlmsghdr& header, const uint8_t* payload, size_t length) {
  int32_t code = 0;
  memcpy(&code, payload, sizeof code);
  Failure failure{header.nlmsg_seq, -code, ""};
  size_t at = sizeof code + sizeof(nlmsghdr);
  if ((header.nlmsg_flags & NLM_F_CAPPED) == 0 && length >= at) {
    nlmsghdr request;
    memcpy(&request, payload + sizeof code, sizeof request);
    if (code != 0) at = sizeof code + Align4(request.nlmsg_len);
  }
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) != 0 && length > at) {
    ForEachAttribute(payload + at, length - at, [&](int type, const uint8_t* data, size_t size) {
      if (type == NLMSGERR_ATTR_MSG && size > 0) failure.text.assign(reinterpret_cast<const char*>(data), size - 1);
    });
  }
  return failure;
}

}  // namespace

Napi::Function NetlinkSocket::Define(Napi::Env env) {
  return DefineClass(
      env, "NetlinkSocket",
      {InstanceMethod<&NetlinkSocket::Request>("request"), InstanceMethod<&NetlinkSocket::Exchange>("exchange"),
       InstanceMethod<&NetlinkSocket::Close>("close")});
}

NetlinkSocket::NetlinkSocket(const Napi::CallbackInfo& info) : ObjectWrap(info), buffer_(kBufferBytes) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsNumber()) {
    Napi::TypeError::New(env, "NetlinkSocket: a protocol number").ThrowAsJavaScriptException();
    return;
  }
  const int protocol = info[0].As<Napi::Number>().Int32Value();
  fd_.Reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd_.is_open()) {
    ThrowKernelError(env, "VERDICTD_NETLINK", "open netlink protocol " + std::to_string(protocol), errno, "");
    return;
  }
  const int on = 1;
  setsockopt(fd_.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd_.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  for (const int option : {SO_RCVBUFFORCE, SO_SNDBUFFORCE}) {
    if (setsockopt(fd_.get(), SOL_SOCKET, option, &kSocketBufferBytes, sizeof kSocketBufferBytes) != 0) {
      const int unforced = option == SO_RCVBUFFORCE ? SO_RCVBUF : SO_SNDBUF;
      setsockopt(fd_.get(), SOL_SOCKET, unforced, &kSocketBufferBytes, sizeof kSocketBufferBytes);
    }
  }
}

Napi::Value NetlinkSocket::Request(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fail = [&](int error, const char* detail) {
    ThrowKernelError(env, "VERDICTD_NETLINK", "netlink request", error, detail);
    return env.Undefined();
  };
  if (info.Length() < 3 || !info[0].IsTypedArray() || !info[1].IsArray() || !info[2].IsNumber()) {
    Napi::TypeError::New(env, "NetlinkSocket.request: bytes, sequences, milliseconds").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  if (!fd_.is_open()) return fail(EBADF, "the socket is closed");
  if (is_busy_) return fail(EBUSY, "an exchange is under way");
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const auto list = info[1].As<Napi::Array>();
  const int64_t end = NowMilliseconds() + info[2].As<Napi::Number>().Int64Value();
  std::unordered_set<uint32_t> waiting;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Value sequence = list.Get(i);
    if (!sequence.IsNumber()) {
      Napi::TypeError::New(env, "NetlinkSocket.request: sequences are numbers").ThrowAsJavaScriptException();
      return env.Undefined();
    }
    waiting.insert(sequence.As<Napi::Number>().Uint32Value());
  }
  // What is sent is ours, awaited or not: an error of a message that asked for no acknowledgement is told too.
  std::unordered_set<uint32_t> sent;
  ForEachMessage(bytes.Data(), bytes.ByteLength(),
                 [&](const nlmsghdr& header, const uint8_t*, size_t) { sent.insert(header.nlmsg_seq); });
  // Answers to an earlier request, which has timed out, are nobody's any more.
  while (recv(fd_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT) >= 0 || errno == EINTR || errno == ENOBUFS) {
  }

  for (;;) {
    const ssize_t n = send(fd_.get(), bytes.Data(), bytes.ByteLength(), 0);
    if (n >= 0) break;
    if (errno != EINTR) return fail(errno, errno == EPERM ? "CAP_NET_ADMIN is missing; run it with sudo" : "");
  }
  Napi::Array messages = Napi::Array::New(env);
  std::vector<Failure> failures;
  for (;;) {
    pollfd readable{fd_.get(), POLLIN, 0};
    // A transaction that fails answers for its failures at once and may be silent about the rest. And with every answer
    // there, what is left to read are errors of messages that nobody waits for.
    const bool is_waiting = failures.empty() && !waiting.empty();
    const int ready = poll(&readable, 1, is_waiting ? static_cast<int>(std::max<int64_t>(0, end - NowMilliseconds())) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail(errno, "");
    if (ready == 0 && !is_waiting) break;
    if (ready == 0) return fail(ETIMEDOUT, "the kernel didn't answer");
    const ssize_t n = recv(fd_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno, errno == ENOBUFS ? "an answer was lost: too long for the socket's buffer" : "");
    if (static_cast<size_t>(n) > buffer_.size()) return fail(EMSGSIZE, "an answer is longer than a megabyte");
    ForEachMessage(buffer_.data(), static_cast<size_t>(n),
                   [&](const nlmsghdr& header, const uint8_t* payload, size_t length) {
                     if (sent.count(header.nlmsg_seq) == 0) return;
                     if (header.nlmsg_type == NLMSG_ERROR && length >= 4) {
                       Failure failure = ReadFailure(header, payload, length);
                       if (failure.error != 0) failures.push_back(std::move(failure));
                       waiting.erase(header.nlmsg_seq);
                     } else if (header.nlmsg_type == NLMSG_DONE) {
                       int32_t code = 0;
                       if (length >= 4) memcpy(&code, payload, sizeof code);
                       if (code < 0) failures.push_back({header.nlmsg_seq, -code, ""});
                       waiting.erase(header.nlmsg_seq);
                     } else if (header.nlmsg_type >= NLMSG_MIN_TYPE) {
                       messages.Set(messages.Length(),
                                    Napi::Buffer<uint8_t>::Copy(env, payload - sizeof header, header.nlmsg_len));
                     }
                   });
  }
  Napi::Array errors = Napi::Array::New(env);
  for (const Failure& failure : failures) {
    Napi::Object error = Napi::Object::New(env);
    error["sequence"] = Napi::Number::New(env, failure.sequence);
    error["errno"] = Napi::Number::New(env, failure.error);
    error["text"] = Napi::String::New(env, failure.text);
    errors.Set(errors.Length(), error);
  }
  Napi::Object answer = Napi::Object::New(env);
  answer["messages"] = messages;
  answer["errors"] = errors;
  return answer;
}

// One exchange. Its thread sees nothing of JavaScript.
struct NetlinkSocket::Work {
  NetlinkSocket* socket;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  napi_ref self = nullptr;
  std::vector<uint8_t> sent;
  std::vector<uint8_t> received;
  uint32_t until;
  size_t max_bytes;
  int64_t end;
  int error = 0;
  const char* detail = "";
};

Napi::Value NetlinkSocket::Exchange(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 4 || !info[0].IsTypedArray() || !info[1].IsNumber() || !info[2].IsNumber() ||
      !info[3].IsNumber()) {
    Napi::TypeError::New(env, "NetlinkSocket.exchange: bytes, a sequence, bytes to read, milliseconds")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  if (!fd_.is_open() || is_busy_ || is_closing_) {
    ThrowKernelError(env, "VERDICTD_NETLINK", "netlink exchange", is_busy_ ? EBUSY : EBADF, "");
    return env.Undefined();
  }
  const auto bytes = info[0].As<Napi::Uint8Array>();
  auto work = std::make_unique<Work>();
  work->socket = this;
  work->sent.assign(bytes.Data(), bytes.Data() + bytes.ByteLength());
  work->until = info[1].As<Napi::Number>().Uint32Value();
  work->max_bytes = static_cast<size_t>(std::max<int64_t>(1, info[2].As<Napi::Number>().Int64Value()));
  work->end = NowMilliseconds() + info[3].As<Napi::Number>().Int64Value();
  napi_value promise = nullptr;
  napi_value name = Napi::String::New(env, "netlink exchange");
  if (napi_create_promise(env, &work->deferred, &promise) != napi_ok ||
      napi_create_reference(env, info.This(), 1, &work->self) != napi_ok ||
      napi_create_async_work(env, nullptr, name, Execute, Complete, work.get(), &work->work) != napi_ok ||
      napi_queue_async_work(env, work->work) != napi_ok) {
    if (work->work != nullptr) napi_delete_async_work(env, work->work);
    if (work->self != nullptr) napi_delete_reference(env, work->self);
    Napi::Error::New(env, "NetlinkSocket.exchange: no thread").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  work.release();
  is_busy_ = true;
  return Napi::Value(env, promise);
}

void NetlinkSocket::Execute(napi_env, void* data) {
  auto* work = static_cast<Work*>(data);
  const int fd = work->socket->fd_.get();
  std::vector<uint8_t>& buffer = work->socket->buffer_;
  const auto fail = [&](int error, const char* detail) {
    work->error = error;
    work->detail = detail;
  };
  if (!work->sent.empty()) {
    // Answers to an earlier exchange, which has timed out, are nobody's any more.
    while (recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT) >= 0 || errno == EINTR || errno == ENOBUFS) {
    }
    while (send(fd, work->sent.data(), work->sent.size(), 0) < 0) {
      if (errno != EINTR) return fail(errno, errno == EPERM ? "CAP_NET_ADMIN is missing; run it with sudo" : "");
    }
  }
  for (bool is_done = false; !is_done && work->received.size() < work->max_bytes;) {
    pollfd readable{fd, POLLIN, 0};
    const int ready = poll(&readable, 1, static_cast<int>(std::max<int64_t>(0, work->end - NowMilliseconds())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail(errno, "");
    if (ready == 0) return fail(ETIMEDOUT, "the kernel didn't answer");
    const ssize_t n = recv(fd, buffer.data(), buffer.size(), MSG_TRUNC);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno, errno == ENOBUFS ? "an answer was lost: too long for the socket's buffer" : "");
    if (static_cast<size_t>(n) > buffer.size()) return fail(EMSGSIZE, "an answer is longer than a megabyte");
    ForEachMessage(buffer.data(), static_cast<size_t>(n), [&](const nlmsghdr& header, const uint8_t*, size_t) {
      const bool is_end = header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE;
      if (is_end && header.nlmsg_seq == work->until) is_done = true;
    });
    work->received.insert(work->received.end(), buffer.begin(), buffer.begin() + n);
  }
}

// May find an environment that is going down and runs no JavaScript any more: then nobody hears of it.
void NetlinkSocket::Complete(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Work> work(static_cast<Work*>(data));
  NetlinkSocket* socket = work->socket;
  socket->is_busy_ = false;
  if (socket->is_closing_) socket->Release();
  napi_value value = nullptr;
  if (work->error != 0) {
    ThrowKernelError(env, "VERDICTD_NETLINK", "netlink exchange", work->error, work->detail);
    if (napi_get_and_clear_last_exception(env, &value) == napi_ok) napi_reject_deferred(env, work->deferred, value);
  } else {
    void* copy = nullptr;
    napi_value bytes = nullptr;
    const size_t size = work->received.size();
    if (napi_create_arraybuffer(env, size, &copy, &bytes) == napi_ok) {
      if (size > 0) memcpy(copy, work->received.data(), size);
      if (napi_create_typedarray(env, napi_uint8_array, size, bytes, 0, &value) == napi_ok) {
        napi_resolve_deferred(env, work->deferred, value);
      }
    }
  }
  napi_delete_async_work(env, work->work);
  napi_delete_reference(env, work->self);
}

void NetlinkSocket::Close(const Napi::CallbackInfo&) {
  is_closing_ = true;
  if (!is_busy_) Release();
}

// The object itself waits for the garbage collector, which sees nothing of the megabyte behind it.
void NetlinkSocket::Release() {
  fd_.Close();
  std::vector<uint8_t>().swap(buffer_);
}

}  // namespace verdictd
