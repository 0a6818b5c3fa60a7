/** What goes wrong in a user's module, in words. */

/** Something that a module exports or answers, and that the contract doesn't allow. */
export class ContractError extends Error {
  override readonly name = "ContractError";
}

/** `TypeError: x is not a function (/etc/allow-list.js:12:5)`, on one line. The place is the first one in a file. */
export function describeThrown(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  // Where an answer was looked at is no place of the module's.
  if (error instanceof ContractError) return error.message;
  const place = /\bfile:\/\/(\S+?:\d+:\d+)\)?$/m.exec(error.stack ?? "")?.[1];
  return `${error.name}: ${error.message.replaceAll("\n", " ")}${place === undefined ? "" : ` (${place})`}`;
}
