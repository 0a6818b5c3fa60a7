// A blocking netlink socket: requests of the control plane and their answers, as bytes. What they mean is TypeScript's.
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
  Napi::Value Request(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  FileDescriptor fd_;
  std::vector<uint8_t> buffer_;
};

}  // namespace verdictd

#endif  // VERDICTD_NETLINK_SOCKET_H_
