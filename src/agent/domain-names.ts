/** The observer of DNS (AN-30), as the options want it. */
import type { NamesCounters } from "../datapath/names/names-counters.ts";
import { NamesHandle, type NamesListeners } from "../datapath/names/names-handle.ts";
import { queueNumbers } from "../kernel/ruleset-config.ts";
import type { Logger } from "../telemetry/log.ts";
import type { AgentOptions } from "./options.ts";

/** Its thread is started when rules mean domains. */
export function createNamesHandle(
  { queue, workers, mark }: AgentOptions,
  counters: NamesCounters,
  log: Logger,
  listeners: Pick<NamesListeners, "onNames" | "onDeath">,
): NamesHandle {
  return new NamesHandle(
    { queue: queueNumbers(queue, workers).names, mark, counters: counters.buffer },
    {
      ...listeners,
      onFault: (message) => log.error({ message }, "a defect where DNS is observed; its answers went on"),
    },
  );
}
