/** `sudo npm run bench`: sets the checkout up and runs the benchmark's short form; arguments go to it. */

import { join } from "node:path";
import { isRoot, refuse } from "./host.mjs";
import { giveBack } from "./owner.mjs";
import { root, setUp } from "./setup.mjs";
import { supervise } from "./supervise.mjs";

if (!isRoot()) refuse("The bench makes network namespaces, which needs root: sudo npm run bench");
setUp();
// It cleans up when it is interrupted, which takes a moment.
supervise(process.execPath, [join(root, "dist", "main.js"), "bench", "--short", ...process.argv.slice(2)], {}, () =>
  giveBack(root),
);
