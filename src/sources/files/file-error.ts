/**
 * A file or directory that can't be used at all: the whole input is refused then, because what it would have said is
 * unknown. (A bad object in a readable file is a finding, and the rest loads.)
 */

export interface FileError {
  /** As found under the root that was given: `examples/vpc/groups.json`. */
  readonly file: string;
  /** What is wrong and the remedy; the place first, where there is one. */
  readonly message: string;
}

const remedies: Readonly<Record<string, string>> = {
  EACCES: "permission denied; let this user read it",
  EPERM: "permission denied; let this user read it",
  ELOOP: "a symbolic link that leads to itself; repair or remove it",
  EMFILE: "too many open files; raise the limit (ulimit -n)",
  ENFILE: "too many open files; raise the machine's limit (fs.file-max)",
};

/** What the system said, in words, with what helps. */
export function describeSystemError(error: unknown): string {
  const code = systemCode(error);
  return remedies[code] ?? `can't be read (${code || String(error)}); repair or remove it`;
}

/** `ENOENT`; empty for what is no system error. */
export function systemCode(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  return typeof code === "string" ? code : "";
}
