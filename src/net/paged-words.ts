/**
 * Arrays of 32-bit words that one thread changes and others read. They lie in pages of shared memory; the writer copies a
 * page that readers may know before it changes it, and tells them by a patch which pages are new. A reader takes a patch
 * between two batches of packets, so that it sees all of a change or nothing, and no two threads ever touch one word.
 */

const pageBits = 10;
const pageWords = 1 << pageBits;
const wordMask = pageWords - 1;
const pagesOfChunk = 64;

/** What a reader sees of one array. Words are signed: those of an address are compared as `word | 0`. */
export class WordPages {
  readonly pages: Int32Array[] = [];

  /** The word at an index that the writer has set. Never allocates. */
  get(index: number): number {
    return (this.pages[index >>> pageBits] as Int32Array)[index & wordMask] as number;
  }
}

/** Structured clone carries it; the memory itself stays where it is. */
export interface PagesPatch {
  /** Patches are numbered in the order in which they must be applied. */
  readonly number: number;
  /** Shared memory that came with this patch, and how much came before. */
  readonly chunks: readonly SharedArrayBuffer[];
  readonly chunksBefore: number;
  /** Three numbers for each page: its array, its place in the array, its place in the shared memory. */
  readonly places: Int32Array;
}

/** The arrays of a reader on any thread. */
export class PageReader {
  readonly arrays: readonly WordPages[];
  readonly #views: Int32Array[] = [];

  constructor(arrayCount: number) {
    this.arrays = Array.from({ length: arrayCount }, () => new WordPages());
  }

  /** To be called with each patch, in order, the first one being a whole; the last one may come again. */
  apply({ chunks, chunksBefore, places }: PagesPatch): void {
    chunks.forEach((chunk, i) => {
      if ((chunksBefore + i) * pagesOfChunk === this.#views.length) viewChunk(chunk, this.#views);
    });
    for (let i = 0; i < places.length; i += 3) {
      const { pages } = this.arrays[places[i] as number] as WordPages;
      pages[places[i + 1] as number] = this.#views[places[i + 2] as number] as Int32Array;
    }
  }
}

/** The shared memory behind some arrays, and the only one who writes them. */
export class PageWriter {
  readonly arrays: readonly PagedWords[];
  readonly #chunks: SharedArrayBuffer[] = [];
  readonly #views: Int32Array[] = [];
  readonly #free: number[] = [];
  /** Pages that a patch has replaced, until everybody has taken it. */
  readonly #retired: { readonly number: number; readonly slots: readonly number[] }[] = [];
  #replaced: number[] = [];
  #chunksTold = 0;
  #number = 0;

  constructor(arrayCount: number) {
    const memory: PageMemory = {
      take: () => this.#take(),
      replace: (slot) => {
        this.#replaced.push(slot);
      },
    };
    this.arrays = Array.from({ length: arrayCount }, () => new PagedWords(memory));
  }

  get bytes(): number {
    return this.#chunks.length * pagesOfChunk * pageWords * 4;
  }

  /** What has changed since the last patch; from here on the pages in it aren't touched any more. */
  takePatch(): PagesPatch {
    const places = this.arrays.flatMap((words, array) => words.publish().flatMap((place) => [array, ...place]));
    const chunksBefore = this.#chunksTold;
    const chunks = this.#chunks.slice(chunksBefore);
    this.#chunksTold = this.#chunks.length;
    this.#number++;
    if (this.#replaced.length > 0) this.#retired.push({ number: this.#number, slots: this.#replaced });
    this.#replaced = [];
    return { number: this.#number, chunks, chunksBefore, places: Int32Array.from(places) };
  }

  /** Everything as the last patch left it, for a reader that comes later; that patch needn't be applied then. */
  wholePatch(): PagesPatch {
    const places = this.arrays.flatMap((words, array) => words.published().flatMap((place) => [array, ...place]));
    const chunks = this.#chunks.slice(0, this.#chunksTold);
    return { number: this.#number, chunks, chunksBefore: 0, places: Int32Array.from(places) };
  }

  /** Every reader has applied this patch: the pages that it replaced may be written again. */
  release({ number }: Pick<PagesPatch, "number">): void {
    while ((this.#retired[0]?.number ?? Number.POSITIVE_INFINITY) <= number) {
      for (const slot of this.#retired.shift()?.slots ?? []) this.#free.push(slot);
    }
  }

  #take(): readonly [slot: number, page: Int32Array] {
    const slot = this.#free.pop();
    if (slot !== undefined) return [slot, this.#views[slot] as Int32Array];
    const chunk = new SharedArrayBuffer(pagesOfChunk * pageWords * 4);
    const first = this.#views.length;
    this.#chunks.push(chunk);
    viewChunk(chunk, this.#views);
    for (let i = pagesOfChunk - 1; i > 0; i--) this.#free.push(first + i);
    return [first, this.#views[first] as Int32Array];
  }
}

interface PageMemory {
  take(): readonly [slot: number, page: Int32Array];
  replace(slot: number): void;
}

/** One array of the writer: it grows as it is written, and what was never written is 0. */
export class PagedWords {
  /** What the writer itself reads; it sees each change at once. */
  readonly view = new WordPages();
  readonly #memory: PageMemory;
  readonly #slots: number[] = [];
  /** By page: the slot that readers know; -1 for none. */
  readonly #published: number[] = [];
  #changed: number[] = [];

  constructor(memory: PageMemory) {
    this.#memory = memory;
  }

  get(index: number): number {
    return this.view.get(index);
  }

  set(index: number, value: number): void {
    const page = index >>> pageBits;
    const pages = this.view.pages;
    while (page >= pages.length) this.#append();
    if (this.#published[page] === this.#slots[page]) this.#copy(page);
    (pages[page] as Int32Array)[index & wordMask] = value;
  }

  /** Makes room, so that every index below can be read. */
  reserve(length: number): void {
    while (this.view.pages.length << pageBits < length) this.#append();
  }

  /** Every word is 0 again. */
  clear(): void {
    for (let page = 0; page < this.view.pages.length; page++) {
      if (this.#published[page] === this.#slots[page]) this.#copy(page);
      (this.view.pages[page] as Int32Array).fill(0);
    }
  }

  /** Place and slot of each page that changed; readers know them from now on. */
  publish(): [place: number, slot: number][] {
    const changed = this.#changed.map((page): [number, number] => {
      const slot = this.#slots[page] as number;
      this.#published[page] = slot;
      return [page, slot];
    });
    this.#changed = [];
    return changed;
  }

  published(): [place: number, slot: number][] {
    return this.#published.flatMap((slot, page): [number, number][] => (slot < 0 ? [] : [[page, slot]]));
  }

  #append(): void {
    const [slot, page] = this.#memory.take();
    page.fill(0);
    this.#changed.push(this.view.pages.length);
    this.view.pages.push(page);
    this.#slots.push(slot);
    this.#published.push(-1);
  }

  #copy(place: number): void {
    const [slot, page] = this.#memory.take();
    page.set(this.view.pages[place] as Int32Array);
    this.#memory.replace(this.#slots[place] as number);
    this.view.pages[place] = page;
    this.#slots[place] = slot;
    this.#changed.push(place);
  }
}

function viewChunk(chunk: SharedArrayBuffer, views: Int32Array[]): void {
  for (let i = 0; i < pagesOfChunk; i++) views.push(new Int32Array(chunk, i * pageWords * 4, pageWords));
}
