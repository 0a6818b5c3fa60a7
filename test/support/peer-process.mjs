/**
 * One end of a conversation, inside a namespace: TCP and UDP on command. Commands are JSON lines on standard input,
 * `{"id":1,"op":"connect",…}`; each is answered by one line with the same id. Used through test/support/peer.ts.
 */
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

/** Conversations by number: what arrived and wasn't taken yet, and who waits for it. */
const conversations = new Map();
let next = 1;

function track(kind, handle, remotePort) {
  const number = next++;
  const conversation = { kind, handle, remotePort, received: "", ended: null, waiting: null };
  conversations.set(number, conversation);
  const wake = () => {
    conversation.waiting?.();
    conversation.waiting = null;
  };
  if (kind === "tcp") {
    handle.setEncoding("utf8");
    handle.on("data", (text) => {
      conversation.received += text;
      wake();
    });
    const end = (why) => {
      conversation.ended ??= why;
      wake();
    };
    handle.on("error", (error) => end(error.code));
    handle.on("close", () => end("closed"));
  }
  return { number, conversation, wake };
}

const servers = [];
const accepted = [];
const acceptWaiters = [];

const operations = {
  listenTcp({ host, port }) {
    return new Promise((resolve, reject) => {
      const server = createServer((socket) => {
        socket.setNoDelay(true);
        accepted.push({ port, remotePort: socket.remotePort, number: track("tcp", socket, socket.remotePort).number });
        for (const wake of acceptWaiters.splice(0)) wake();
      });
      servers.push(server);
      server.on("error", reject);
      server.listen({ host, port }, () => resolve({}));
    });
  },
  /** The conversation that came to this port from that one. */
  async accept({ port, remotePort, timeoutMs }) {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const at = accepted.findIndex((a) => a.port === port && a.remotePort === remotePort);
      if (at >= 0) return { conversation: accepted.splice(at, 1)[0].number };
      const left = end - performance.now();
      if (left <= 0) return { error: "timeout" };
      await new Promise((resolve) => {
        acceptWaiters.push(resolve);
        setTimeout(resolve, left);
      });
    }
  },
  connectTcp({ host, port, localPort, localHost, timeoutMs }) {
    return new Promise((resolve) => {
      const local = { ...(localPort && { localPort }), ...(localHost && { localAddress: localHost }) };
      const socket = connect({ host, port, ...local });
      socket.setNoDelay(true);
      const timer = setTimeout(() => {
        socket.destroy();
        resolve({ error: "timeout" });
      }, timeoutMs);
      socket.once("error", (error) => {
        clearTimeout(timer);
        resolve({ error: error.code });
      });
      socket.once("connect", () => {
        clearTimeout(timer);
        resolve({ conversation: track("tcp", socket, port).number, localPort: socket.localPort });
      });
    });
  },
  /** Accepts on these ports by TCP, and answers by UDP. */
  async serve({ ports }) {
    for (const port of ports) {
      await new Promise((resolve, reject) => {
        const server = createServer((socket) => socket.on("error", () => {}).resume());
        servers.push(server);
        server.on("error", reject).listen({ host: "::", port }, resolve);
      });
      await new Promise((resolve, reject) => {
        const socket = createSocket("udp6");
        servers.push(socket);
        socket.on("message", (data, from) => socket.send(data, from.port, from.address, () => {}));
        socket.on("error", reject).bind(port, "::", resolve);
      });
    }
    return {};
  },
  /** Tries all of them at once: `open`, a system's code or `timeout`, in order. */
  async probe({ targets, timeoutMs }) {
    const one = ({ protocol, host, port }) =>
      new Promise((resolve) => {
        const isTcp = protocol === "TCP";
        const socket = isTcp ? connect({ host, port }) : createSocket(host.includes(":") ? "udp6" : "udp4");
        const end = (result) => {
          clearTimeout(timer);
          if (isTcp) socket.destroy();
          else if (socket.isOpen !== false) socket.close();
          socket.isOpen = false;
          resolve(result);
        };
        const timer = setTimeout(end, timeoutMs, "timeout");
        socket.on("error", (error) => end(error.code));
        if (isTcp) {
          socket.on("connect", () => end("open"));
          return;
        }
        socket.on("message", () => end("open"));
        socket.connect(port, host, (error) => (error ? end(error.code) : socket.send("probe")));
      });
    return { results: await Promise.all(targets.map(one)) };
  },
  /** A UDP socket that is connected to one peer, or waits for anyone when `port` is absent. */
  openUdp({ family, localHost, localPort, host, port }) {
    return new Promise((resolve) => {
      const socket = createSocket(family === 6 ? "udp6" : "udp4");
      const { number, conversation, wake } = track("udp", socket, port);
      conversation.host = host;
      socket.on("message", (data, from) => {
        conversation.received += data.toString();
        if (conversation.host === undefined || conversation.isServer) {
          conversation.isServer = true;
          conversation.host = from.address;
          conversation.remotePort = from.port;
        }
        wake();
      });
      socket.on("error", (error) => {
        conversation.ended = error.code;
        wake();
        resolve({ error: error.code });
      });
      socket.bind(localPort ?? 0, localHost, () => resolve({ conversation: number, localPort: socket.address().port }));
    });
  },
  send({ conversation, text }) {
    const { kind, handle, host, remotePort } = conversations.get(conversation);
    if (kind === "tcp") handle.write(text);
    else handle.send(text, remotePort, host);
    return {};
  },
  /** What has arrived, when at least `text` of it has; or how the conversation ended; or `timeout`. */
  async receive({ conversation, text, timeoutMs }) {
    const c = conversations.get(conversation);
    const end = performance.now() + timeoutMs;
    for (;;) {
      const at = c.received.indexOf(text);
      if (at >= 0) {
        c.received = c.received.slice(at + text.length);
        return { text };
      }
      if (c.ended !== null) return { error: c.ended };
      const left = end - performance.now();
      if (left <= 0) return { error: "timeout" };
      await new Promise((resolve) => {
        c.waiting = resolve;
        setTimeout(resolve, left);
      });
    }
  },
  close({ conversation }) {
    const { kind, handle } = conversations.get(conversation);
    if (kind === "tcp") handle.destroy();
    else handle.close();
    conversations.delete(conversation);
    return {};
  },
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, op, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = await operations[op](rest);
  } catch (error) {
    answer = { error: error.code ?? String(error) };
  }
  process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`);
});
process.stdin.on("end", () => process.exit(0));
