/** The domains that rules mean, each once, and which of them mean a name (AN-29). */
import { visitPatterns } from "../../model/domain-name.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import { firstDomain } from "./tables.ts";

export interface Domain {
  readonly number: number;
  /** In its canonical form. */
  readonly pattern: string;
  uses: number;
}

export class Domains {
  readonly #byPattern = new Map<string, Domain>();
  readonly #numbers = new FreeNumbers(firstDomain);
  #hasChanged = false;

  /** To be given back by `release`. */
  acquire(pattern: string): Domain {
    let domain = this.#byPattern.get(pattern);
    if (!domain) {
      domain = { number: this.#numbers.take(), pattern, uses: 0 };
      this.#byPattern.set(pattern, domain);
      this.#hasChanged = true;
    }
    domain.uses++;
    return domain;
  }

  release(domain: Domain): void {
    if (--domain.uses > 0) return;
    this.#byPattern.delete(domain.pattern);
    this.#numbers.giveBack(domain.number);
    this.#hasChanged = true;
  }

  /** Adds the numbers of those that mean the name. */
  collect(name: string, numbers: Set<number>): void {
    visitPatterns(name, (pattern) => {
      const domain = this.#byPattern.get(pattern);
      if (domain) numbers.add(domain.number);
    });
  }

  /** All of them where they aren't what they were the last time; otherwise null. */
  takeChanged(): readonly string[] | null {
    if (!this.#hasChanged) return null;
    this.#hasChanged = false;
    return [...this.#byPattern.keys()];
  }
}
