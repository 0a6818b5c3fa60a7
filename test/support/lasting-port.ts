/**
 * A port of 127.0.0.1 for a server that is stopped and started again: below those that the kernel gives to whoever asks
 * for any, so that nobody takes it meanwhile.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const FIRST = 15_000;

export async function lastingPort(): Promise<number> {
  const [lowest = 32_768] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1").split(/\s+/).map(Number);
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * Math.max(1000, lowest - FIRST));
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
