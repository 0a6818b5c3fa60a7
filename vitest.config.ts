import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/sweep-namespaces.ts", "test/support/shared-api-server.ts"],
    pool: "forks",
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Of tests that say that they may: they wait for most of their time.
    maxConcurrency: 16,
  },
});
