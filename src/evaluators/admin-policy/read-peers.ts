/** Peers of admin rules. One invalid peer makes the whole rule invalid (AN-27). */
import type { AdminPeer, NamespacedPods } from "../../model/admin-policy.ts";
import { selectsEverything } from "../../model/selector.ts";
import type { DirectionName } from "../../model/verdict.ts";
import { readSelector } from "../kubernetes/read-selector.ts";
import { readCidr } from "../kubernetes/read-values.ts";
import { at, hasOnly, isObject, type Place, present, readList, refuse, wrongType } from "../kubernetes/reading.ts";
import { type Dialect, valueLimit } from "./dialect.ts";
import { checkLimit } from "./limit.ts";

/** Null, and reported, where any is invalid or there is none (AN-26). */
export function readPeers(
  value: unknown,
  direction: DirectionName,
  dialect: Dialect,
  place: Place,
): readonly AdminPeer[] | null {
  const list = readList(value, place, "AN-64");
  if (!list) return null;
  if (list.length === 0) return refuse(place, "no-peers", "AN-26", "a rule needs at least one peer; give one");
  checkLimit(list, dialect.elementLimit, place);
  const peers = list.map((peer, i) => readPeer(peer, dialect.peerFields[direction], at(place, i)));
  return peers.includes(null) ? null : peers.flatMap((peer) => peer ?? []);
}

/** One field, one or more peers: each CIDR and each domain name is one of its own. */
function readPeer(value: unknown, known: readonly string[], place: Place): readonly AdminPeer[] | null {
  if (!isObject(value)) return wrongType(value, place, "an object", "AN-64");
  const isKnown = hasOnly(value, known, place, "AN-27");
  const [field, second] = present(value, known);
  if (!isKnown || field === undefined || second !== undefined) {
    return refuse(place, "bad-peer", "AN-27", `a peer has exactly one of ${known.join(", ")}; give one`);
  }
  const fieldPlace = at(place, field);
  const content = value[field];
  switch (field) {
    case "namespaces": {
      const namespaces = readSelector(content, fieldPlace);
      return namespaces && [{ kind: "pods", namespaces, pods: selectsEverything }];
    }
    case "pods": {
      const pods = readPods(content, fieldPlace, "AN-27");
      return pods && [{ kind: "pods", ...pods }];
    }
    case "nodes": {
      const nodes = readSelector(content, fieldPlace);
      return nodes && [{ kind: "nodes", nodes }];
    }
    case "networks":
      return readEach(content, fieldPlace, (element, where) => {
        const prefix = readCidr(element, where, "AN-25");
        return prefix && { kind: "network", prefix };
      });
    default:
      return readEach(content, fieldPlace, readDomainName);
  }
}

/** Both selectors are ANDed, an absent one selects all (AN-20). */
export function readPods(value: unknown, place: Place, rule: string): NamespacedPods | null {
  if (!isObject(value)) return wrongType(value, place, "an object", rule);
  if (!hasOnly(value, ["namespaceSelector", "podSelector"], place, rule)) return null;
  const namespaces = readSelector(value.namespaceSelector, at(place, "namespaceSelector"));
  const pods = readSelector(value.podSelector, at(place, "podSelector"));
  return namespaces && pods && { namespaces, pods };
}

function readEach(
  value: unknown,
  place: Place,
  read: (element: unknown, place: Place) => AdminPeer | null,
): readonly AdminPeer[] | null {
  const list = readList(value, place, "AN-64");
  if (!list) return null;
  if (list.length === 0) return refuse(place, "bad-peer", "AN-27", "an empty list names nobody; give an element");
  checkLimit(list, valueLimit, place);
  const peers = list.map((element, i) => read(element, at(place, i)));
  return peers.includes(null) ? null : peers.flatMap((peer) => peer ?? []);
}

/** AN-29: `*` only as the first whole label. */
function readDomainName(value: unknown, place: Place): AdminPeer | null {
  const label = "[a-z0-9]([-a-z0-9_]*[a-z0-9])?";
  const isName = typeof value === "string" && new RegExp(`^(\\*\\.)?(${label}\\.)+${label}\\.?$`, "i").test(value);
  if (isName) return { kind: "domain-name", domainName: value };
  return refuse(place, "bad-domain-name", "AN-29", `${JSON.stringify(value)} is no domain name; write NAME or *.NAME`);
}
