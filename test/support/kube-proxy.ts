/**
 * The node's services as kube-proxy makes them, by hand: in its iptables mode (chains of services, endpoints and ports,
 * the mark 0x4000 for what is masqueraded behind us) and in its nftables mode (a table of its own with verdict maps).
 */
import { type Namespace, skipReason } from "./namespace.ts";

export type ProxyMode = "iptables-nft" | "iptables-legacy" | "nftables";

export interface ServicePort {
  readonly name: string;
  readonly clusterIP: string;
  readonly port: number;
  /** Any address of the node with this port is the service's too; what comes there is masqueraded. */
  readonly nodePort?: number;
  readonly endpoints: readonly { readonly address: string; readonly port: number }[];
}

export interface ProxyConfig {
  readonly family: 0 | 1;
  /** Who isn't of the pods' network is masqueraded on the way to a cluster address. */
  readonly podCidr: string;
  readonly services: readonly ServicePort[];
}

/** Why the mode can't be tried here, or null. */
export function proxySkipReason(mode: ProxyMode, namespace: Namespace): string | null {
  if (skipReason !== null) return skipReason;
  for (const command of commandsOf(mode) ?? []) {
    const probe = namespace.run([command, "--noflush"], { input: "*nat\nCOMMIT\n" });
    if (probe.status !== 0) return `${mode} needs ${command}: ${probe.stderr.trim()}`;
  }
  return null;
}

/** Puts the services into force, in the place of those that this mode and family had before. Throws where it can't. */
export function setServices(mode: ProxyMode, namespace: Namespace, config: ProxyConfig): void {
  const commands = commandsOf(mode);
  if (commands === null) namespace.check(["nft", "-f", "-"], { input: renderNftables(config) });
  else namespace.check([commands[config.family] as string, "-n"], { input: renderIptables(config) });
}

/** For `*-restore`: IPv4, then IPv6. */
function commandsOf(mode: ProxyMode): readonly [string, string] | null {
  if (mode === "nftables") return null;
  const kind = mode === "iptables-nft" ? "nft" : "legacy";
  return [`iptables-${kind}-restore`, `ip6tables-${kind}-restore`];
}

function renderIptables({ family, podCidr, services }: ProxyConfig): string {
  const bracket = (address: string): string => (family === 0 ? address : `[${address}]`);
  const chains = ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"];
  const rules = [
    "-A PREROUTING -j KUBE-SERVICES",
    "-A OUTPUT -j KUBE-SERVICES",
    "-A POSTROUTING -j KUBE-POSTROUTING",
    "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
    "-A KUBE-POSTROUTING -j MASQUERADE --random-fully",
    "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
  ];
  for (const { name, clusterIP, port, nodePort, endpoints } of services) {
    const [service, external] = [`KUBE-SVC-${name}`, `KUBE-EXT-${name}`];
    const match = `-d ${clusterIP} -p tcp -m tcp --dport ${port}`;
    chains.push(service);
    rules.push(`-A KUBE-SERVICES ${match} -j ${service}`, `-A ${service} ! -s ${podCidr} ${match} -j KUBE-MARK-MASQ`);
    if (nodePort !== undefined) {
      chains.push(external);
      rules.push(
        `-A KUBE-NODEPORTS -p tcp -m tcp --dport ${nodePort} -j ${external}`,
        `-A ${external} -j KUBE-MARK-MASQ`,
        `-A ${external} -j ${service}`,
      );
    }
    endpoints.forEach(({ address, port: target }, i) => {
      const endpoint = `KUBE-SEP-${name}-${i}`;
      const left = endpoints.length - i;
      const chance = left === 1 ? "" : `-m statistic --mode random --probability ${(1 / left).toFixed(10)} `;
      chains.push(endpoint);
      rules.push(
        `-A ${service} ${chance}-j ${endpoint}`,
        `-A ${endpoint} -s ${address} -j KUBE-MARK-MASQ`,
        `-A ${endpoint} -p tcp -m tcp -j DNAT --to-destination ${bracket(address)}:${target}`,
      );
    });
  }
  rules.push("-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS");
  // The table is ours as a whole: nobody else has rules in a test's namespace.
  return ["*nat", "-F", ...chains.map((chain) => `:${chain} - [0:0]`), ...rules, "COMMIT", ""].join("\n");
}

function renderNftables({ family, podCidr, services }: ProxyConfig): string {
  const [ip, type] = family === 0 ? ["ip", "ipv4_addr"] : ["ip6", "ipv6_addr"];
  const to = (address: string, port: number): string => (family === 0 ? `${address}:${port}` : `[${address}]:${port}`);
  const lines = [`table ${ip} kube-proxy`, `delete table ${ip} kube-proxy`, `table ${ip} kube-proxy {`];
  const chain = (name: string, ...rules: string[]): void => {
    lines.push(`chain ${name} {`, ...rules, "}");
  };
  const [serviceIps, nodePorts]: [string[], string[]] = [[], []];
  chain("mark-for-masquerade", "meta mark set meta mark or 0x4000");
  chain(
    "masquerading",
    "meta mark and 0x4000 == 0 return",
    "meta mark set meta mark xor 0x4000",
    "masquerade fully-random",
  );
  for (const { name, clusterIP, port, nodePort, endpoints } of services) {
    const targets = endpoints.map((_, i) => `${i} : goto endpoint-${name}-${i}`).join(", ");
    endpoints.forEach(({ address, port: target }, i) => {
      chain(
        `endpoint-${name}-${i}`,
        `${ip} saddr ${address} jump mark-for-masquerade`,
        `meta l4proto tcp dnat to ${to(address, target)}`,
      );
    });
    chain(
      `service-${name}`,
      `${ip} daddr ${clusterIP} tcp dport ${port} ${ip} saddr != ${podCidr} jump mark-for-masquerade`,
      `numgen random mod ${endpoints.length} vmap { ${targets} }`,
    );
    serviceIps.push(`${clusterIP} . tcp . ${port} : goto service-${name}`);
    if (nodePort === undefined) continue;
    chain(`external-${name}`, "jump mark-for-masquerade", `goto service-${name}`);
    nodePorts.push(`tcp . ${nodePort} : goto external-${name}`);
  }
  const elements = (of: readonly string[]): string => (of.length === 0 ? "" : `elements = { ${of.join(", ")} }`);
  lines.push(`map service-ips { type ${type} . inet_proto . inet_service : verdict`, elements(serviceIps), "}");
  lines.push("map service-nodeports { type inet_proto . inet_service : verdict", elements(nodePorts), "}");
  chain(
    "services",
    `${ip} daddr . meta l4proto . th dport vmap @service-ips`,
    "fib daddr type local meta l4proto . th dport vmap @service-nodeports",
  );
  chain("nat-prerouting", "type nat hook prerouting priority dstnat", "jump services");
  chain("nat-output", "type nat hook output priority -100", "jump services");
  chain("nat-postrouting", "type nat hook postrouting priority srcnat", "jump masquerading");
  return `${lines.join("\n")}\n}\n`;
}
