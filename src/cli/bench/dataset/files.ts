/** Objects into files of at most 1,000. Pure. */
import type { DatasetFile } from "./dataset.ts";

const objectsOfFile = 1000;

/** `NAME-001.json` and so on; `wrap` makes the document out of its objects. */
export function* inFiles(
  name: string,
  count: number,
  make: (index: number) => object,
  wrap: (objects: readonly object[]) => object,
): Generator<DatasetFile> {
  for (let first = 0; first < count; first += objectsOfFile) {
    const objects = Array.from({ length: Math.min(objectsOfFile, count - first) }, (_, i) => make(first + i));
    const number = String(first / objectsOfFile + 1).padStart(3, "0");
    yield { path: `${name}-${number}.json`, text: JSON.stringify(wrap(objects)) };
  }
}

/** As `kubectl get -o json` prints several objects. */
export function kubernetesList(items: readonly object[]): object {
  return { apiVersion: "v1", kind: "List", items };
}

/** Address number `index` from `first` on. */
export function addressAt(first: readonly [number, number, number, number], index: number): string {
  const number = first.reduce((sum, byte) => sum * 256 + byte, 0) + index;
  return [number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255].join(".");
}
