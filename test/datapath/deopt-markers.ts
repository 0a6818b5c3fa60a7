/**
 * Functions that V8 optimises for numbers and must take back when they are called with something else: each leaves a
 * line in V8's log that says where in time it was called, and shows that the log is understood.
 */
export function markStart(): void {
  for (let i = 0; i < 1_000_000; i++) double({ x: i & 15 });
  double({ x: "7" });
}

export function markEnd(): void {
  for (let i = 0; i < 1_000_000; i++) half({ x: i & 15 });
  half({ x: "7" });
}

function double(value: { readonly x: unknown }): number {
  return (value.x as number) * 2;
}

function half(value: { readonly x: unknown }): number {
  return (value.x as number) / 2;
}
