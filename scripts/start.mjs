/** `sudo npm start`: sets the checkout up and runs the demo, with the arguments given. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { isRoot, refuse } from "./host.mjs";
import { giveBack } from "./owner.mjs";
import { root, setUp } from "./setup.mjs";

if (!isRoot()) refuse("The demo makes network namespaces, which needs root: sudo npm start");
setUp();
const child = spawn(process.execPath, [join(root, "dist", "main.js"), "demo", ...process.argv.slice(2)], {
  stdio: "inherit",
});
// The demo cleans up when it is interrupted; this process must still be there to hand on its exit code.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => {
  giveBack(root);
  process.exitCode = code ?? 1;
});
