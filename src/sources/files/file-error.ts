/** A file or directory that can't be used at all. */
export interface FileError {
  readonly file: string;
  /** What is wrong and the remedy; the place first, where there is one. */
  readonly message: string;
}

/** What the system said, in words, with what helps. */
export function describeSystemError(error: unknown, what: "file" | "directory"): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ENOENT") return `no such ${what}; check its name, or where the link leads`;
  if (code === "ENOTDIR") return "this is no directory; name the directory that holds the files";
  if (code === "EACCES" || code === "EPERM") return `this ${what} may not be read; give this user the right to read it`;
  return `this ${what} can't be read: ${(error as Error).message}`;
}
