/**
 * Names of container ports (NP-43, AN-42). A rule asks for a name, with a protocol or without one; each such question has
 * a number. What the ports of a pod answer to all of them is a list of traffic and number, which pods share.
 */
import type { Pod } from "../../model/kubernetes.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { PagedLists } from "../../net/paged-lists.ts";
import type { Profile } from "./kind.ts";
import { protocolBase } from "./traffic-key.ts";

interface NamedPort {
  readonly name: string;
  readonly protocol: number;
  readonly port: number;
}

/** The named ports of some pods, all of them. */
export interface PortShape {
  readonly key: string;
  readonly ports: readonly NamedPort[];
  readonly profiles: Set<Profile>;
  answers: PortAnswers;
}

/** Traffic and number of the name, in turn, as `lists` has them. */
export interface PortAnswers {
  readonly number: number;
  readonly key: string;
  readonly pairs: readonly number[];
  readonly start: number;
  shapes: number;
}

interface PortName {
  readonly number: number;
  readonly name: string;
  readonly protocol: number | null;
  uses: number;
}

export class PortNames {
  readonly #lists: PagedLists;
  readonly #names = new Map<string, PortName>();
  readonly #numbers = new FreeNumbers(0);
  readonly #shapes = new Map<string, PortShape>();
  readonly #answers = new Map<string, PortAnswers>();
  readonly #answerNumbers = new FreeNumbers(1);
  /** That of pods without named ports, and of what is no pod. */
  readonly none: PortAnswers = { number: 0, key: "", pairs: [], start: 0, shapes: 1 };
  /** Shapes whose answers may differ since somebody looked last. */
  readonly #stale = new Set<PortShape>();

  constructor(lists: PagedLists) {
    this.#lists = lists;
    this.#answers.set("", this.none);
  }

  /** The number of the question; to be given back by `release`. */
  acquire(name: string, protocol: number | null): number {
    const key = nameKey(name, protocol);
    let found = this.#names.get(key);
    if (!found) {
      found = { number: this.#numbers.take(), name, protocol, uses: 0 };
      this.#names.set(key, found);
      this.#expire(name);
    }
    found.uses++;
    return found.number;
  }

  release(name: string, protocol: number | null): void {
    const found = this.#names.get(nameKey(name, protocol));
    if (!found || --found.uses > 0) return;
    this.#names.delete(nameKey(name, protocol));
    this.#numbers.giveBack(found.number);
    this.#expire(name);
  }

  /** The shape of a pod's ports. A shape without profiles must be dropped. */
  shapeOf(pod: Pod): PortShape {
    let key = "";
    for (const { name, protocol, port } of pod.ports) {
      if (name !== null) key += `${name.length}:${name}/${protocol}/${port} `;
    }
    let shape = this.#shapes.get(key);
    if (!shape) {
      const ports = pod.ports.flatMap(({ name, protocol, port }) => (name === null ? [] : [{ name, protocol, port }]));
      shape = { key, ports, profiles: new Set(), answers: this.none };
      this.#shapes.set(key, shape);
      shape.answers = this.#answersOf(shape);
      shape.answers.shapes++;
    }
    return shape;
  }

  dropIfUnused(shape: PortShape): void {
    if (shape.profiles.size > 0) return;
    this.#shapes.delete(shape.key);
    this.#stale.delete(shape);
    this.#leave(shape.answers);
  }

  /** Brings the answers up to date; `move` hears of each shape whose answers are others now, and what they were. */
  settle(move: (shape: PortShape) => void): void {
    for (const shape of this.#stale) {
      const before = shape.answers;
      const after = this.#answersOf(shape);
      if (after === before) continue;
      after.shapes++;
      shape.answers = after;
      move(shape);
      this.#leave(before);
    }
    this.#stale.clear();
  }

  /** Whether some pod has a port of this name, protocol and number. */
  has(name: string, protocol: number | null, traffic: number): boolean {
    for (const { ports } of this.#shapes.values()) {
      if (ports.some((port) => answers(port, name, protocol) && trafficOf(port) === traffic)) return true;
    }
    return false;
  }

  #expire(name: string): void {
    for (const shape of this.#shapes.values()) {
      if (shape.ports.some((port) => port.name === name)) this.#stale.add(shape);
    }
  }

  #answersOf(shape: PortShape): PortAnswers {
    if (shape.ports.length === 0 || this.#names.size === 0) return this.none;
    const asked = shape.ports.flatMap((port) =>
      [port.protocol, null].flatMap((protocol) => {
        const name = this.#names.get(nameKey(port.name, protocol));
        return name ? [[trafficOf(port), name.number] as const] : [];
      }),
    );
    // Pods may name the same ports in another order.
    asked.sort(([a, m], [b, n]) => a - b || m - n);
    const pairs = asked.flat();
    const key = pairs.join();
    let found = this.#answers.get(key);
    if (!found) {
      found = { number: this.#answerNumbers.take(), key, pairs, start: this.#lists.add(pairs), shapes: 0 };
      this.#answers.set(key, found);
    }
    return found;
  }

  #leave(left: PortAnswers): void {
    if (--left.shapes > 0 || left === this.none) return;
    this.#answers.delete(left.key);
    this.#answerNumbers.giveBack(left.number);
    this.#lists.remove(left.start, left.pairs.length);
  }
}

function nameKey(name: string, protocol: number | null): string {
  return `${protocol} ${name}`;
}

function answers(port: NamedPort, name: string, protocol: number | null): boolean {
  return port.name === name && (protocol === null || port.protocol === protocol);
}

function trafficOf({ protocol, port }: NamedPort): number {
  return protocolBase(protocol) + port;
}
