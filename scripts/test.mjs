/** `sudo npm test`: sets the checkout up and runs the tests; arguments go to vitest. */

import { join } from "node:path";
import { isRoot } from "./host.mjs";
import { giveBack } from "./owner.mjs";
import { root, setUp } from "./setup.mjs";
import { supervise } from "./supervise.mjs";

if (!isRoot()) {
  process.stderr.write("Without root the kernel's tests are skipped (they make network namespaces): sudo npm test\n");
}
setUp({ systemPackages: isRoot() ? "install" : "ignore" });
const vitest = join(root, "node_modules", ".bin", "vitest");
supervise(vitest, ["run", ...process.argv.slice(2)], { cwd: root }, () => giveBack(root));
