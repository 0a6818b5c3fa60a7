// One packet's record, the only place where its layout is written: JavaScript gets the offsets from the addon.
// Every field is a 32-bit word in host order; the slab is a header followed by slots.
#ifndef VERDICTD_PACKET_SLOT_H_
#define VERDICTD_PACKET_SLOT_H_

#include <stddef.h>
#include <stdint.h>

namespace verdictd {

// As many batches are noted in the header before JavaScript must have counted them.
constexpr uint32_t kAnsweredRoom = 64;

struct SlabHeader {
  // Batches that were answered and not counted yet. Who counts them sets it to 0.
  uint32_t answered_batches;
  uint32_t reserved[7];
  struct {
    uint32_t nanoseconds;  // from the moment when it was read from the kernel until its verdicts were sent
    uint32_t packets;
  } answered[kAnsweredRoom];
};

struct PacketSlot {
  // Filled on receive.
  uint32_t packet_id;
  uint32_t family;  // 4, 6, or 0 where the packet can't be parsed
  uint32_t protocol;
  uint32_t source[4];  // most significant word first; IPv4 in the last one, the others 0
  uint32_t destination[4];
  uint32_t source_port;
  uint32_t destination_port;
  uint32_t icmp_type;
  uint32_t icmp_code;
  uint32_t flags;      // SlotFlag
  uint32_t tcp_flags;  // FIN 1, SYN 2, RST 4, PSH 8, ACK 16
  uint32_t tcp_sequence;
  uint32_t payload_offset;  // what TCP or UDP carries, from the packet's start and as far as it was copied
  uint32_t payload_bytes;
  uint32_t mark_in;
  uint32_t hook;
  uint32_t in_interface;
  uint32_t out_interface;
  uint32_t length_bytes;  // of the whole packet, before the copy range cut it
  // Answers.
  uint32_t verdict;  // NF_DROP 0, NF_ACCEPT 1; on a socket that keeps packets NF_STOLEN 2 (kept) and NF_REPEAT 4
  uint32_t mark_out;  // of a packet that is kept, its place
  uint32_t reserved[5];
};

enum SlotFlag : uint32_t {
  kUnparseable = 1,
  kFragment = 2,  // not the first one: no transport header
};

constexpr uint32_t kSlotWords = sizeof(PacketSlot) / 4;
constexpr uint32_t kHeaderWords = sizeof(SlabHeader) / 4;

static_assert(sizeof(PacketSlot) == 32 * 4, "a slot is two cache lines");
static_assert(offsetof(PacketSlot, packet_id) == 0, "a slot starts with the packet's id");
static_assert(offsetof(PacketSlot, verdict) % 4 == 0 && alignof(PacketSlot) == 4, "words, without padding");

}  // namespace verdictd

#endif  // VERDICTD_PACKET_SLOT_H_
