/** `sudo npm start`: sets the checkout up and runs the demo, with the arguments given. */

import { join } from "node:path";
import { isRoot, refuse } from "./host.mjs";
import { giveBack } from "./owner.mjs";
import { root, setUp } from "./setup.mjs";
import { supervise } from "./supervise.mjs";

if (!isRoot()) refuse("The demo makes network namespaces, which needs root: sudo npm start");
setUp();
// The demo cleans up when it is interrupted, which takes a moment.
supervise(process.execPath, [join(root, "dist", "main.js"), "demo", ...process.argv.slice(2)], {}, () =>
  giveBack(root),
);
