/** What would let a flow pass that NetworkPolicies deny: a rule, or a policy of its own, as YAML to be copied. */
import type { FlowView } from "../../model/flow.ts";
import { namespaceNameLabel, type Pod } from "../../model/kubernetes.ts";
import type { Labels } from "../../model/labels.ts";
import type { DirectionName } from "../../model/verdict.ts";
import type { Address } from "../../net/address.ts";
import { formatPrefix, hostPrefix } from "../../net/prefix.ts";
import { formatProtocol, hasPorts } from "../../net/protocol.ts";

/** An end of the flow; the pod where it is one. */
export interface RemedyEnd {
  readonly address: Address;
  readonly pod: Pod | null;
}

/**
 * A rule of `policy`, `namespace/name`; null where a policy of the subject's own is better than a change of those that
 * isolate it, which mostly close a whole namespace.
 */
export function remedyFor(
  policy: string | null,
  subject: Pod,
  peer: RemedyEnd,
  view: FlowView,
  direction: DirectionName,
): string {
  const [rule, notes] = ruleFor(subject.namespace, peer, view, direction);
  if (policy !== null) return [`add to spec.${direction} of NetworkPolicy ${policy}:`, ...notes, ...rule].join("\n");
  const labels = identityOf(subject);
  const type = direction === "egress" ? "Egress" : "Ingress";
  return [
    "add a NetworkPolicy of its own:",
    ...(Object.keys(labels).length === 0
      ? [`# ${subject.name} has no label, so this selects its whole namespace`]
      : []),
    ...notes,
    "apiVersion: networking.k8s.io/v1",
    "kind: NetworkPolicy",
    `metadata: {namespace: ${quote(subject.namespace)}, name: ${quote(nameFor(subject, direction))}}`,
    "spec:",
    `  podSelector: ${selector(labels)}`,
    `  policyTypes: [${type}]`,
    `  ${direction}:`,
    ...rule.map((line) => `    ${line}`),
  ].join("\n");
}

/** An element of `spec.ingress` or `spec.egress`, and comments. */
function ruleFor(
  namespace: string,
  { address, pod }: RemedyEnd,
  view: FlowView,
  direction: DirectionName,
): readonly [rule: readonly string[], notes: readonly string[]] {
  const key = direction === "egress" ? "to" : "from";
  const notes: string[] = [];
  const peer: string[] = [];
  if (pod === null) {
    const { family, w0, w1, w2, w3 } = address;
    peer.push(`ipBlock: {cidr: ${quote(formatPrefix(hostPrefix({ family, w0, w1, w2, w3 })))}}`);
  } else {
    const labels = identityOf(pod);
    if (pod.namespace !== namespace) {
      peer.push(`namespaceSelector: ${selector({ [namespaceNameLabel]: pod.namespace })}`);
    }
    peer.push(`podSelector: ${selector(labels)}`);
    if (Object.keys(labels).length === 0) {
      notes.push(`# ${pod.name} has no label, so this allows every pod of namespace ${pod.namespace}`);
    }
  }
  const hasPort = hasPorts(view.protocol) && !view.isFragment;
  if (!hasPort) notes.push("# ports are TCP's, UDP's and SCTP's alone, so this allows all traffic of the peer");
  const port = `ports: [{protocol: ${formatProtocol(view.protocol).toUpperCase()}, port: ${view.destinationPort}}]`;
  const lines = [
    `- ${key}:`,
    ...peer.map((line, i) => `    ${i === 0 ? "- " : "  "}${line}`),
    ...(hasPort ? [`  ${port}`] : []),
  ];
  return [lines, notes];
}

/** Labels that controllers give to each pod or each revision say nothing of what a pod is for. */
const generated =
  /^(pod-template-(hash|generation)|controller-(revision-hash|uid)|job-name|(apps|batch|statefulset)\.kubernetes\.io\/.*)$/;

function identityOf({ labels }: Pod): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !generated.test(key)));
}

function selector(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${quote(key)}: ${quote(value)}`);
  return pairs.length === 0 ? "{}" : `{matchLabels: {${pairs.join(", ")}}}`;
}

/** Within the 253 characters of an object's name. */
function nameFor(subject: Pod, direction: DirectionName): string {
  return `${subject.name.slice(0, 240)}-${direction}`;
}

/** Plain where YAML reads it as this text everywhere: not `true`, `1`, `a: b` or `2001:db8::1`. */
function quote(text: string): string {
  const isPlain = /^[a-z][\w./-]*$/i.test(text) && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(text);
  return isPlain ? text : JSON.stringify(text);
}
