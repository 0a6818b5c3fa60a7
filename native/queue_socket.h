// One NFQUEUE: packets come in batches into a slab that JavaScript lent, verdicts go out in one send.
//
// Every packet received gets exactly one verdict: its verdict message is made when it's received, with the error verdict
// in it, and answers only overwrite verdict and mark. Nothing that becomes of the slab can lose a packet. A socket that
// keeps packets has places for them: a packet in one stays in the kernel's queue until it's answered by its place.
#ifndef VERDICTD_QUEUE_SOCKET_H_
#define VERDICTD_QUEUE_SOCKET_H_

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <napi.h>
#include <sys/socket.h>

#include <vector>

#include "file_descriptor.h"
#include "packet_slot.h"
#include "queue_message.h"
#include "slab.h"
#include "spin_budget.h"
#include "uv_poll.h"

namespace verdictd {

class QueueSocket : public Napi::ObjectWrap<QueueSocket> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit QueueSocket(const Napi::CallbackInfo& info);
  ~QueueSocket() override;

 private:
  // What the event loop holds on to. It outlives the socket by one turn of the loop: a handle's memory may only go
  // after its close callback, which also runs while an environment is torn down.
  struct Poll {
    QueueSocket* owner;
    napi_async_cleanup_hook_handle hook;
    uv_poll_s* handle;
  };

  // Both numbers in network order.
  struct KeptPacket {
    uint32_t id, mark;
    bool is_taken;
  };

  void Start(const Napi::CallbackInfo& info);
  Napi::Value AnswerKept(const Napi::CallbackInfo& info);
  Napi::Value Stats(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  bool ReadOptions(const Napi::CallbackInfo& info);
  void PrepareBuffers();
  void Bind(Napi::Env env);
  int Configure(uint8_t command);

  static void OnReadable(uv_poll_s* handle, int status, int events);
  static void OnEnvironmentCleanup(napi_async_cleanup_hook_handle hook, void* poll);
  void ServeEarly();
  void ServeTurn();
  bool Spin();
  void DecideBatch(Napi::Env env, napi_value on_batch);
  void NoteAnswered(uint32_t packets);
  void CallOnError(Napi::Env env, napi_value error);
  void Break(Napi::Env env);
  uint32_t Receive(PacketSlot* slots);
  uint32_t ReceiveOne(PacketSlot* slots);
  bool IsPassing(int error);
  void TakeDatagram(const uint8_t* bytes, size_t length, bool is_whole, PacketSlot* slots);
  void TakePacket(const uint8_t* attributes, size_t length, bool is_whole, PacketSlot* slot);
  void TakeAnswers(const PacketSlot* slots);
  size_t CountPreset(const PacketSlot* slots) const;
  bool Keep(uint32_t id, uint32_t mark, uint32_t place);
  void SendVerdicts();
  void Send(const VerdictMessage* first, uint32_t left);
  void Drain();
  void Shut();

  // Options.
  uint32_t queue_ = 0, copy_range_ = 0, max_length_ = 0, receive_buffer_ = 0, slots_ = 0;
  uint32_t error_verdict_ = 0, error_mark_ = 0, mark_mask_ = 0;
  bool fail_open_ = false;
  // The slab is JavaScript's; the reference keeps it alive for as long as we write into it.
  Napi::ObjectReference slab_;
  SlabHeader* slab_header_ = nullptr;
  PacketSlot* slab_slots_ = nullptr;
  // The same for copies of the packets; null: nobody wants them.
  Napi::ObjectReference packets_;
  uint8_t* packet_copies_ = nullptr;

  FileDescriptor fd_;
  Poll* poll_ = nullptr;
  Napi::FunctionReference on_batch_, on_turn_end_, on_error_;
  // Reused for every batch.
  std::vector<uint8_t> buffers_;
  size_t buffer_bytes_ = 0;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> vectors_;
  std::vector<VerdictMessage> answers_;
  std::vector<PacketSlot> own_slots_;  // in place of the slab, when JavaScript may not run
  std::vector<KeptPacket> kept_;  // by place
  uint32_t kept_count_ = 0;
  std::vector<VerdictMessage> late_answers_;
  // Packets that came before the kernel had answered the bind.
  std::vector<std::vector<uint8_t>> early_;

  uint32_t batch_ = 0;  // slots filled and not answered yet
  int64_t received_at_ = 0;
  SpinBudget spin_;
  bool in_callback_ = false, close_wanted_ = false;
  int broken_ = 0;  // errno of a receive that can't be repeated

  double received_ = 0, sent_ = 0, unparseable_ = 0, overruns_ = 0, send_errors_ = 0, failed_ = 0;
};

}  // namespace verdictd

#endif  // VERDICTD_QUEUE_SOCKET_H_
