/** Colours where a person watches, plain text everywhere else. */

export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
}

/** Only on a terminal, and not where NO_COLOR is set to anything (https://no-color.org). */
export function styleFor(
  stream: { readonly isTTY?: boolean },
  env: { readonly NO_COLOR?: string | undefined; readonly TERM?: string | undefined },
): Style {
  const isOn = stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
  const code = (number: number) => (text: string) => (isOn ? `\u001b[${number}m${text}\u001b[0m` : text);
  return { bold: code(1), dim: code(2), good: code(32), bad: code(31), warn: code(33) };
}
