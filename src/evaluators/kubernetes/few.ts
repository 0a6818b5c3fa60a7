/** Sets that mostly have no member or one, and then cost no memory of their own. */

export type Few<T extends object> = Set<T> | T | null;

export function withMember<T extends object>(few: Few<T>, member: T): Few<T> {
  if (few === null || few === member) return member;
  if (few instanceof Set) return few.add(member);
  return new Set([few, member]);
}

export function withoutMember<T extends object>(few: Few<T>, member: T): Few<T> {
  if (few === member) return null;
  if (few instanceof Set) {
    few.delete(member);
    if (few.size === 1) for (const last of few) return last;
  }
  return few;
}

export function sizeOf(few: Few<object>): number {
  return few === null ? 0 : few instanceof Set ? few.size : 1;
}

/** The visitor adds no members. */
export function visit<T extends object>(few: Few<T>, visitor: (member: T) => void): void {
  if (few instanceof Set) few.forEach(visitor);
  else if (few !== null) visitor(few);
}

export function membersOf<T extends object>(few: Few<T>): T[] {
  return few instanceof Set ? [...few] : few === null ? [] : [few];
}
