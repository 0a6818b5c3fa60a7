/**
 * Tables made once and read by several threads: their typed arrays are put into shared memory, so that handing them on
 * copies nothing but the small rest.
 */

type Plain = unknown;

/** The same data with every typed array in shared memory. Arrays that are shared within the data stay shared. */
export function shareTables(tables: Plain): Plain {
  const known = new Map<object, Plain>();
  const share = (value: Plain): Plain => {
    if (typeof value !== "object" || value === null) return value;
    const done = known.get(value);
    if (done !== undefined) return done;
    const shared = shareObject(value, share);
    known.set(value, shared);
    return shared;
  };
  return share(tables);
}

function shareObject(value: object, share: (value: Plain) => Plain): Plain {
  if (ArrayBuffer.isView(value)) return shareView(value);
  if (Array.isArray(value)) {
    // Lists of words (names of rules, …) have nothing to share; most long lists are such.
    const first: unknown = value.find((member) => typeof member === "object" && member !== null);
    return first === undefined ? value : value.map(share);
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, share(member)]));
}

function shareView(view: ArrayBufferView): Plain {
  if (view.buffer instanceof SharedArrayBuffer || view instanceof DataView) return view;
  const source = view as Uint32Array;
  const buffer = new SharedArrayBuffer(source.byteLength);
  const shared = new (source.constructor as Uint32ArrayConstructor)(buffer);
  shared.set(source);
  return shared;
}
