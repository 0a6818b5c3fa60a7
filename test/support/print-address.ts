/** Prints the canonical text of its argument: shows that a child process runs the checkout's TypeScript. */
import { formatAddress, parseAddress } from "../../src/net/address.ts";

const address = parseAddress(process.argv[2] ?? "");
process.stdout.write(`${address === null ? "no address" : formatAddress(address)}\n`);
