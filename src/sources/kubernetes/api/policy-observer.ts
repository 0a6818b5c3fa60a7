/** Whoever wants to know of each policy on the server, as it came and what was made of it. */
import type { Finding } from "../../../model/finding.ts";
import type { ApiObject } from "./reflector.ts";
import type { ApiResource } from "./resources.ts";

export interface PolicySeen {
  readonly resource: ApiResource;
  /** Not to be kept: it's all that the server said. */
  readonly object: ApiObject;
  readonly findings: readonly Finding[];
  /** Something was made of it, if only a part. */
  readonly isUsed: boolean;
}

export interface PolicyObserver {
  /** `name` is its origin's: `NetworkPolicy shop/db`. */
  put(name: string, seen: PolicySeen): void;
  remove(name: string): void;
  /** There are no others of this kind. */
  keepOnly(kind: string, names: ReadonlySet<string>): void;
}
