// IP headers into a slot. One parser for queued packets, captures and tests; it reads only what it was given, writes
// only into its slot, and never fails: what it can't read is flagged.
#ifndef VERDICTD_PACKET_PARSER_H_
#define VERDICTD_PACKET_PARSER_H_

#include <stddef.h>
#include <stdint.h>

#include "packet_slot.h"

namespace verdictd {

// `bytes` start at the IP header; `length` is what was copied, which may be less than the packet has. Sets every field
// of the slot from family to payload_bytes. A header that is to be read must be there whole; otherwise the packet is
// unparseable. Sources: RFC 791, RFC 8200 (extension headers), RFC 4302 (AH), RFC 9293, RFC 768, RFC 9260, RFC 792,
// RFC 4443.
void ParsePacket(const uint8_t* bytes, size_t length, PacketSlot* slot) noexcept;

}  // namespace verdictd

#endif  // VERDICTD_PACKET_PARSER_H_
