/** `explain` as users call it: directories, flags and streams in; lines and exit codes out. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CliExit } from "../../src/cli/exit.ts";
import { explainCommand } from "../../src/cli/explain.ts";
import { closed, instance, pod } from "../engine/inventories.ts";

let root = "";
let dir = "";

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "verdictd-explain-"));
  dir = join(root, "policies");
  const other = join(root, "broken");
  for (const [folder, files] of [
    [
      dir,
      {
        "vpc.json": instance("i-web", [["10.0.0.1"]]),
        "db.json": instance("i-db", [["10.0.0.2"]]),
        "groups.json": groups,
        "pods.json": {
          apiVersion: "v1",
          kind: "List",
          items: [pod("shop/a", ["10.1.0.1"]), pod("shop/b", ["10.1.0.2"]), closed("shop/close-b", "b")],
        },
      },
    ],
    [other, { "groups.yaml": "a: [1", "pods.json": "{" }],
  ] as const) {
    mkdirSync(folder);
    for (const [name, value] of Object.entries(files)) {
      writeFileSync(join(folder, name), typeof value === "string" ? value : JSON.stringify(value));
    }
  }
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

const groups = {
  SecurityGroups: [
    {
      GroupId: "sg-1",
      GroupName: "one",
      OwnerId: "1",
      VpcId: "vpc-1",
      IpPermissions: [
        { IpProtocol: "tcp", FromPort: 5432, ToPort: 5432, IpRanges: [{ CidrIp: "10.0.0.0/24" }] },
        { IpProtocol: "tcp", FromPort: "x", ToPort: 1, IpRanges: [{ CidrIp: "0.0.0.0/0" }] },
      ],
      IpPermissionsEgress: [{ IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] }],
    },
  ],
};

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What `main` prints on standard error. */
  readonly message: string;
}

async function run(args: readonly string[], input: string | Readable = "", stdout?: Writable): Promise<Outcome> {
  let out = "";
  let err = "";
  const stdin = typeof input === "string" ? Readable.from(input === "" ? [] : [Buffer.from(input)]) : input;
  const collect = (add: (text: string) => void): Writable =>
    new Writable({
      write(chunk, _encoding, done) {
        add(String(chunk));
        done();
      },
    });
  const streams = {
    stdin,
    stdout:
      stdout ??
      collect((text) => {
        out += text;
      }),
    stderr: collect((text) => {
      err += text;
    }),
  };
  const command = explainCommand(streams)
    .exitOverride()
    .configureOutput({ writeErr: (text) => (err += text) });
  try {
    await command.parseAsync(args, { from: "user" });
    return { code: 0, out, err, message: "" };
  } catch (error) {
    if (error instanceof CliExit) return { code: error.code, out, err, message: error.message };
    if (error instanceof Error && "exitCode" in error) return { code: 2, out, err, message: error.message };
    throw error;
  }
}

const lines = (text: string): unknown[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const ndjson = (flows: readonly unknown[]): string => flows.map((flow) => `${JSON.stringify(flow)}\n`).join("");
const open = { from: "i-web", to: "i-db", port: 5432 };
const shut = { from: "i-web", to: "i-db", port: 22 };

describe("one flow", () => {
  test("JSON: one line, with every evaluator's answer in the trace", async () => {
    const { code, out } = await run(["--dir", dir, "--from", "i-web", "--to", "i-db", "--port", "22", "--json"]);
    expect(code).toBe(0);
    expect(out.endsWith("\n") && out.split("\n").length).toBe(2);
    const [line] = lines(out) as { trace: { stage: string; direction: string }[] }[];
    expect(line).toMatchObject({
      verdict: "deny",
      reason: "no-rule-matches",
      decidedBy: { stage: "sg", evaluator: "security-group", direction: "ingress", policy: "sg-1", rule: null },
    });
    expect(line).not.toHaveProperty("reply");
    expect(line?.trace.map((s) => `${s.direction} ${s.stage}`)).toEqual([
      ...["egress k8s", "egress k8s", "egress k8s", "egress sg", "egress nacl", "egress route"],
      ...["ingress route", "ingress nacl", "ingress sg"],
    ]);
  });

  test("--no-trace leaves the trace out", async () => {
    const { out } = await run([
      "--dir",
      dir,
      "--from",
      "i-web",
      "--to",
      "i-db",
      "--port",
      "5432",
      "--json",
      "--no-trace",
    ]);
    expect(lines(out)).toEqual([
      {
        verdict: "accept",
        reason: "rule",
        decidedBy: {
          stage: "sg",
          evaluator: "security-group",
          direction: "ingress",
          policy: "sg-1",
          rule: "tcp 5432 from 10.0.0.0/24",
        },
        reply: { verdict: "accept", reason: "default-allow", decidedBy: null },
      },
    ]);
  });

  test("for people: who denied it, why, and the command that would allow it", async () => {
    const { out } = await run(["--dir", dir, "--from", "i-web", "--to", "10.0.0.2", "--port", "22", "--no-trace"]);
    expect(out).toContain("i-web (10.0.0.1) → 10.0.0.2 (i-db)  tcp 22\n");
    expect(out).toMatch(/denied on ingress by security group sg-1: its only rule doesn't allow tcp 22 from sg-1/);
    expect(out).toMatch(/To allow it: aws ec2 authorize-security-group-ingress --group-id sg-1/);
    expect(out).not.toContain("\u001b[");
  });

  test("for people: a pod that nobody may reach", async () => {
    const { out } = await run(["--dir", dir, "--from", "shop/a", "--to", "shop/b", "--port", "80"]);
    expect(out).toMatch(/denied on ingress by NetworkPolicy shop\/close-b: /);
    expect(out).toMatch(/ingress +k8s +network-policy +deny +no-rule-matches +shop\/close-b\n/);
  });

  test("colours on a terminal only, and not with NO_COLOR", async () => {
    const texts: string[] = [];
    const terminal = (): Writable =>
      Object.assign(
        new Writable({
          write(chunk, _encoding, done) {
            texts.push(String(chunk));
            done();
          },
        }),
        { isTTY: true },
      );
    const args = ["--dir", dir, "--from", "i-web", "--to", "i-db", "--port", "22"];
    try {
      vi.stubEnv("NO_COLOR", undefined);
      vi.stubEnv("TERM", "xterm");
      await run(args, "", terminal());
      vi.stubEnv("NO_COLOR", "1");
      await run(args, "", terminal());
    } finally {
      vi.unstubAllEnvs();
    }
    expect(texts[0]).toContain("\u001b[31mdenied\u001b[0m");
    expect(texts[1]).not.toContain("\u001b[");
  });

  test("findings are warnings on standard error, in both forms", async () => {
    for (const form of [["--json"], []]) {
      const { code, err } = await run(["--dir", dir, "--from", "i-web", "--to", "i-db", "--port", "22", ...form]);
      expect(code).toBe(0);
      expect(err).toMatch(/groups\.json: .*IpPermissions\[1\].*\n/);
    }
  });

  test.each([
    ["accept", "5432", 0, ""],
    ["deny", "22", 0, ""],
    ["accept", "22", 1, "expected accept, but the verdict is deny"],
    ["deny", "5432", 1, "expected deny, but the verdict is accept"],
  ])("--expect %s for port %s ends with %i", async (expected, port, code, message) => {
    const args = ["--dir", dir, "--from", "i-web", "--to", "i-db", "--port", port, "--json", "--expect", expected];
    expect(await run(args)).toMatchObject({ code, message });
  });

  test("a knob changes the verdict", async () => {
    const args = ["--dir", dir, "--from", "192.0.2.1", "--to", "192.0.2.2", "--port", "1", "--no-trace", "--json"];
    expect(lines((await run(args)).out)).toMatchObject([{ verdict: "accept" }]);
    const ping = ["--dir", dir, "--from", "shop/b", "--to", "shop/b", "--port", "1", "--no-trace", "--json"];
    expect(lines((await run(ping)).out)).toMatchObject([{ verdict: "accept", reason: "self" }]);
    const icmp = ["--dir", dir, "--from", "shop/a", "--to", "shop/b", "--protocol", "icmp", "--no-trace", "--json"];
    expect(lines((await run(icmp)).out)).toMatchObject([{ verdict: "deny" }]);
    expect(lines((await run([...icmp, "--set", "npNonL4=allow"])).out)).toMatchObject([{ verdict: "accept" }]);
  });

  test("an unknown name is an error line and exit code 2", async () => {
    const args = ["--dir", dir, "--from", "shop/none", "--to", "shop/b", "--port", "1"];
    const json = await run([...args, "--json"]);
    expect(json.code).toBe(2);
    expect(lines(json.out)).toEqual([{ error: { code: "unknown-ref", field: "from", message: expect.any(String) } }]);
    const words = await run(args);
    expect(words).toMatchObject({ code: 2, out: "" });
    expect(words.message).toMatch(/^--from: nothing is called "shop\/none": it is neither a pod nor a workload/);
  });

  test.each([
    ["a name that is nearly one", ["--from", "shop/aa", "--port", "1"], /^--from: .*; did you mean shop\/a\?$/],
    ["a name of another namespace", ["--from", "prod/a", "--port", "1"], /; did you mean shop\/a\?$/],
    ["a name of another kind", ["--from", "Job:shop/a", "--port", "1"], /; did you mean shop\/a\?$/],
    ["an instance that is nearly one", ["--from", "i-wbe", "--port", "1"], /; did you mean i-web\?$/],
    ["no port", ["--from", "shop/a"], /^--port: tcp, udp and sctp need the destination's port; name it$/],
    ["a port too large", ["--from", "shop/a", "--port", "70000"], /^--port 70000: a whole number from 0 to 65535$/],
    ["a port below zero", ["--from", "shop/a", "--port=-1"], /^--port -1: a whole number from 0 to 65535$/],
    ["a broken port", ["--from", "shop/a", "--port", "5432.5"], /^--port 5432\.5: a whole number from 0 to 65535$/],
    ["a type too large", ["--from", "shop/a", "--protocol", "icmp", "--icmp-type", "256"], /256: a whole .* 0 to 255$/],
    [
      "a port of ICMP",
      ["--from", "shop/a", "--protocol", "icmp", "--port", "80"],
      /^--port 80: icmp has none; leave it out$/,
    ],
    [
      "a type of TCP",
      ["--from", "shop/a", "--port", "80", "--icmp-type", "8"],
      /^--icmp-type 8: tcp has none; leave it out$/,
    ],
    ["a protocol", ["--from", "shop/a", "--protocol", "quic", "--port", "1"], /^--protocol quic: tcp, udp, sctp/],
  ])("what is wrong is said on standard error, with flag, value and remedy: %s", async (_, args, message) => {
    const outcome = await run(["--dir", dir, "--to", "shop/b", ...args]);
    expect(outcome).toMatchObject({ code: 2, out: "", message: expect.stringMatching(message) });
  });
});

describe("files of flows", () => {
  test("one line a flow, in order; errors stand in their place and the others go on", async () => {
    const input = `${ndjson([open])}not JSON\n\n${ndjson([shut, { ...open, to: "i-none" }, { from: "i-web", to: "i-db" }])}${JSON.stringify(open)}`;
    const { code, out, message } = await run(["--dir", dir, "--flows", "-", "--json", "--no-trace"], input);
    expect(lines(out)).toMatchObject([
      { verdict: "accept" },
      { error: { code: "bad-flow", field: null } },
      { verdict: "deny" },
      { error: { code: "unknown-ref", field: "to" } },
      { error: { code: "bad-flow", field: "port" } },
      { verdict: "accept" },
    ]);
    expect(code).toBe(2);
    expect(message).toBe("3 flows couldn't be judged");
  });

  test("a file, with line ends of either kind and no last newline", async () => {
    const file = join(root, "flows.ndjson");
    writeFileSync(file, `${JSON.stringify(open)}\r\n${JSON.stringify(shut)}`);
    const { code, out } = await run(["--dir", dir, "--flows", file, "--json"]);
    expect(code).toBe(0);
    expect(lines(out)).toMatchObject([{ verdict: "accept" }, { verdict: "deny" }]);
  });

  test("text that is cut anywhere, inside a character too, is put together again", async () => {
    const bytes = Buffer.from(ndjson([{ ...open, why: "ünïcode → 🦊" }, shut]));
    const pieces = Readable.from(
      [...bytes].map((byte) => Buffer.from([byte])),
      { objectMode: false },
    );
    const { out } = await run(["--dir", dir, "--flows", "-", "--json", "--no-trace"], pieces);
    expect(lines(out)).toMatchObject([{ verdict: "accept" }, { verdict: "deny" }]);
  });

  test("expect and expectReply are compared where a line has them; --expect is for the others", async () => {
    const flows = [
      { ...open, expect: "accept", expectReply: "accept" },
      { ...shut, expect: "deny", expectReply: "deny" },
      { ...shut, expect: "accept" },
      { ...open, expectReply: "deny" },
      shut,
    ];
    const args = ["--dir", dir, "--flows", "-", "--json", "--no-trace"];
    const { code, out, message } = await run(args, ndjson(flows));
    expect(lines(out)).toHaveLength(5);
    expect(code).toBe(1);
    expect(message.split("\n")).toEqual([
      "line 3: expected accept, but the verdict is deny",
      "line 4: expected deny for the answer, but its verdict is accept",
      "2 of 5 flows differ from what was expected",
    ]);
    const strict = await run([...args, "--expect", "accept"], ndjson(flows));
    expect(strict.message).toContain("line 5: expected accept, but the verdict is deny");
    expect((await run(args, ndjson(flows.slice(0, 2)))).code).toBe(0);
  });

  test("an error line outweighs a difference", async () => {
    const input = ndjson([{ ...shut, expect: "accept" }, {}]);
    expect((await run(["--dir", dir, "--flows", "-", "--json"], input)).code).toBe(2);
  });

  test.each([
    ["no-such-file", "there is no such file"],
    [".", "that is a directory"],
  ])("--flows %s: %s, and what to name instead", async (name, why) => {
    const file = join(root, name);
    const { code, message } = await run(["--dir", dir, "--flows", file, "--json"]);
    expect(code).toBe(2);
    expect(message).toBe(`--flows ${file}: ${why}; name a file with one flow a line, or - for standard input`);
  });

  test("no flows, no output", async () => {
    expect(await run(["--dir", dir, "--flows", "-", "--json"], "\n\n")).toMatchObject({ code: 0, out: "" });
  });

  test("words for many flows are set apart by empty lines, and errors name their line", async () => {
    const { out } = await run(["--dir", dir, "--flows", "-", "--no-trace"], ndjson([open, { ...open, from: 7 }, shut]));
    expect(out).toMatch(/tcp 5432\n {2}accepted[^\n]+\n\nline 2, from: [^\n]+\n/);
  });

  test("a slow reader is waited for, and everything arrives", async () => {
    const slow = new PassThrough({ highWaterMark: 1024 });
    const count = 3000;
    let text = "";
    const read = (async () => {
      for await (const chunk of slow) {
        text += chunk;
        await new Promise(setImmediate);
      }
    })();
    const listeners = (): number[] => ["drain", "close", "error"].map((event) => slow.listenerCount(event));
    const before = listeners();
    const { code } = await run(["--dir", dir, "--flows", "-", "--json"], ndjson(Array(count).fill(open)), slow);
    expect(listeners()).toEqual(before);
    slow.end();
    await read;
    expect(code).toBe(0);
    expect(lines(text)).toHaveLength(count);
  });

  test("a reader who has gone ends it quietly", async () => {
    const gone = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
      },
    });
    const { code } = await run(["--dir", dir, "--flows", "-", "--json"], ndjson(Array(3000).fill(open)), gone);
    expect(code).toBe(0);
  });
});

describe("bad usage ends with 2 and every problem at once", () => {
  test("flags", async () => {
    const { code, message } = await run(["--port", "http", "--set", "nonsense=1", "--set", "bypass=maybe"]);
    expect(code).toBe(2);
    for (const part of ["--dir:", "--from:", "--to:", "--port http:", "--set nonsense=1:", "--set bypass=maybe:"]) {
      expect(message).toContain(part);
    }
  });

  test.each([
    ["a flow beside a file of them", ["--flows", "-", "--from", "i-web", "--port", "1"], /leave out --from, --port/],
    ["an unknown verdict", ["--from", "i-web", "--to", "i-db", "--expect", "allow"], /accept, deny/],
    ["an unknown way", ["--from", "i-web", "--to", "i-db", "--via", "proxy"], /service/],
    ["an unknown flag", ["--from", "i-web", "--too", "i-db"], /--too/],
  ])("%s", async (_, args, message) => {
    const outcome = await run(["--dir", dir, ...args]);
    expect(outcome.code).toBe(2);
    expect(outcome.message).toMatch(message);
  });

  test("every file that can't be read", async () => {
    const args = ["--dir", join(root, "broken"), "--dir", join(root, "missing"), "--from", "i-a", "--to", "i-b"];
    const { code, message, out } = await run(args);
    expect(code).toBe(2);
    expect(out).toBe("");
    for (const name of ["groups.yaml", "pods.json", "missing"]) expect(message).toContain(name);
  });
});
