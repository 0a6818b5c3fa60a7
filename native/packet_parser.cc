#include "packet_parser.h"

#include <netinet/in.h>
#include <string.h>

#include <algorithm>

namespace verdictd {
namespace {

constexpr uint32_t kTcp = 6, kUdp = 17, kIcmp = 1, kIcmpV6 = 58, kSctp = 132;
constexpr uint32_t kHopByHop = 0, kRouting = 43, kFragmentHeader = 44, kAuthentication = 51, kDestinationOptions = 60;
// More extension headers than any real packet has; a bound, so that a chain of empty ones costs little.
constexpr int kMaxExtensionHeaders = 16;

uint32_t Read16(const uint8_t* p) { return static_cast<uint32_t>(p[0]) << 8 | p[1]; }
uint32_t Read32(const uint8_t* p) { return Read16(p) << 16 | Read16(p + 2); }

void SetPayload(size_t header, size_t at, size_t length, PacketSlot* slot) noexcept {
  if (header > length) return;
  slot->payload_offset = static_cast<uint32_t>(at + header);
  slot->payload_bytes = static_cast<uint32_t>(length - header);
}

// The header begins at `packet + at`, `length` bytes of it and what follows are there. False where it isn't there whole.
bool ParseTransport(const uint8_t* packet, size_t at, size_t length, PacketSlot* slot) noexcept {
  const uint8_t* bytes = packet + at;
  switch (slot->protocol) {
    case kTcp:
      if (length < 20) return false;
      slot->tcp_flags = bytes[13];
      slot->tcp_sequence = Read32(bytes + 4);
      // Options that aren't there whole leave no payload: there was never one to judge by.
      if (bytes[12] >> 4 >= 5) SetPayload(static_cast<size_t>(bytes[12] >> 4) * 4, at, length, slot);
      break;
    case kUdp:
      if (length < 8) return false;
      SetPayload(8, at, length, slot);
      break;
    case kSctp:
      if (length < 12) return false;
      break;
    case kIcmp:
      if (length < 8) return false;
      slot->icmp_type = bytes[0];
      slot->icmp_code = bytes[1];
      return true;
    case kIcmpV6:
      if (length < 4) return false;
      slot->icmp_type = bytes[0];
      slot->icmp_code = bytes[1];
      return true;
    default:
      return true;
  }
  slot->source_port = Read16(bytes);
  slot->destination_port = Read16(bytes + 2);
  return true;
}

bool ParseIpV4(const uint8_t* bytes, size_t length, PacketSlot* slot) noexcept {
  if (length < 20) return false;
  const size_t header = static_cast<size_t>(bytes[0] & 15) * 4;
  if (header < 20 || header > length) return false;
  const size_t total = Read16(bytes + 2);
  // 0 is what the kernel writes into packets that it has merged beyond 64 KiB.
  if (total != 0 && total < header) return false;
  if (total != 0) length = std::min(length, total);
  slot->protocol = bytes[9];
  slot->source[3] = Read32(bytes + 12);
  slot->destination[3] = Read32(bytes + 16);
  if ((Read16(bytes + 6) & 0x1fff) != 0) {
    slot->flags |= kFragment;
    return true;
  }
  return ParseTransport(bytes, header, length - header, slot);
}

bool ParseIpV6(const uint8_t* bytes, size_t length, PacketSlot* slot) noexcept {
  if (length < 40) return false;
  const size_t payload = Read16(bytes + 4);
  // 0 is a jumbogram, or a packet that the kernel has merged beyond 64 KiB.
  if (payload != 0) length = std::min(length, payload + 40);
  for (int i = 0; i < 4; i++) {
    slot->source[i] = Read32(bytes + 8 + 4 * i);
    slot->destination[i] = Read32(bytes + 24 + 4 * i);
  }
  uint32_t next = bytes[6];
  size_t at = 40;
  for (int i = 0; i < kMaxExtensionHeaders; i++) {
    size_t header;
    switch (next) {
      case kHopByHop:
      case kRouting:
      case kDestinationOptions:
        if (length - at < 8) return false;
        header = (static_cast<size_t>(bytes[at + 1]) + 1) * 8;
        break;
      case kAuthentication:
        if (length - at < 8) return false;
        header = (static_cast<size_t>(bytes[at + 1]) + 2) * 4;
        break;
      case kFragmentHeader:
        if (length - at < 8) return false;
        if ((Read16(bytes + at + 2) & 0xfff8) != 0) {
          slot->protocol = bytes[at];
          slot->flags |= kFragment;
          return true;
        }
        header = 8;
        break;
      default:
        slot->protocol = next;
        return ParseTransport(bytes, at, length - at, slot);
    }
    if (header > length - at) return false;
    next = bytes[at];
    at += header;
  }
  return false;
}

}  // namespace

void ParsePacket(const uint8_t* bytes, size_t length, PacketSlot* slot) noexcept {
  const size_t first = offsetof(PacketSlot, family);
  const size_t last = offsetof(PacketSlot, payload_bytes) + sizeof slot->payload_bytes;
  auto clear = [&] { memset(reinterpret_cast<uint8_t*>(slot) + first, 0, last - first); };
  clear();
  const int version = length > 0 ? bytes[0] >> 4 : 0;
  const bool parsed = version == 4   ? ParseIpV4(bytes, length, slot)
                      : version == 6 ? ParseIpV6(bytes, length, slot)
                                     : false;
  if (parsed) {
    slot->family = static_cast<uint32_t>(version);
  } else {
    clear();
    slot->flags = kUnparseable;
  }
}

}  // namespace verdictd
