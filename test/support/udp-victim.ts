/** A connected UDP socket in a namespace that has sent one datagram, and the ICMP error that reaches it. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import type { Namespace } from "./namespace.ts";

export class UdpVictim {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(namespace: Namespace, address: string, port: number, waitMs = 1000) {
    const child = namespace.spawn([
      process.execPath,
      "-e",
      `const s=require("dgram").createSocket("udp${address.includes(":") ? 6 : 4}");
       s.on("error",e=>{console.log(e.code);process.exit()});
       s.connect(${port},"${address}",()=>{s.send("x");console.log(s.address().port)});
       process.stdin.once("data",()=>setTimeout(()=>{console.log("silent");process.exit()},${waitMs}))`,
    ]);
    this.#child = child;
    // It ends with its error; nobody reads the question then.
    child.stdin.on("error", () => {});
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async port(): Promise<number> {
    return Number((await this.#lines.next()).value);
  }

  /** The socket's error, or `silent` where none has come `waitMs` after this was asked. */
  async outcome(): Promise<string> {
    this.#child.stdin.write("?\n");
    return String((await this.#lines.next()).value);
  }
}
