import { expect, test } from "vitest";
import { InventoryStore } from "../../../../src/sources/inventory-store.ts";
import { ApiObjects } from "../../../../src/sources/kubernetes/api/api-objects.ts";
import type { ApiResource } from "../../../../src/sources/kubernetes/api/resources.ts";

const adminPolicies: ApiResource = {
  kind: "AdminNetworkPolicy",
  apiVersion: "policy.networking.k8s.io/v1alpha1",
  path: "/apis/policy.networking.k8s.io/v1alpha1/adminnetworkpolicies",
};
const baseline: ApiResource = { ...adminPolicies, kind: "BaselineAdminNetworkPolicy" };
/** Nobody knows for whom it is, so nothing is made of it. */
const unusable = (name: string): object => ({ metadata: { name, uid: name }, spec: { priority: 1, subject: {} } });

function codes(store: InventoryStore): readonly string[] {
  return store.findings().map(({ path, code }) => `${path.split(":")[0]} ${code}`);
}

test.each(["listed", "clear"] as const)(
  "what is wrong with an object goes with it, though nothing was made of it: %s",
  (how) => {
    const store = new InventoryStore();
    const heard: string[] = [];
    const objects = new ApiObjects(store, "https://server", {
      put: (name, { isUsed }) => heard.push(`${name} ${isUsed}`),
      remove: (name) => heard.push(`no ${name}`),
      keepOnly: (kind, names) => heard.push(`${kind}: ${[...names].join()}`),
    });
    objects.put(adminPolicies, { ...unusable("a") });
    objects.put(baseline, { ...unusable("default") });
    expect(codes(store)).toContain("AdminNetworkPolicy a bad-subject");
    if (how === "clear") objects.clear(adminPolicies);
    else {
      objects.listing(adminPolicies);
      objects.listed(adminPolicies);
    }
    expect(codes(store).filter((each) => each.startsWith("AdminNetworkPolicy"))).toEqual([]);
    // Another kind's stay.
    expect(codes(store).filter((each) => each.startsWith("Baseline"))).not.toEqual([]);
    objects.remove(baseline, { ...unusable("default") });
    expect(codes(store)).toEqual([]);
    expect(heard).toEqual([
      "AdminNetworkPolicy a false",
      "BaselineAdminNetworkPolicy default false",
      "AdminNetworkPolicy: ",
      "no BaselineAdminNetworkPolicy default",
    ]);
  },
);
