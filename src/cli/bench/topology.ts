/**
 * The bench's lab as data: clients – router – servers, in pairs, and the ports that the policies know. Every variant has a
 * lab of its own with these addresses, so that all of them judge the same packets.
 */

/** Several workers share the work by addresses, so a few pairs would keep some of them idle. */
export const pairCount = 16;

export const clientNetwork = { router: "10.80.0.1", first: 10, prefix: "10.80.0" } as const;
export const serverNetwork = { router: "10.80.1.1", first: 10, prefix: "10.80.1" } as const;

/** A pod that changes in the course of the measurements: a client beside the others. */
export const visitorAddress = "10.80.0.9";

export const ports = {
  /** UDP, answered with the time of arrival. */
  echo: 7,
  /** UDP, allowed and never answered. */
  sink: 9,
  /** TCP, accepted and held until the client goes. */
  accept: 80,
  /** TCP, read to its end. */
  bulk: 5001,
  /** UDP, answered; allowed or not as the policy `change` says. */
  policyChange: 1007,
  /** UDP, answered; allowed to pods with the label that the visitor has or hasn't. */
  podChange: 1008,
  /** Nobody is allowed here. */
  denied: 4444,
} as const;

export const clientAddress = (pair: number): string => `${clientNetwork.prefix}.${clientNetwork.first + pair}`;
export const serverAddress = (pair: number): string => `${serverNetwork.prefix}.${serverNetwork.first + pair}`;

/** Set by us, so that frames can be made whole and nobody asks for them. */
export const macs = {
  client: "02:00:00:00:00:0a",
  clientRouter: "02:00:00:00:01:0a",
  server: "02:00:00:00:00:0b",
  serverRouter: "02:00:00:00:01:0b",
} as const;
