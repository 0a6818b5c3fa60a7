/**
 * What pods have asked DNS and had no answer to yet (AN-30): only what a pod asked for may teach it anything, once. Bounded:
 * what nobody answered is forgotten after a while, and of a pod that asks too much, what it asked for first.
 */
import { type Address, addressKey } from "../../net/address.ts";
import type { DnsQuestion } from "../../net/dns-message.ts";

/** Whose question it is, by which socket. The server isn't part of it: its address may be translated on one way alone. */
export interface Asker {
  readonly subject: Address;
  readonly protocol: number;
  readonly port: number;
}

export interface AskedLimits {
  readonly ofSubject: number;
  /** Longer than a resolver waits. */
  readonly lifetimeMs: number;
}
const askedLimits: AskedLimits = { ofSubject: 512, lifetimeMs: 10_000 };

interface Question {
  /** It may be sent to several servers, or again: as many answers count. */
  times: number;
  readonly askedMs: number;
}

export class AskedNames {
  readonly #limits: AskedLimits;
  /** By subject, in the order in which they were asked. */
  readonly #questions = new Map<string, Map<string, Question>>();

  constructor(limits: AskedLimits = askedLimits) {
    this.#limits = limits;
  }

  get size(): number {
    let size = 0;
    for (const ofSubject of this.#questions.values()) size += ofSubject.size;
    return size;
  }

  ask(asker: Asker, question: DnsQuestion, nowMs: number): void {
    const subject = addressKey(asker.subject);
    const ofSubject = this.#questions.get(subject) ?? new Map<string, Question>();
    this.#questions.set(subject, ofSubject);
    const key = keyOf(asker, question);
    const times = (ofSubject.get(key)?.times ?? 0) + 1;
    ofSubject.delete(key);
    ofSubject.set(key, { times, askedMs: nowMs });
    if (ofSubject.size > this.#limits.ofSubject) this.#drop(subject, ofSubject, ofSubject.keys().next().value ?? "");
  }

  /** Whether it was asked for; it doesn't count again. */
  answers(asker: Asker, question: DnsQuestion, nowMs: number): boolean {
    const subject = addressKey(asker.subject);
    const ofSubject = this.#questions.get(subject);
    const key = keyOf(asker, question);
    const found = ofSubject?.get(key);
    if (ofSubject === undefined || found === undefined) return false;
    if (--found.times === 0) this.#drop(subject, ofSubject, key);
    return found.askedMs + this.#limits.lifetimeMs > nowMs;
  }

  /** To be called now and then. */
  expire(nowMs: number): void {
    for (const [subject, ofSubject] of this.#questions) {
      for (const [key, { askedMs }] of ofSubject) {
        if (askedMs + this.#limits.lifetimeMs > nowMs) break;
        this.#drop(subject, ofSubject, key);
      }
    }
  }

  #drop(subject: string, ofSubject: Map<string, Question>, key: string): void {
    ofSubject.delete(key);
    if (ofSubject.size === 0) this.#questions.delete(subject);
  }
}

function keyOf({ protocol, port }: Asker, { id, type, name }: DnsQuestion): string {
  return `${protocol} ${port} ${id} ${type} ${name}`;
}
