/** What users call endpoints: names that mean one thing, and names that don't. */
import { describe, expect, test } from "vitest";
import { isProblem, References } from "../../src/engine/reference.ts";
import { formatAddress } from "../../src/net/address.ts";
import { deployment, instance, inventoryOf, pod, service } from "./inventories.ts";

const references = new References(
  inventoryOf([
    instance("i-one", [["10.0.0.1", "10.0.0.2", "2001:db8::1"], ["10.0.0.3"]]),
    instance("i-off", [["10.0.0.9"]], "stopped"),
    pod("shop/web-1", ["10.1.0.1", "fd00::1"], { owner: "ReplicaSet/web" }),
    pod("shop/web-2", ["10.1.0.2"], { owner: "ReplicaSet/web" }),
    pod("shop/done", ["10.1.0.3"], { phase: "Succeeded" }),
    pod("shop/twin", ["10.1.0.4"]),
    deployment("shop/twin"),
    deployment("shop/idle"),
    deployment("a-b/c"),
    deployment("a/b-c"),
    service("shop/front", { app: "web-1" }, ["10.96.0.1", "fd96::1"]),
    service("shop/outside", null, ["10.96.0.2"]),
    service("blog/front", { app: "web-1" }, ["10.96.0.3"]),
    service("shop/headless", { app: "web-1" }, ["None"]),
    service("shop/web-2", { app: "web-2" }, ["10.1.0.2"]),
  ]),
);

test.each([
  ["an IPv4 address", "192.0.2.7", ["192.0.2.7"]],
  ["DEF-4: a mapped address is IPv4", "::ffff:192.0.2.7", ["192.0.2.7"]],
  ["an IPv6 address", "2001:db8:0::7", ["2001:db8::7"]],
  ["an instance is its primary interface", "i-one", ["10.0.0.1", "10.0.0.2", "2001:db8::1"]],
  ["an interface", "eni-i-one-1", ["10.0.0.3"]],
  ["a pod", "shop/web-2", ["10.1.0.2"]],
  ["a pod by its kind", "Pod:shop/web-2", ["10.1.0.2"]],
  ["an owner is the first of its pods", "ReplicaSet:shop/web", ["10.1.0.1", "fd00::1"]],
  ["an owner without its kind", "shop/web", ["10.1.0.1", "fd00::1"]],
  ["a pod's name and address, though a Service has them too", "shop/web-2", ["10.1.0.2"]],
  ["an address that a pod has is the pod's", "10.1.0.2", ["10.1.0.2"]],
  ["a kind tells twins apart", "Pod:shop/twin", ["10.1.0.4"]],
])("%s: %s", (_, text, addresses) => {
  const found = references.find(text);
  expect(isProblem(found) ? found : found.addresses.map(formatAddress)).toEqual(addresses);
});

test("a workload without an address can be named, and T-71: `a-b/c` is not `a/b-c`", () => {
  const names = ["shop/idle", "a-b/c", "Deployment:a/b-c"].map((text) => {
    const found = references.find(text);
    return isProblem(found) ? found : found.addresses.map(formatAddress).join();
  });
  expect(names).toEqual([
    expect.stringMatching(/^none#/),
    expect.stringMatching(/^none#/),
    expect.stringMatching(/^none#/),
  ]);
  expect(new Set(names).size).toBe(3);
});

test.each([
  ["nothing", "shop/none", "unknown-ref", /neither a pod nor a workload/],
  ["no instance", "i-none", "unknown-ref", /neither an instance nor an interface/],
  ["no address", "10.0.0.300", "unknown-ref", /no IP address/],
  ["a zone is no part of an address", "fe80::1%eth0", "unknown-ref", /no IP address/],
  ["a bare word", "web", "unknown-ref", /namespace\/name/],
  ["the empty text", "", "unknown-ref", /an endpoint is/],
  ["another kind", "StatefulSet:shop/twin", "unknown-ref", /neither a pod/],
  ["SG-47: a stopped instance", "i-off", "unknown-ref", /isn't running/],
  ["NP-60: a pod that has ended", "shop/done", "unknown-ref", /has ended/],
  [
    "two things",
    "shop/twin",
    "ambiguous-ref",
    /2 things: .*Deployment:shop\/twin.*Pod:shop\/twin|Pod:shop\/twin.*Deployment/,
  ],
])("%s: %s", (_, text, code, message) => {
  expect(references.find(text)).toEqual({ code, message: expect.stringMatching(message) });
});

describe("NP-50 NP-51: a Service is no endpoint, and a packet to it is judged at a pod", () => {
  test.each([
    ["its address", "10.96.0.1", /^10\.96\.0\.1 is Service:shop\/front, .*via service \(Pod:shop\/web-1\)$/],
    ["its other address", "fd96:0::1", /is Service:shop\/front, .*Pod:shop\/web-1/],
    ["its name", "shop/front", /^shop\/front is Service:shop\/front, .*Pod:shop\/web-1/],
    ["its kind", "Service:shop/front", /^Service:shop\/front is a Service, .*Pod:shop\/web-1/],
    ["a headless one", "Service:shop/headless", /Pod:shop\/web-1/],
    ["one without a selector", "10.96.0.2", /Service:shop\/outside, .*the input has none; name an endpoint behind it/],
    ["one that selects pods of another namespace", "10.96.0.3", /Service:blog\/front, .*the input has none/],
    ["one whose name a pod has", "Service:shop/web-2", /Pod:shop\/web-2/],
  ])("%s: %s", (_, text, message) => {
    expect(references.find(text)).toEqual({ code: "ambiguous-ref", message: expect.stringMatching(message) });
  });
});

test("a long text isn't repeated whole in its message", () => {
  const found = references.find("x".repeat(100_000));
  expect(isProblem(found) && found.message.length).toBeLessThan(250);
});
