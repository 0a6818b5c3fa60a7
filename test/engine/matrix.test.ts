/** The matrix against the pipeline asked about every endpoint and many ports: grouping and cutting lose nothing. */
import { describe, expect, test } from "vitest";
import { compileProgram } from "../../src/engine/compiler.ts";
import { listEndpoints } from "../../src/engine/matrix/endpoints.ts";
import { FlowJudge } from "../../src/engine/matrix/flow-judge.ts";
import { flowFamilies } from "../../src/engine/matrix/groups.ts";
import { buildMatrix, cellOf, type Matrix, stateOf } from "../../src/engine/matrix/matrix.ts";
import { listMentions } from "../../src/engine/matrix/mentions.ts";
import { renderMatrixHtml } from "../../src/engine/matrix/render-matrix-html.ts";
import { renderMatrixJson } from "../../src/engine/matrix/render-matrix-json.ts";
import { renderMatrixText } from "../../src/engine/matrix/render-matrix-text.ts";
import { formatServices, listServices, singleService } from "../../src/engine/matrix/services.ts";
import { EndpointNames } from "../../src/engine/render-explain-names.ts";
import type { Inventory } from "../../src/model/inventory.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { Protocol } from "../../src/net/protocol.ts";
import { loadInventory } from "../../src/sources/load-inventory.ts";
import {
  allEgress,
  describeInstances,
  describeNetworkAcls,
  describeSecurityGroups,
  describeSubnets,
  networkAcl,
  openEntries,
} from "../support/vpc.ts";
import { closed, deployment, inventoryOf, pod } from "./inventories.ts";

const plain = (text: string): string => text;
const style = { bold: plain, dim: plain, good: plain, bad: plain };

function matrixOf(inventory: Inventory): Matrix {
  return buildMatrix(inventory, compileProgram(inventory, defaultKnobs), null);
}

/** What the matrix says of a flow between two endpoints, by name. */
function lookUp(matrix: Matrix, from: string, to: string, protocol: number, port: number, family: number): string {
  const groupOf = (name: string): number =>
    matrix.groups.findIndex((group) => group.members.some((member) => member.name === name));
  const [source, destination] = [groupOf(from), groupOf(to)];
  const column = matrix.columns.find(
    (one) =>
      one.destination === destination &&
      one.services.some(
        (service) =>
          service.protocol === protocol && service.ranges.some((range) => range.from <= port && port <= range.to),
      ),
  );
  if (!column) return "no column";
  return matrix.decisions[cellOf(column, source)[family] as number]?.state ?? "none";
}

const shop = [
  describeSubnets({ "subnet-1": ["10.0.1.0/24", "fd00:1::/64"], "subnet-2": ["10.0.2.0/24", "fd00:2::/64"] }),
  describeInstances([
    { instance: "i-web1", subnet: "subnet-1", addresses: ["10.0.1.4", "fd00:1::4"], groups: ["sg-web"] },
    { instance: "i-web2", subnet: "subnet-1", addresses: ["10.0.1.5", "fd00:1::5"], groups: ["sg-web"] },
    { instance: "i-db", subnet: "subnet-2", addresses: ["10.0.2.4", "fd00:2::4"], groups: ["sg-db"] },
  ]),
  describeSecurityGroups([
    {
      id: "sg-web",
      ingress: [
        { protocol: "tcp", from: 80, peers: ["0.0.0.0/0"] },
        { protocol: "tcp", from: 8000, to: 8010, peers: ["sg-web"] },
        { protocol: "icmp", from: 8, to: -1, peers: ["0.0.0.0/0"] },
      ],
      egress: allEgress,
    },
    { id: "sg-db", ingress: [{ protocol: "tcp", from: 5432, peers: ["sg-web", "203.0.113.0/24"] }], egress: [] },
  ]),
  describeNetworkAcls([
    networkAcl("acl-1", ["subnet-1"], openEntries),
    networkAcl(
      "acl-2",
      ["subnet-2"],
      [
        { number: 100, action: "allow", egress: false, protocol: "6", cidr: "10.0.0.0/8", ports: [5000, 6000] },
        { number: 100, action: "allow", egress: true, protocol: "6", cidr: "10.0.1.0/24", ports: [32768, 65535] },
        { number: 101, action: "allow", egress: false, protocol: "6", cidr: "fd00::/16" },
      ],
    ),
  ]),
];
const cluster = [
  pod("shop/web-1", ["10.1.0.4"]),
  pod("shop/web-2", ["10.1.0.5", "fd00:9::5"]),
  pod("shop/db", ["10.1.0.6"]),
  pod("shop/ended", ["10.1.0.7"], { phase: "Succeeded" }),
  deployment("shop/idle"),
  closed("shop/db", "db"),
];

describe("every flow as the pipeline decides it", () => {
  test.each<[string, () => Promise<Inventory>]>([
    ["the examples", async () => (await loadInventory({ directories: ["examples"] })).inventory],
    ["a VPC", async () => inventoryOf(shop)],
    ["a cluster in a VPC", async () => inventoryOf([...shop, ...cluster])],
  ])("%s", async (_, load) => {
    const inventory = await load();
    const program = compileProgram(inventory, defaultKnobs);
    const matrix = buildMatrix(inventory, program, null);
    const judge = new FlowJudge(program);
    const endpoints = listEndpoints(inventory, "apart");
    const ports = new Set([1, 65535, 49152, 12345]);
    for (const service of matrix.services) {
      for (const { from, to } of service.ranges) for (const port of [from - 1, from, to, to + 1]) ports.add(port);
    }
    let count = 0;
    for (const from of endpoints) {
      for (const to of endpoints) {
        if (from === to || (from.kind === "outside" && to.kind === "outside")) continue;
        for (const protocol of [Protocol.tcp, Protocol.udp]) {
          for (const port of ports) {
            if (port < 1 || port > 65535) continue;
            flowFamilies.forEach((family, f) => {
              const number = judge.judge(from, to, singleService(protocol, port), family);
              const wanted = number < 0 ? "none" : judge.decisions[number]?.state;
              const found = lookUp(matrix, from.name, to.name, protocol, port, f);
              if (found !== wanted && !(wanted === "none" && found === "no column")) {
                expect.fail(`${from.name} → ${to.name} ${protocol}/${port} ${family}: ${found}, not ${wanted}`);
              }
              count++;
            });
          }
        }
      }
    }
    expect(count).toBeGreaterThan(500);
  });
});

describe("groups", () => {
  test("endpoints that no policy tells apart are one, and still reach each other", () => {
    const matrix = matrixOf(inventoryOf(shop));
    expect(matrix.groups.map((group) => group.name)).toEqual(["internet", "203.0.113.0/24", "i-web1 +1", "i-db"]);
    const label = (source: number, destination: number): string[] =>
      matrix.columns
        .filter((column) => column.destination === destination && stateOf(matrix, column, source) === "open")
        .map((column) => column.label);
    expect(label(2, 2)).toEqual(["tcp 8000-8010"]);
    expect(label(0, 2)).toEqual([]);
  });

  test("the internet isn't inside a prefix that a policy names", () => {
    const [internet] = listEndpoints(inventoryOf(shop), "apart");
    expect(internet?.reference).toBe("198.51.100.1");
  });

  test("NP-59, NP-60: who is left out", () => {
    const names = listEndpoints(inventoryOf(cluster), "apart").map((endpoint) => endpoint.name);
    expect(names).toEqual(["internet", "shop/db", "shop/idle", "shop/web-1", "shop/web-2"]);
  });

  test("a workload whose pods are there stands back, and its name stays ambiguous", () => {
    const names = listEndpoints(inventoryOf([deployment("shop/web-1"), ...cluster.slice(0, 2)]), "apart");
    expect(names.map((endpoint) => endpoint.name)).toEqual(["internet", "Pod:shop/web-1", "shop/web-2"]);
  });
});

describe("services", () => {
  const services = listServices([listMentions(inventoryOf(shop))]);
  const labelOf = (ports: readonly number[], protocol: number): string =>
    formatServices(
      services.filter(
        (s) => s.protocol === protocol && ports.some((p) => s.ranges.some((r) => r.from <= p && p <= r.to)),
      ),
      services,
    );
  test.each([
    [[80], Protocol.tcp, "tcp 80"],
    [[80, 8000], Protocol.tcp, "tcp 80,8000-8010"],
    [[9], Protocol.tcp, "tcp 1-79,81-4999,6001-7999,8011-32767"],
    [[9], Protocol.udp, "udp any"],
  ])("%s", (ports, protocol, expected) => {
    expect(labelOf(ports, protocol)).toBe(expected);
  });
  test("everything", () => {
    expect(formatServices(services, services)).toBe("anything");
    expect(formatServices([singleService(6, 80)], [singleService(6, 80)])).toBe("tcp 80");
  });
});

describe("renderings", () => {
  const inventory = inventoryOf([...shop, ...cluster]);
  const matrix = matrixOf(inventory);

  test("NA-18: text marks what gets no answer", () => {
    const documents = [
      ...shop.slice(0, 3),
      describeNetworkAcls([
        networkAcl("acl-1", ["subnet-1"], openEntries),
        networkAcl(
          "acl-2",
          ["subnet-2"],
          openEntries.filter((row) => !row.egress),
        ),
      ]),
    ];
    expect(renderMatrixText(matrixOf(inventoryOf(documents)), style, 120)).toMatchInlineSnapshot(`
      "                i-web1 +1                        i-db      internet  203.0.113.0/24
      from            tcp 80   tcp 8000-8010  ping     tcp 5432  anything  anything
      internet        v4 only  sg             v4 only  sg        ·         ·
      203.0.113.0/24  open     sg             open     nacl!     ·         ·
      i-web1 +1       v4 only  open           v4 only  nacl!     open      open
      i-db            sg       sg             sg       ·         sg        sg

      A word says who closes it: sg a security group, nacl a network ACL.
      With !, packets pass, their answers don't.
      Not shown: what nobody reaches (2 columns; --json and --html have them).
      i-web1 +1: i-web1, i-web2
      "
    `);
  });

  test("narrow terminals get blocks of columns", () => {
    const wide = renderMatrixText(matrix, style, 400).split("\n");
    const narrow = renderMatrixText(matrix, style, 60).split("\n");
    expect(narrow.length).toBeGreaterThan(wide.length);
    for (const line of narrow.filter((one) => one.startsWith("from"))) expect(line.length).toBeLessThanOrEqual(60);
  });

  test("many groups are a list of destinations", () => {
    const numbers = Array.from({ length: 45 }, (_, i) => i);
    const many = inventoryOf([
      ...numbers.map((i) => pod(`shop/web-${i}`, [`10.1.0.${i + 1}`])),
      ...numbers.slice(1).map((i) => closed(`shop/p-${i}`, `web-${i}`)),
    ]);
    const [head, line, ...rest] = renderMatrixText(matrixOf(many), style, 100).split("\n");
    expect([head, line]).toEqual(["to shop/web-0", "  anything  open to everybody"]);
    expect(rest).toContain("Not shown: what nobody reaches (44 columns; --json and --html have them).");
  });

  test("JSON is one document with explain's keys", () => {
    const json = JSON.parse([...renderMatrixJson(matrix)].join("")) as {
      groups: { name: string; members: unknown[] }[];
      flows: Record<string, unknown>[];
    };
    expect(json.groups.map((group) => group.name)).toContain("i-web1 +1");
    expect(json.flows.find((flow) => flow.to === "i-db" && flow.from === "i-web1 +1" && flow.state === "open")).toEqual(
      {
        from: "i-web1 +1",
        to: "i-db",
        families: ["ipv4"],
        protocol: "tcp",
        port: 5432,
        ports: "5432",
        state: "open",
        verdict: "accept",
        reason: "rule",
        decidedBy: {
          stage: "sg",
          evaluator: "security-group",
          direction: "ingress",
          policy: "sg-db",
          rule: "tcp 5432 from sg-web",
        },
        reply: {
          verdict: "accept",
          reason: "rule",
          decidedBy: {
            stage: "nacl",
            evaluator: "network-acl",
            direction: "ingress",
            policy: "acl-1",
            rule: "100",
          },
        },
      },
    );
  });

  test("the page needs nothing else, and names can't become markup", () => {
    const group = { id: "sg-1", ingress: [{ protocol: "-1", peers: ["sg-1"] }], egress: [] };
    const evil = inventoryOf([
      describeSecurityGroups([group]),
      describeInstances([
        { instance: '</script><img src="x">', subnet: "subnet-1", addresses: ["10.0.1.4"], groups: ["sg-1"] },
      ]),
    ]);
    const page = renderMatrixHtml(matrixOf(evil), new EndpointNames(evil), ["<b>dir</b>"]);
    expect(page).not.toContain("<img");
    expect(page).not.toContain("<b>dir");
    expect(page.match(/<\/script>/g)).toHaveLength(2);
    expect(page).not.toMatch(/https?:|url\(|@import|<link|<[^>]+ src=/);
    expect(page).toContain("default-src 'none'");
  });

  test("every cell of the page says why", () => {
    const page = renderMatrixHtml(matrix, new EndpointNames(inventory), ["dir"]);
    const data = JSON.parse(/id="data">(.*?)<\/script>/s.exec(page)?.[1] ?? "") as { texts: string[] };
    const cells = [...page.matchAll(/<td class="(\w+)[^>]*?(?: data-w="(\d+)")? tabindex/g)];
    expect(cells).toHaveLength(matrix.groups.length * matrix.columns.length);
    for (const [, tone, text] of cells) {
      if (tone === "none") expect(text).toBeUndefined();
      else expect(data.texts[Number(text)]).toMatch(/accepted|denied/);
    }
  });
});
