// What JavaScript sees: two classes, a parser, and the slot's layout. Types and promises: src/kernel/addon.ts.
#include <napi.h>

#include "addon_data.h"
#include "netlink_socket.h"
#include "packet_parser.h"
#include "packet_slot.h"
#include "queue_socket.h"
#include "slab.h"

namespace verdictd {
namespace {

Napi::Object DescribeLayout(Napi::Env env) {
  Napi::Object layout = Napi::Object::New(env);
  const auto word = [&](const char* name, size_t offset) { layout[name] = Napi::Number::New(env, offset / 4.0); };
  layout["slotWords"] = Napi::Number::New(env, kSlotWords);
  layout["headerWords"] = Napi::Number::New(env, kHeaderWords);
  word("answeredBatches", offsetof(SlabHeader, answered_batches));
  word("answered", offsetof(SlabHeader, answered));
  layout["answeredRoom"] = Napi::Number::New(env, kAnsweredRoom);
  word("packetId", offsetof(PacketSlot, packet_id));
  word("family", offsetof(PacketSlot, family));
  word("protocol", offsetof(PacketSlot, protocol));
  word("source", offsetof(PacketSlot, source));
  word("destination", offsetof(PacketSlot, destination));
  word("sourcePort", offsetof(PacketSlot, source_port));
  word("destinationPort", offsetof(PacketSlot, destination_port));
  word("icmpType", offsetof(PacketSlot, icmp_type));
  word("icmpCode", offsetof(PacketSlot, icmp_code));
  word("flags", offsetof(PacketSlot, flags));
  word("tcpFlags", offsetof(PacketSlot, tcp_flags));
  word("tcpSequence", offsetof(PacketSlot, tcp_sequence));
  word("payloadOffset", offsetof(PacketSlot, payload_offset));
  word("payloadBytes", offsetof(PacketSlot, payload_bytes));
  word("markIn", offsetof(PacketSlot, mark_in));
  word("hook", offsetof(PacketSlot, hook));
  word("inInterface", offsetof(PacketSlot, in_interface));
  word("outInterface", offsetof(PacketSlot, out_interface));
  word("lengthBytes", offsetof(PacketSlot, length_bytes));
  word("verdict", offsetof(PacketSlot, verdict));
  word("markOut", offsetof(PacketSlot, mark_out));
  return layout;
}

void ParsePacketInto(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fail = [&] {
    Napi::TypeError::New(env, "parsePacket: bytes, a slab, the index of a slot in it").ThrowAsJavaScriptException();
  };
  if (info.Length() < 3 || !info[0].IsTypedArray() || !info[1].IsObject() || !info[2].IsNumber()) return fail();
  const auto packet = info[0].As<Napi::Uint8Array>();
  const double index = info[2].As<Napi::Number>().DoubleValue();
  if (!(index >= 0 && index < 65536)) return fail();
  PacketSlot* slots = SlotsOf(env, ViewSlab(env, info[1]), static_cast<size_t>(index) + 1);
  if (slots == nullptr) return fail();
  ParsePacket(packet.Data(), packet.ByteLength(), &slots[static_cast<size_t>(index)]);
}

void Initialize(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsFunction()) {
    Napi::TypeError::New(info.Env(), "initialize: the class of native errors").ThrowAsJavaScriptException();
    return;
  }
  info.Env().GetInstanceData<AddonData>()->error_class = Napi::Persistent(info[0].As<Napi::Function>());
}

Napi::Object Export(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new AddonData());
  Napi::Object flags = Napi::Object::New(env);
  flags["unparseable"] = Napi::Number::New(env, kUnparseable);
  flags["fragment"] = Napi::Number::New(env, kFragment);
  exports["slotLayout"] = DescribeLayout(env);
  exports["slotFlags"] = flags;
  exports["QueueSocket"] = QueueSocket::Define(env);
  exports["NetlinkSocket"] = NetlinkSocket::Define(env);
  exports["parsePacket"] = Napi::Function::New(env, ParsePacketInto, "parsePacket");
  exports["initialize"] = Napi::Function::New(env, Initialize, "initialize");
  return exports;
}

}  // namespace
}  // namespace verdictd

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return verdictd::Export(env, exports); }
NODE_API_MODULE(verdictd, Init)
