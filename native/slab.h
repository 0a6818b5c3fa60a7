// The slab, which JavaScript lends us, as memory.
#ifndef VERDICTD_SLAB_H_
#define VERDICTD_SLAB_H_

#include <napi.h>

#include "packet_slot.h"

namespace verdictd {

// A view over the whole buffer tells address and length alike for ArrayBuffer and SharedArrayBuffer, which Node-API
// before version 10 can't open by itself. Empty, without an exception, where `buffer` is neither: a view over another
// view or over a list would be one over a copy.
inline Napi::Object ViewSlab(Napi::Env env, const Napi::Value& buffer) {
  if (!buffer.IsObject()) return {};
  const Napi::Object view = env.Global().Get("Uint32Array").As<Napi::Function>().New({buffer});
  if (env.IsExceptionPending()) {
    env.GetAndClearPendingException();
    return {};
  }
  return view.Get("buffer").StrictEquals(buffer) ? view : Napi::Object();
}

// Slots 0 … count-1; null where the slab doesn't hold them, or no longer: JavaScript may give an ArrayBuffer away
// (postMessage) or shrink it at any time, so that the address is good until JavaScript runs again, not longer.
inline PacketSlot* SlotsOf(Napi::Env env, const Napi::Object& view, size_t count) {
  void* data = nullptr;
  size_t length = 0;
  if (view.IsEmpty() || napi_get_typedarray_info(env, view, nullptr, &length, &data, nullptr, nullptr) != napi_ok ||
      data == nullptr || length < kHeaderWords + count * kSlotWords) {
    return nullptr;
  }
  return reinterpret_cast<PacketSlot*>(static_cast<uint32_t*>(data) + kHeaderWords);
}

}  // namespace verdictd

#endif  // VERDICTD_SLAB_H_
