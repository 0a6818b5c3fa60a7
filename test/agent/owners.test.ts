import { expect, test } from "vitest";
import { Owners } from "../../src/agent/owners.ts";
import type { NetworkInterface } from "../../src/model/ec2.ts";
import { emptyInventory, type Inventory } from "../../src/model/inventory.ts";
import { changeFromNothing } from "../../src/model/inventory-change.ts";
import { formatAddress, parseAddress } from "../../src/net/address.ts";

function inventory(rows: Readonly<Record<string, string>>): Inventory {
  const interfaces = Object.entries(rows).map(
    ([id, address]): NetworkInterface => ({
      id,
      instanceId: `i-${id}`,
      isPrimary: true,
      vpcId: "vpc-1",
      subnetId: "subnet-1",
      groupIds: [],
      addresses: [parseAddress(address) ?? expect.fail(address)],
      publicAddresses: [],
      isRunning: true,
      sourceDestCheck: true,
      macAddress: null,
      origin: { file: "f", name: id },
    }),
  );
  return { ...emptyInventory, ec2: { ...emptyInventory.ec2, interfaces } };
}

test.each([
  ["nothing changes", { a: "10.0.0.1" }, { a: "10.0.0.1" }, []],
  ["SG-40: another interface gets the address", { a: "10.0.0.1" }, { b: "10.0.0.1" }, ["10.0.0.1"]],
  ["an address becomes somebody's", {}, { a: "10.0.0.1" }, ["10.0.0.1"]],
  ["an address becomes nobody's", { a: "10.0.0.1" }, {}, []],
  ["two swap", { a: "10.0.0.1", b: "10.0.0.2" }, { a: "10.0.0.2", b: "10.0.0.1" }, ["10.0.0.1", "10.0.0.2"]],
])("%s", (_, before, after, expected) => {
  const owners = new Owners(false, new Map());
  const update = (rows: Readonly<Record<string, string>>) => owners.update(changeFromNothing(inventory(rows)));
  update(before);
  const changed = update(after);
  expect(changed === "all" ? changed : changed.map(formatAddress).sort()).toEqual(expected);
});

test.each([
  ["nobody knows what was before", null, { a: "10.0.0.1" }, "all"],
  ["the same owner as before", { a: "10.0.0.1" }, { a: "10.0.0.1" }, []],
  ["SG-40: another one got the address while nobody looked", { a: "10.0.0.1" }, { b: "10.0.0.1" }, ["10.0.0.1"]],
])("at a start: %s", (_, before, after, expected) => {
  const entriesOf = (rows: Readonly<Record<string, string>>) => {
    const owners = new Owners(false, null);
    owners.update(changeFromNothing(inventory(rows)));
    return new Map(owners.entries());
  };
  const owners = new Owners(false, before === null ? null : entriesOf(before as Readonly<Record<string, string>>));
  const changed = owners.update(changeFromNothing(inventory(after)));
  expect(changed === "all" ? changed : changed.map(formatAddress)).toEqual(expected);
});
