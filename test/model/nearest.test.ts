import { describe, expect, test } from "vitest";
import { nearestOf } from "../../src/model/nearest.ts";

describe("the name that was meant", () => {
  test.each<[string, string, readonly string[], string | null]>([
    ["another case", "networkpolicy", ["Pod", "NetworkPolicy"], "NetworkPolicy"],
    ["a letter too few", "podSelectr", ["policyTypes", "podSelector"], "podSelector"],
    ["a letter too many", "Podd", ["Pod", "Node"], "Pod"],
    ["two letters swapped", "matchLables", ["matchExpressions", "matchLabels"], "matchLabels"],
    ["two letters missing", "NetworkPolic", ["NetworkPolicy"], "NetworkPolicy"],
    ["two mistakes", "netwrking.k8.io", ["networking.k8s.io"], "networking.k8s.io"],
    ["three are too many", "netwrkng.k8.io", ["networking.k8s.io"], null],
    ["a short name has room for one", "Pud", ["Pod"], "Pod"],
    ["and not for two", "Pat", ["Pod"], null],
    ["the shortest for none", "ab", ["ac"], null],
    ["the least difference counts", "ingres", ["egress", "ingress"], "ingress"],
    ["the first of several", "b/srv", ["b/srv1", "b/srv2"], "b/srv1"],
    ["the name itself is no other", "Pod", ["Pod"], null],
    ["nothing near", "HelmRelease", ["Pod", "Deployment"], null],
  ])("%s", (_name, text, candidates, expected) => expect(nearestOf(text, candidates)).toBe(expected));
});
