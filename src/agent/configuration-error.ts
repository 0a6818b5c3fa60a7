/** Input that can't be used: every problem at once, each with its place and remedy. The verb ends with 2. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly code = "VERDICTD_CONFIGURATION";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}
