/** A flag that may be given several times: its values in order, an empty list without any. */
import { Option } from "commander";

export function repeatable(flags: string, description: string): Option {
  return new Option(flags, `${description} (repeatable)`)
    .argParser((value: string, previous: readonly string[]): string[] => [...previous, value])
    .default([], "none");
}
