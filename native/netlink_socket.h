// A netlink socket: requests of the control plane and their answers, as bytes, waited for here or on a thread of Node's
// pool. What they mean is TypeScript's.
#ifndef VERDICTD_NETLINK_SOCKET_H_
#define VERDICTD_NETLINK_SOCKET_H_

#include <napi.h>

#include <vector>

#include "file_descriptor.h"

namespace verdictd {

class NetlinkSocket : public Napi::ObjectWrap<NetlinkSocket> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit NetlinkSocket(const Napi::CallbackInfo& info);

 private:
  struct Work;

  Napi::Value Request(const Napi::CallbackInfo& info);
  Napi::Value Exchange(const Napi::CallbackInfo& info);
  static void Execute(napi_env env, void* data);
  static void Complete(napi_env env, napi_status status, void* data);
  void Close(const Napi::CallbackInfo& info);
  void Release();

  FileDescriptor fd_;
  std::vector<uint8_t> buffer_;
  // While an exchange runs, descriptor and buffer are its thread's.
  bool is_busy_ = false;
  bool is_closing_ = false;
};

}  // namespace verdictd

#endif  // VERDICTD_NETLINK_SOCKET_H_
