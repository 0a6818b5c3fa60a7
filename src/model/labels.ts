/** Labels of a Kubernetes object: what selectors look at. */
export type Labels = Readonly<Record<string, string>>;
