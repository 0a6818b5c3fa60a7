/**
 * Lets a plain `node` (20 has no type stripping) run the checkout's .ts files as they stand, worker threads included:
 * `node --import ./test/support/register-typescript.mjs FILE.ts`. For tests that run our code in another process, in
 * another network namespace. Types are removed by rolldown, which vitest brings.
 */
import { register } from "node:module";

// Node 26 says that it will go; what takes its place isn't in Node 20. Standard error is what some tests look at.
process.noDeprecation = true;
register("./typescript-hooks.mjs", import.meta.url);
process.noDeprecation = false;
