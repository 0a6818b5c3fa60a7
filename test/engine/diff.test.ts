/** Differences: what is told is what the pipeline answers differently, no more and no less. */
import { describe, expect, test } from "vitest";
import { compileProgram } from "../../src/engine/compiler.ts";
import { type DiffSide, diffInventories, type FlowChange, type InventoryDiff } from "../../src/engine/diff/diff.ts";
import { kindOf, renderDiffJson, renderDiffText } from "../../src/engine/diff/render-diff.ts";
import { listInside, listOutside } from "../../src/engine/matrix/endpoints.ts";
import { FlowJudge } from "../../src/engine/matrix/flow-judge.ts";
import { flowFamilies } from "../../src/engine/matrix/groups.ts";
import { formatServices, singleService } from "../../src/engine/matrix/services.ts";
import { EndpointNames } from "../../src/engine/render-explain-names.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { Protocol } from "../../src/net/protocol.ts";
import {
  allEgress,
  describeInstances,
  describeNetworkAcls,
  describeSecurityGroups,
  describeSubnets,
  type EntryRow,
  networkAcl,
  openEntries,
  type PermissionRow,
} from "../support/vpc.ts";
import { closed, deployment, inventoryOf, pod } from "./inventories.ts";

const plain = (text: string): string => text;
const style = { bold: plain, dim: plain, good: plain, bad: plain };

function side(documents: readonly unknown[]): DiffSide {
  const inventory = inventoryOf(documents);
  return { inventory, program: compileProgram(inventory, defaultKnobs), names: new EndpointNames(inventory) };
}

interface Shop {
  readonly db?: readonly PermissionRow[];
  readonly acl?: readonly EntryRow[];
  readonly address?: string;
}

/** i-web in one subnet, i-db in another one, which 5432 reaches. */
function shop({ db, acl = openEntries, address = "10.0.1.4" }: Shop = {}): readonly unknown[] {
  return [
    describeSubnets({ "subnet-1": ["10.0.1.0/24"], "subnet-2": ["10.0.2.0/24"] }),
    describeInstances([
      { instance: "i-web", subnet: "subnet-1", addresses: [address], groups: ["sg-web"] },
      { instance: "i-db", subnet: "subnet-2", addresses: ["10.0.2.4"], groups: ["sg-db"] },
    ]),
    describeSecurityGroups([
      { id: "sg-web", ingress: [], egress: allEgress },
      { id: "sg-db", ingress: db ?? [{ protocol: "tcp", from: 5432, peers: ["sg-web"] }], egress: [] },
    ]),
    describeNetworkAcls([networkAcl("acl-1", ["subnet-1"], openEntries), networkAcl("acl-2", ["subnet-2"], acl)]),
  ];
}

function diff(before: readonly unknown[], after: readonly unknown[]): InventoryDiff {
  return diffInventories(side(before), side(after));
}

/** `opened i-web → i-db tcp 80` of each change. */
function tell(found: InventoryDiff): string[] {
  const names = (groups: FlowChange["sources"]): string => groups.flatMap((g) => g.map((end) => end.name)).join(",");
  return found.changes.map((change) => {
    const services = formatServices(change.services, found.services);
    return `${kindOf(change)} ${names(change.sources)} → ${names(change.destinations)} ${services}`;
  });
}

const onlyEgress = openEntries.filter((row) => row.egress);
const onlyIngress = openEntries.filter((row) => !row.egress);
const web = [pod("shop/web-1", ["10.1.0.4"]), pod("shop/web-2", ["10.1.0.5"]), pod("shop/db", ["10.1.0.6"])];

describe("changes", () => {
  test.each<[string, readonly unknown[], readonly unknown[], string[]]>([
    ["nothing", shop(), shop(), []],
    [
      "SG-3: the same rule in two pieces",
      shop(),
      shop({ db: [5432, 5432].map((from) => ({ protocol: "tcp", from, peers: ["sg-web"] })) }),
      [],
    ],
    [
      "the boundary of a range moves",
      shop({ db: [{ protocol: "tcp", from: 5432, to: 5440, peers: ["sg-web"] }] }),
      shop({ db: [{ protocol: "tcp", from: 5433, to: 5441, peers: ["sg-web"] }] }),
      ["closed i-web → i-db tcp 5432", "opened i-web → i-db tcp 5441"],
    ],
    [
      "a prefix that nobody has",
      shop(),
      shop({ db: [{ protocol: "tcp", from: 5432, peers: ["sg-web", "203.0.113.0/28"] }] }),
      ["opened 203.0.113.0/28 → i-db tcp 5432"],
    ],
    ["NA-18: the answers are lost", shop(), shop({ acl: onlyIngress }), ["unanswered i-web → i-db tcp 5432"]],
    ["NA-18: and come back", shop({ acl: onlyIngress }), shop(), ["answered i-web → i-db tcp 5432"]],
    ["a network ACL closes", shop(), shop({ acl: onlyEgress }), ["closed i-web → i-db tcp 5432"]],
    ["an endpoint moves to another address", shop(), shop({ address: "10.0.1.9" }), []],
    [
      "a policy comes: pods alike are one",
      web,
      [...web, closed("shop/db", "db")],
      ["closed internet,shop/web-1,shop/web-2 → shop/db anything"],
    ],
    [
      "a pod goes",
      [...web, closed("shop/x", "x")],
      [...web.slice(1), closed("shop/x", "x")],
      [
        "closed internet,shop/db,shop/web-2 → shop/web-1 anything",
        "closed shop/web-1 → internet,shop/db,shop/web-2 anything",
      ],
    ],
    ["one without an address and without flows of its own", [deployment("shop/a")], [deployment("shop/a")], []],
  ])("%s", (_, before, after, expected) => {
    expect(tell(diff(before, after)).sort()).toEqual([...expected].sort());
  });

  test("who comes and goes is named", () => {
    const found = diff([web[0], web[1]], [web[1], web[2]]);
    expect([found.added, found.removed]).toEqual([["shop/db"], ["shop/web-1"]]);
  });
});

test("every difference that the pipeline makes is told, and no other", () => {
  const before = side([...shop(), ...web]);
  const after = side([
    ...shop({ db: [{ protocol: "tcp", from: 5000, to: 6000, peers: ["10.0.0.0/8"] }], acl: onlyIngress }),
    ...web,
    closed("shop/web-1", "web-1"),
  ]);
  const found = diffInventories(before, after);
  const inside = listInside(before.inventory);
  const ends = [...listOutside([before.inventory, after.inventory], inside, "all"), ...inside];
  const judges = [new FlowJudge(before.program), new FlowJudge(after.program)] as const;
  const has = (groups: FlowChange["sources"], name: string): boolean =>
    groups.some((group) => group.some((end) => end.name === name));
  let different = 0;
  for (const from of ends) {
    for (const to of ends) {
      if (from === to || (from.kind === "outside" && to.kind === "outside")) continue;
      for (const port of [1, 4999, 5000, 5431, 5432, 5433, 6000, 6001, 65535]) {
        for (const family of flowFamilies) {
          const [was, is] = judges.map((judge) => {
            return judge.decisions[judge.judge(from, to, singleService(Protocol.tcp, port), family)]?.state;
          });
          const told = found.changes.filter(
            (change) =>
              has(change.sources, from.name) &&
              has(change.destinations, to.name) &&
              change.families.includes(family) &&
              change.services.some(
                (s) => s.protocol === Protocol.tcp && s.ranges.some((r) => r.from <= port && port <= r.to),
              ),
          );
          const where = `${from.name} → ${to.name} ${port} ${family}`;
          expect(told, where).toHaveLength(was === is ? 0 : 1);
          if (was === is) continue;
          expect([told[0]?.before?.state, told[0]?.after?.state], where).toEqual([was, is]);
          different++;
        }
      }
    }
  }
  expect(different).toBeGreaterThan(20);
});

describe("renderings", () => {
  const found = diff(shop(), shop({ db: [{ protocol: "tcp", from: 80, peers: ["sg-web"] }], acl: onlyIngress }));

  test("text", () => {
    expect(renderDiffText(found, style, "old", "new")).toMatchInlineSnapshot(`
      "unanswered  i-web → i-db  tcp 80
        before  denied on ingress by security group sg-db: its only rule doesn't allow tcp 80 from sg-web.
        after   accepted on ingress by security group sg-db: sg-db allows tcp 80 from sg-web. But answer denied on egress by network ACL acl-2: it has no egress entry but the last one, *, which denies everything; port 49152 is one that clients ask from, and a network ACL judges answers too.
      closed  i-web → i-db  tcp 5432
        before  accepted on ingress by security group sg-db: sg-db allows tcp 5432 from sg-web.
        after   denied on ingress by security group sg-db: its only rule doesn't allow tcp 5432 from sg-web.

      1 unanswered, 1 closed
      "
    `);
    expect(renderDiffText(diff(shop(), shop()), style, "old", "new")).toBe("no flow changes its verdict\n");
    expect(renderDiffText(diff(web.slice(0, 2), web.slice(1)), style, "old", "new")).toMatchInlineSnapshot(`
      "closed  internet, shop/web-2 → shop/web-1  anything
        shop/web-1 isn't in new
      opened  internet, shop/web-2 → shop/db  anything
        shop/db isn't in old
      closed  shop/web-1 → internet, shop/web-2  anything
        shop/web-1 isn't in new
      opened  shop/db → internet, shop/web-2  anything
        shop/db isn't in old

      added: shop/db
      removed: shop/web-1
      2 closed, 2 opened
      "
    `);
  });

  test("JSON", () => {
    const json = JSON.parse(renderDiffJson(found)) as { changes: { change: string; after: object }[] };
    expect(json.changes).toHaveLength(2);
    expect(json.changes[1]).toMatchInlineSnapshot(`
      {
        "after": {
          "decidedBy": {
            "direction": "ingress",
            "evaluator": "security-group",
            "policy": "sg-db",
            "rule": null,
            "stage": "sg",
          },
          "reason": "no-rule-matches",
          "state": "closed",
          "verdict": "deny",
        },
        "before": {
          "decidedBy": {
            "direction": "ingress",
            "evaluator": "security-group",
            "policy": "sg-db",
            "rule": "tcp 5432 from sg-web",
            "stage": "sg",
          },
          "reason": "rule",
          "reply": {
            "decidedBy": {
              "direction": "ingress",
              "evaluator": "network-acl",
              "policy": "acl-1",
              "rule": "100",
              "stage": "nacl",
            },
            "reason": "rule",
            "verdict": "accept",
          },
          "state": "open",
          "verdict": "accept",
        },
        "change": "closed",
        "families": [
          "ipv4",
        ],
        "from": [
          "i-web",
        ],
        "services": [
          {
            "port": 5432,
            "ports": "5432",
            "protocol": "tcp",
          },
        ],
        "to": [
          "i-db",
        ],
      }
    `);
  });
});
