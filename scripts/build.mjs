/** `npm run build`: everything that needs no root. */
import "./host.mjs";
import { setUp } from "./setup.mjs";

setUp({ systemPackages: "ignore" });
