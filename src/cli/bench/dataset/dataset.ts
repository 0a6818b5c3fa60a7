/**
 * A cluster, or a cluster and a VPC, of any size, as the files that `run` reads: objects as `kubectl get -o json` and
 * `aws ec2 describe-*` print them, at most 1,000 in a file; what the measurements change lies in files of its own. The
 * same specification gives the same files. Pure.
 */
import { ec2Files } from "./ec2.ts";
import { namespaceFiles, nodeFiles, podFiles, policyFiles } from "./kubernetes.ts";
import { labFiles } from "./lab-objects.ts";

export interface DatasetSpec {
  /** NetworkPolicies; of a dataset with EC2, security groups and network ACLs count too. */
  readonly policies: number;
  /** Pods, and interfaces of instances where there is EC2; those of the lab come on top. */
  readonly endpoints: number;
  /** `kubernetes`: NetworkPolicies alone; `all`: 2 in 5 are security groups, 1 in 5 are network ACLs. */
  readonly kinds: "kubernetes" | "all";
  /** `spread`: ten policies a namespace or so; `together`: all in the lab's own namespace. */
  readonly layout: "spread" | "together";
}

/** Path below the dataset's directory, and its text. */
export interface DatasetFile {
  readonly path: string;
  readonly text: string;
}

/** How a dataset is made up. */
export interface Shares {
  readonly networkPolicies: number;
  readonly securityGroups: number;
  readonly networkAcls: number;
  readonly pods: number;
  readonly interfaces: number;
  readonly namespaces: number;
}

const podsOfNamespace = 100;
/** The fewest policies that a lab with any needs: one for each side, and one that changes. */
const labPolicies = 3;

export function sharesOf({ policies, endpoints, kinds }: DatasetSpec): Shares {
  const hasEc2 = kinds === "all";
  const securityGroups = hasEc2 ? Math.max(2, Math.round(policies * 0.4)) : 0;
  const networkAcls = hasEc2 ? Math.max(2, Math.round(policies * 0.2)) : 0;
  const interfaces = hasEc2 ? Math.floor(endpoints / 2) : 0;
  const pods = endpoints - interfaces;
  return {
    networkPolicies: Math.max(policies === 0 ? 0 : labPolicies, policies - securityGroups - networkAcls),
    securityGroups,
    networkAcls,
    pods,
    interfaces,
    namespaces: Math.max(1, Math.ceil(pods / podsOfNamespace)),
  };
}

export function* generateDataset(spec: DatasetSpec): Generator<DatasetFile> {
  const shares = sharesOf(spec);
  yield* nodeFiles(shares);
  yield* namespaceFiles(shares);
  yield* podFiles(shares);
  yield* policyFiles(shares.networkPolicies === 0 ? 0 : shares.networkPolicies - labPolicies, shares, spec.layout);
  if (spec.kinds === "all") yield* ec2Files(shares);
  yield* labFiles(shares.networkPolicies > 0);
}
