/**
 * What the examples are meant to say, as a golden table written by hand from their READMEs, beside what the engine
 * answers for every probe of the demo: services and ping, IPv4 and IPv6.
 */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { allProbes } from "../../../src/cli/demo/matrix.ts";
import { Policy } from "../../../src/cli/demo/policy.ts";
import { styleFor } from "../../../src/cli/demo/style.ts";
import { endpointNamed, endpoints } from "../../../src/cli/demo/topology.ts";

const services = table(`
             internet  web   app   batch  db    gateway  nginx  dns   figlet  monitor
  internet   .         open  sg    sg     acl   np       np     np    np      open
  web        open      .     open  sg     sg    np       open   np    np      open
  app        sg        open  .     open   open  sg       sg     sg    sg      sg
  batch      sg        open  sg    .      acl   sg       sg     sg    sg      sg
  db         sg        sg    sg    sg     .     sg       sg     sg    sg      sg
  gateway    open      open  sg    sg     acl   .        np     open  open    open
  nginx      open      open  sg    sg     acl   open     .      open  open    open
  dns        open      open  sg    sg     acl   np       np     .     np      open
  figlet     np        np    np    np     np    np       open   open  .       np
  monitor    open      open  sg    sg     acl   np       np     open  np      .
`);

const ping = table(`
             internet  web   app   batch  db    gateway  nginx  dns   figlet  monitor
  internet   .         open  sg    sg     acl   np       np     np    np      open
  web        open      .     sg    sg     sg    np       np     np    np      open
  app        sg        open  .     sg     open  sg       sg     sg    sg      sg
  batch      sg        open  sg    .      acl   sg       sg     sg    sg      sg
  db         sg        sg    sg    sg     .     sg       sg     sg    sg      sg
  gateway    open      open  sg    sg     acl   .        np     np    open    open
  nginx      open      open  sg    sg     acl   np       .      np    open    open
  dns        open      open  sg    sg     acl   np       np     .     np      open
  figlet     np        np    np    np     np    np       np     np    .       np
  monitor    open      open  sg    sg     acl   np       np     np    np      .
`);

const directory = (name: string) => fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));
const policy = await Policy.load([directory("vpc"), directory("openfaas")]);
const probes = allProbes();
const expectations = policy.expectAll(probes);

describe("the examples", () => {
  it("are read without a finding", () => {
    expect(policy.findings).toEqual([]);
    expect(policy.summary).toBe("4 security groups · 2 network ACLs · 4 NetworkPolicies");
  });

  it.each(endpoints.map((e) => e.name))("from %s: every service and ping, both families", (from) => {
    const mine = probes.flatMap((probe, i) => (probe.from.name === from ? [{ probe, word: expectations[i] }] : []));
    const line = ({ probe }: (typeof mine)[number], word: string | undefined) =>
      `${probe.to.name} ${probe.protocol} ${probe.port} ${probe.family}: ${word}`;
    const golden = (to: string, isPing: boolean) => (isPing ? ping : services).get(`${from} ${to}`);
    expect(mine.map((m) => line(m, m.word))).toEqual(
      mine.map((m) => line(m, golden(m.probe.to.name, m.probe.protocol === "icmp"))),
    );
  });

  it("explain why web doesn't reach db, and what would let it", () => {
    const text = policy.why(endpointNamed("web"), endpointNamed("db"), styleFor({}, {})).join(" ");
    for (const part of ["web", "db", "5432", "sg-db", "aws ec2 authorize-security-group-ingress"]) {
      expect(text).toContain(part);
    }
  });
});

/** `FROM TO` → word. */
function table(text: string): Map<string, string> {
  const [head = [], ...rows] = text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  return new Map(rows.flatMap(([from, ...words]) => words.map((word, i) => [`${from} ${head[i]}`, word])));
}
