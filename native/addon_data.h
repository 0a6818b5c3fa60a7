// What belongs to one environment (one thread's Node): nothing in this addon is static or global.
#ifndef VERDICTD_ADDON_DATA_H_
#define VERDICTD_ADDON_DATA_H_

#include <napi.h>
#include <string.h>

#include <string>

namespace verdictd {

struct AddonData {
  // class KernelError of src/kernel/error.ts: (code, operation, errno, message).
  Napi::FunctionReference error_class;
};

// Throws a KernelError. `detail` follows the system's own words for the errno; both may be empty.
inline void ThrowKernelError(Napi::Env env, const char* code, const std::string& operation, int error,
                             const std::string& detail) {
  std::string message = error == 0 ? "" : strerror(error);
  if (!detail.empty()) message += (message.empty() ? "" : ": ") + detail;
  auto* data = env.GetInstanceData<AddonData>();
  if (data == nullptr || data->error_class.IsEmpty()) {
    Napi::Error::New(env, operation + ": " + message).ThrowAsJavaScriptException();
    return;
  }
  Napi::Object value = data->error_class.New({Napi::String::New(env, code), Napi::String::New(env, operation),
                                              Napi::Number::New(env, error), Napi::String::New(env, message)});
  if (!env.IsExceptionPending()) napi_throw(env, value);
}

}  // namespace verdictd

#endif  // VERDICTD_ADDON_DATA_H_
