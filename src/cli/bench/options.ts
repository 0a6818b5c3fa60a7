/** What `bench` is told, checked as a whole before anything is started. */
import type { DatasetSpec } from "./dataset/dataset.ts";
import { type PartName, partNames } from "./parts/parts.ts";
import { allowedCpus, expandCpus, free, type Placement } from "./placement.ts";
import { fullSizes, parseSize, shortSizes } from "./variants.ts";

export interface BenchFlags {
  readonly short?: boolean;
  readonly only?: readonly string[];
  readonly rotations?: string;
  readonly seconds?: string;
  readonly sizes?: string;
  readonly layout: string;
  readonly engineCpu?: string;
  readonly trafficCpu?: string;
  readonly pin: boolean;
  readonly peer?: string;
  readonly peerQueue?: string;
  readonly runFlags?: string;
  readonly json?: string;
  readonly html?: string;
}

export interface BenchOptions {
  readonly form: "short" | "full";
  readonly parts: readonly PartName[];
  readonly rotations: number;
  /** Of each measurement that goes on for a time of its own choice. */
  readonly seconds: number;
  readonly sizes: readonly DatasetSpec[];
  /** The first is that of everything; round trips are measured in all. */
  readonly placements: readonly Placement[];
  readonly peer: { readonly command: readonly string[]; readonly queue: number } | null;
  readonly engineFlags: readonly string[];
  readonly json: string | null;
  readonly html: string | null;
}

/** Every problem at once, as text. */
export function readBenchOptions(flags: BenchFlags): BenchOptions | readonly string[] {
  const problems: string[] = [];
  const number = (name: string, text: string | undefined, otherwise: number, most: number): number => {
    if (text === undefined) return otherwise;
    if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > most)
      problems.push(`--${name} ${text}: a number from 1 to ${most}`);
    return Number(text);
  };
  const only = flags.only ?? [];
  const form = flags.short ? "short" : "full";
  const unknown = only.filter((name) => !partNames.includes(name as PartName));
  if (unknown.length > 0) problems.push(`--only ${unknown.join(", ")}: one of ${partNames.join(", ")}`);
  if (flags.layout !== "spread" && flags.layout !== "together") problems.push("--layout: spread or together");
  const layout = flags.layout === "together" ? "together" : "spread";
  const sizes = (flags.sizes?.split(",") ?? (flags.short ? shortSizes : fullSizes)).map((text) => {
    const size = parseSize(text, layout);
    if (size === null) problems.push(`--sizes ${text}: POLICIES/ENDPOINTS, such as 1000/10000 or 1000/10000/all`);
    return size;
  });
  if ((flags.peer === undefined) !== (flags.peerQueue === undefined))
    problems.push("--peer and --peer-queue go together");
  const command = splitWords(flags.peer ?? "");
  if (command === null) problems.push("--peer: a quotation mark isn't closed");
  if (flags.peerQueue !== undefined && !/^\d{1,5}$/.test(flags.peerQueue))
    problems.push(`--peer-queue ${flags.peerQueue}: a number from 0 to 65535`);
  const options: BenchOptions = {
    form,
    parts: only.length === 0 ? partNames : partNames.filter((name) => only.includes(name)),
    rotations: number("rotations", flags.rotations, flags.short ? 3 : 5, 1000),
    seconds: number("seconds", flags.seconds, flags.short ? 1 : 2, 60),
    sizes: sizes.filter((size) => size !== null),
    placements: readPlacements(flags, problems),
    peer: flags.peer === undefined ? null : { command: command ?? [], queue: Number(flags.peerQueue) },
    engineFlags: (flags.runFlags ?? "").split(" ").filter((word) => word !== ""),
    json: flags.json ?? null,
    html: flags.html ?? null,
  };
  return problems.length > 0 ? problems : options;
}

function readPlacements({ pin, engineCpu, trafficCpu }: BenchFlags, problems: string[]): Placement[] {
  if (!pin) {
    if (engineCpu !== undefined || trafficCpu !== undefined)
      problems.push("--no-pin contradicts --engine-cpu and --traffic-cpu");
    return [free];
  }
  const cpus = expandCpus(allowedCpus());
  const pinned = {
    name: "pinned",
    traffic: trafficCpu ?? String(cpus[0]),
    server: engineCpu ?? String(cpus[1]),
  } as const;
  for (const [flag, list] of [
    ["--traffic-cpu", pinned.traffic],
    ["--engine-cpu", pinned.server],
  ] as const) {
    const isThere = /^\d+([,-]\d+)*$/.test(list) && expandCpus(list).every((cpu) => cpus.includes(cpu));
    if (!isThere && cpus.length > 1) problems.push(`${flag} ${list}: this process may use CPUs ${allowedCpus()}`);
  }
  if (cpus.length < 2) return [free];
  return engineCpu !== undefined || trafficCpu !== undefined ? [pinned] : [pinned, free];
}

/** Words as a shell splits them, with its quotation marks and nothing else of it; null where one isn't closed. */
export function splitWords(text: string): string[] | null {
  const words: string[] = [];
  let rest = text.trimStart();
  while (rest !== "") {
    const word = /^(?:[^\s"']|"[^"]*"|'[^']*')+/.exec(rest)?.[0];
    if (word === undefined) return null;
    words.push(word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
    rest = rest.slice(word.length);
    if (rest !== "" && !/^\s/.test(rest)) return null;
    rest = rest.trimStart();
  }
  return words;
}
