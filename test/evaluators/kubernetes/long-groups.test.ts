/** Many policies for one pod: what is cut by traffic and turned round still finds the first rule in order. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { cluster, label, policy } from "./cluster.ts";
import { stageOf } from "./stage.ts";

interface Rule {
  readonly peer: number;
  readonly port: number;
}

/** Whom a rule means, and whether that is `shop/web`, and whether it's `8.8.8.8`. */
const peers: readonly (readonly [unknown, boolean, boolean])[] = [
  [[{ podSelector: label("app=web") }], true, false],
  [[{ namespaceSelector: {} }], true, false],
  [[], true, true],
  [[{ podSelector: label("app=other") }, { namespaceSelector: label("team=b") }], false, false],
  [[{ ipBlock: { cidr: "8.0.0.0/8" } }], false, true],
  [[{ ipBlock: { cidr: "0.0.0.0/0", except: ["8.8.0.0/16"] } }], true, false],
  [[{ ipBlock: { cidr: "0.0.0.0/0", except: ["10.0.0.0/24"] } }], false, true],
  [[{ ipBlock: { cidr: "10.0.0.1/32" } }, { ipBlock: { cidr: "8.8.8.8/32" } }], true, true],
];
const numbers = [1, 52, 53, 79, 80, 81, 8079, 8080, 8081, 65535] as const;
/** Which TCP ports of `shop/db` a rule means. */
const ports: readonly (readonly [unknown, (port: number) => boolean])[] = [
  [undefined, () => true],
  [[{ protocol: "TCP" }], () => true],
  [[{ protocol: "UDP" }], () => false],
  [[{ port: "web" }], (port) => port === 80],
  [[{ port: "http" }, { port: 53 }], (port) => port === 8080 || port === 53],
  [[{ port: "nobody" }], () => false],
  ...numbers.map((port) => [[{ port }], (one: number) => one === port] as const),
  ...numbers.slice(0, -1).map((port, i) => {
    const endPort = (numbers[i + 1] as number) - 1;
    return [[{ port, endPort }], (one: number) => one >= port && one <= endPort] as const;
  }),
];
const rule = fc.record({ peer: fc.nat(peers.length - 1), port: fc.nat(ports.length - 1) });

test("NP-5: the first rule in text order that holds peer and port names the answer", () => {
  let denied = 0;
  fc.assert(
    fc.property(fc.array(fc.array(rule, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 120 }), (lists) => {
      const nameOf = (i: number) => `p${String(i).padStart(3, "0")}`;
      const policies = lists.map((rules: readonly Rule[], i) =>
        policy(`shop/${nameOf(i)}`, {
          podSelector: label("app=db"),
          ingress: rules.map(({ peer, port }) => ({ from: peers[peer]?.[0], ports: ports[port]?.[0] })),
        }),
      );
      const stage = stageOf([...cluster, ...policies]);
      for (const port of numbers) {
        for (const [from, at] of [
          ["shop/web", 1],
          ["8.8.8.8", 2],
        ] as const) {
          const expected = lists
            .flatMap((rules, i) => rules.map((one, j) => ({ ...one, name: `shop/${nameOf(i)} ingress[${j}]` })))
            .find((one) => peers[one.peer]?.[at] && ports[one.port]?.[1](port));
          const { verdict, decidedBy } = stage.judge(`${from} -> shop/db tcp ${port}`);
          expect(verdict).toBe(expected ? "accept" : "deny");
          if (expected) expect(`${decidedBy?.rule?.policy} ${decidedBy?.rule?.rule}`).toBe(expected.name);
          else denied++;
        }
      }
    }),
    { numRuns: 60, seed: 20261104 },
  );
  expect(denied).toBeGreaterThan(50);
});
