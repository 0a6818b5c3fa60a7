/**
 * What a real API server won't do on demand. Lists in pages and watches of our kinds from objects in memory, over TLS,
 * as an API server answers them; and any answer can be replaced by a trick: cut off, silent, nonsense, refused.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type ApiObject, collectionPath } from "./api-client.ts";
import { refuse, type Trick, type Verb } from "./api-tricks.ts";
import { lastingPort } from "./lasting-port.ts";

interface Event {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: ApiObject;
}
interface Collection {
  apiVersion: string;
  readonly kind: string;
  isServed: boolean;
  readonly objects: Map<string, ApiObject>;
  events: Event[];
}
interface Watcher {
  readonly collection: Collection;
  readonly answer: ServerResponse;
  isMute: boolean;
}

const POLICY_GROUP = "policy.networking.k8s.io";
const servedKinds: readonly (readonly [string, string])[] = [
  ["v1", "Pod"],
  ["v1", "Namespace"],
  ["v1", "Node"],
  ["v1", "Service"],
  ["networking.k8s.io/v1", "NetworkPolicy"],
  [`${POLICY_GROUP}/v1alpha1`, "AdminNetworkPolicy"],
  [`${POLICY_GROUP}/v1alpha1`, "BaselineAdminNetworkPolicy"],
  [`${POLICY_GROUP}/v1alpha2`, "ClusterNetworkPolicy"],
];

export class ApiDouble {
  readonly directory = mkdtempSync(join(tmpdir(), `vd${process.pid}-double-`));
  readonly kubeconfig = join(this.directory, "kubeconfig");
  /** What was asked, in order: `watch Pod`. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #collections = new Map<string, Collection>();
  readonly #watchers = new Set<Watcher>();
  readonly #tricks: { kind: string | null; verb: Verb; trick: Trick; left: number }[] = [];
  readonly #snapshots = new Map<string, { version: number; items: readonly ApiObject[] }>();
  #version = 1000;
  #oldest = 0;
  #token: string | null = null;
  #certificate = firstCertificate();

  private constructor() {
    for (const [apiVersion, kind] of servedKinds) {
      const collection = { apiVersion, kind, isServed: true, objects: new Map(), events: [] };
      this.#collections.set(collectionPath(apiVersion, kind), collection);
    }
    this.#server = createServer(this.#certificate, (request, answer) => this.#answer(request, answer));
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("tlsClientError", () => {}); // one that doesn't trust us
  }

  static async start(): Promise<ApiDouble> {
    const double = new ApiDouble();
    await double.listen();
    return double;
  }

  /** Again, at the same address. */
  async listen(): Promise<void> {
    const port = this.#port === 0 ? await lastingPort() : this.#port;
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#writeKubeconfig();
  }
  #port = 0;

  /** As a crash: nobody listens, every connection is cut. */
  async goDown(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async remove(): Promise<void> {
    if (this.#server.listening) await this.goDown();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Of 127.0.0.1. */
  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  watches(kind: string): number {
    return this.#watchersOf(kind).length;
  }

  /** Every kind that is served has a watch. */
  get isWatched(): boolean {
    return [...this.#collections.values()].every(({ kind, isServed }) => !isServed || this.watches(kind) > 0);
  }

  // Objects

  /** Creates it, or puts it in the place of the one of its name. */
  apply(object: ApiObject): void {
    const collection = this.#collectionOf(object.kind);
    const key = keyOf(object);
    const type = collection.objects.has(key) ? "MODIFIED" : "ADDED";
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    const stored = { ...object, metadata };
    collection.objects.set(key, stored);
    this.#tell(collection, { version: this.#version, type, object: stored });
  }

  delete(object: ApiObject): void {
    const collection = this.#collectionOf(object.kind);
    const stored = collection.objects.get(keyOf(object));
    if (stored === undefined) throw new Error(`there is no ${keyOf(object)}`);
    collection.objects.delete(keyOf(object));
    const metadata = { ...stored.metadata, resourceVersion: String(++this.#version) };
    this.#tell(collection, { version: this.#version, type: "DELETED", object: { ...stored, metadata } });
  }

  objects(): ApiObject[] {
    return [...this.#collections.values()].flatMap(({ isServed, objects }) => (isServed ? [...objects.values()] : []));
  }

  /** A definition that comes or goes, with its objects. */
  setServed(kind: string, isServed: boolean): void {
    const collection = this.#collectionOf(kind);
    if (!isServed) for (const object of [...collection.objects.values()]) this.delete(object);
    collection.isServed = isServed;
    if (!isServed) this.endWatches(kind);
  }

  /** From now on under this version alone, with its objects. */
  serveAs(kind: string, apiVersion: string): void {
    const collection = this.#collectionOf(kind);
    this.#collections.delete(collectionPath(collection.apiVersion, kind));
    collection.apiVersion = apiVersion;
    this.#collections.set(collectionPath(apiVersion, kind), collection);
    this.endWatches(kind);
  }

  // Tricks

  /** For the next so many requests of this sort; `kind` null: of any kind. */
  play(kind: string | null, verb: Verb, trick: Trick, times = 1): void {
    this.#tricks.push({ kind, verb, trick, left: times });
  }

  /** How many times tricks are still to be played. */
  get tricksLeft(): number {
    return this.#tricks.reduce((sum, { left }) => sum + (left === Number.POSITIVE_INFINITY ? 0 : left), 0);
  }

  stopTricks(): void {
    this.#tricks.length = 0;
  }

  /** All history is gone: pages and watches from before now are. */
  expire(): void {
    this.#oldest = ++this.#version;
    this.#snapshots.clear();
    for (const collection of this.#collections.values()) collection.events = [];
  }

  /** Ends the watches of a kind in order. */
  endWatches(kind: string): void {
    for (const { answer } of this.#watchersOf(kind)) answer.end();
  }

  /** Cuts their connections, after a last word. */
  cutWatches(kind: string, text = ""): void {
    for (const { answer } of this.#watchersOf(kind)) {
      if (text === "") answer.destroy();
      else answer.write(text, () => answer.destroy());
    }
  }

  /** They stay open, and say nothing any more. */
  muteWatches(kind: string): void {
    for (const watcher of this.#watchersOf(kind)) watcher.isMute = true;
  }

  /** Whatever it is. */
  say(kind: string, text: string): void {
    for (const { answer } of this.#watchersOf(kind)) answer.write(text);
  }

  bookmark(kind: string): void {
    const { apiVersion } = this.#collectionOf(kind);
    const metadata = { resourceVersion: String(++this.#version) };
    this.say(kind, `${JSON.stringify({ type: "BOOKMARK", object: { kind, apiVersion, metadata } })}\n`);
  }

  /** From now on whoever asks needs this token; the client's file has another one until `writeToken`. */
  requireToken(token: string): void {
    this.#token = token;
  }

  writeToken(token: string): void {
    writeFileSync(join(this.directory, "token"), token);
  }

  /** A new certificate of a new CA, which new connections get; the client's file has the old CA until `writeCa`. */
  changeCertificate(): void {
    this.#certificate = makeCertificate();
    this.#server.setSecureContext(this.#certificate);
    for (const socket of this.#sockets) socket.destroy();
  }

  writeCa(): void {
    writeFileSync(join(this.directory, "ca.crt"), this.#certificate.cert);
  }

  // Answers

  #answer(request: IncomingMessage, answer: ServerResponse): void {
    answer.on("error", () => {});
    const url = new URL(request.url ?? "", "https://double");
    const collection = this.#collections.get(url.pathname);
    const isWatch = ["1", "true"].includes(url.searchParams.get("watch") ?? "");
    const verb = collection === undefined ? "discovery" : isWatch ? "watch" : "list";
    const kind = collection?.kind ?? "";
    this.asked.push(`${verb} ${kind}`);
    if (this.#token !== null && request.headers.authorization !== `Bearer ${this.#token}`) {
      refuse(answer, 401, "Unauthorized");
      return;
    }
    const serve = (): void => {
      if (collection === undefined) this.#discover(url, answer);
      else if (!collection.isServed) refuse(answer, 404, "NotFound");
      else if (isWatch) this.#watch(collection, url, answer);
      else this.#list(collection, url, answer);
    };
    const played = this.#tricks.find((one) => (one.kind ?? kind) === kind && one.verb === verb);
    if (played === undefined) {
      serve();
      return;
    }
    if (--played.left <= 0) this.#tricks.splice(this.#tricks.indexOf(played), 1);
    const page = (): string => (collection === undefined ? "" : (this.#page(collection, url) ?? ""));
    played.trick(answer, { verb, kind, url, page }, serve);
  }

  #list(collection: Collection, url: URL, answer: ServerResponse): void {
    const page = this.#page(collection, url);
    if (page === null) refuse(answer, 410, "Expired");
    else answer.writeHead(200, { "Content-Type": "application/json" }).end(page);
  }

  /** Null where its token has expired. */
  #page({ apiVersion, kind, objects }: Collection, url: URL): string | null {
    const limit = Number(url.searchParams.get("limit") ?? 0) || Number.POSITIVE_INFINITY;
    const token = url.searchParams.get("continue");
    const snapshot =
      token === null ? { version: this.#version, items: [...objects.values()] } : this.#snapshots.get(token);
    if (snapshot === undefined) return null;
    const { version, items } = snapshot;
    const rest = items.slice(limit);
    const next = rest.length === 0 ? undefined : `${kind}-${this.#snapshots.size}`;
    if (next !== undefined) this.#snapshots.set(next, { version, items: rest });
    const metadata = { resourceVersion: String(version), ...(next === undefined ? {} : { continue: next }) };
    const bare = items.slice(0, limit).map(({ kind: _kind, apiVersion: _version, ...object }) => object);
    return JSON.stringify({ kind: `${kind}List`, apiVersion, metadata, items: bare });
  }

  #watch(collection: Collection, url: URL, answer: ServerResponse): void {
    const from = Number(url.searchParams.get("resourceVersion"));
    answer.writeHead(200, { "Content-Type": "application/json" });
    answer.flushHeaders();
    if (from < this.#oldest) {
      const object = {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        reason: "Expired",
        code: 410,
      };
      answer.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
      return;
    }
    const watcher = { collection, answer, isMute: false };
    this.#watchers.add(watcher);
    answer.on("close", () => this.#watchers.delete(watcher));
    for (const event of collection.events) if (event.version > from) answer.write(lineOf(event));
  }

  #discover(url: URL, answer: ServerResponse): void {
    const group = url.pathname.replace(/^\/apis?\//, "");
    const served = [...this.#collections.values()].filter(({ isServed }) => isServed);
    const names = served.map(({ apiVersion }) => apiVersion).filter((name) => name.startsWith(`${group}/`));
    if (names.length > 0) {
      const versions = [...new Set(names)].map((name) => ({
        groupVersion: name,
        version: name.slice(group.length + 1),
      }));
      answer.end(JSON.stringify({ kind: "APIGroup", apiVersion: "v1", name: group, versions }));
      return;
    }
    const resources = [...this.#collections]
      .filter(([, { apiVersion, isServed }]) => apiVersion === group && isServed)
      .map(([path, { kind }]) => ({ name: path.slice(path.lastIndexOf("/") + 1), kind, verbs: ["list", "watch"] }));
    if (resources.length === 0) refuse(answer, 404, "NotFound");
    else answer.end(JSON.stringify({ kind: "APIResourceList", apiVersion: "v1", groupVersion: group, resources }));
  }

  #tell(collection: Collection, event: Event): void {
    collection.events.push(event);
    for (const { answer, isMute } of this.#watchersOf(collection.kind)) if (!isMute) answer.write(lineOf(event));
  }

  #watchersOf(kind: string): Watcher[] {
    return [...this.#watchers].filter(({ collection }) => collection.kind === kind);
  }

  #collectionOf(kind: string): Collection {
    for (const collection of this.#collections.values()) if (collection.kind === kind) return collection;
    throw new Error(`the double has no ${kind}`);
  }

  /** By files, as they are mounted into pods: they can change. */
  #writeKubeconfig(): void {
    const cluster = {
      server: `https://127.0.0.1:${this.#port}`,
      "certificate-authority": join(this.directory, "ca.crt"),
    };
    this.writeCa();
    this.writeToken("first");
    writeFileSync(
      this.kubeconfig,
      JSON.stringify({
        ...{ kind: "Config", apiVersion: "v1", "current-context": "double" },
        clusters: [{ name: "double", cluster }],
        users: [{ name: "double", user: { tokenFile: join(this.directory, "token") } }],
        contexts: [{ name: "double", context: { cluster: "double", user: "double" } }],
      }),
    );
  }
}

interface Certificate {
  readonly key: Buffer;
  readonly cert: Buffer;
}

/** One that is its own CA. */
function makeCertificate(): Certificate {
  const directory = mkdtempSync(join(tmpdir(), `vd${process.pid}-certificate-`));
  const [key, cert] = [join(directory, "tls.key"), join(directory, "tls.crt")];
  const name = ["-subj", `/CN=${basename(directory)}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  try {
    const args = ["req", "-x509", ...curve, "-days", "2", ...name, "-keyout", key, "-out", cert];
    const made = spawnSync("openssl", args, { encoding: "utf8" });
    if (made.status !== 0) throw new Error(`openssl: ${made.error?.message ?? made.stderr}`);
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The same for all doubles of a process: to make one takes a while, in which nothing else happens. */
const firstCertificate = ((): (() => Certificate) => {
  let known: Certificate | null = null;
  return () => {
    known ??= makeCertificate();
    return known;
  };
})();

/** Why there is no double, or null. */
export const doubleSkipReason: string | null =
  spawnSync("openssl", ["version"]).status === 0 ? null : "there is no openssl to make a certificate with";

function keyOf({ kind, metadata }: ApiObject): string {
  return `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
}

function lineOf({ type, object }: Pick<Event, "type" | "object">): string {
  return `${JSON.stringify({ type, object })}\n`;
}
