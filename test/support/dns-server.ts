/**
 * A small server of DNS for tests, on UDP and TCP port 53 of every address of its namespace, or of the one that is its second
 * argument: on several, what UDP answers may come from another one. Its zone is its first argument: names in lower case,
 * each with the records that answer for it. It says `ready` once it listens. Who asks for a name below `unasked` is answered
 * as if the rest of it had been asked for.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { type DnsRecord, DnsType, encodeDns, readQuestion, withLength } from "./dns.ts";

export type Zone = Readonly<Record<string, readonly DnsRecord[]>>;

const zone = JSON.parse(process.argv[2] ?? "{}") as Zone;

function answer(query: Buffer): Buffer {
  const { id, name: asked, type } = readQuestion(query);
  const name = asked.replace(/^unasked\./, "");
  const records = zone[name.toLowerCase()];
  if (records === undefined) return encodeDns({ id, flags: 0x8183, question: name, type });
  const answers = records
    .filter((record) => record.type === type || record.type === DnsType.cname)
    // As it was asked, whatever the case of its letters.
    .map((record) => (record.name === name.toLowerCase() ? { ...record, name } : record));
  return encodeDns({ id, question: name, type, answers });
}

const udp = createSocket("udp4");
udp.on("message", (query, { address, port }) => udp.send(answer(query), port, address));
udp.bind(53, process.argv[3]);
const tcp = createServer((socket) => {
  socket.setNoDelay(true);
  let pending = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", async (data: Buffer) => {
    pending = Buffer.concat([pending, data]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0);
      const message = withLength(answer(pending.subarray(2, end)));
      pending = pending.subarray(end);
      // In two segments.
      socket.write(message.subarray(0, 5));
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.write(message.subarray(5));
    }
  });
});
tcp.listen(53, process.argv[3]);
await Promise.all([once(udp, "listening"), once(tcp, "listening")]);
console.log("ready");
