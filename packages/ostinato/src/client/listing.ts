// listing: a list that may be long, as its reader wants it: one by one, in pages, or whole.
//
// Always:  nothing is asked before somebody reads.

/**
 * A list that is read as needed: `for await` gives its items one by one, `await` the whole of it, `pages()` page by page.
 *
 * @example
 * for await (const status of hub.query({ status: "FAILED" })) console.log(status.id);
 * const all = await hub.query({ name: "greet" });
 */
export interface Listing<T> extends AsyncIterable<T>, PromiseLike<readonly T[]> {
  pages(): AsyncIterable<readonly T[]>;
}

/** A page with the cursor from which the next one starts; absent on the last one. */
export interface ListingPage<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

/**
 * A list whose pages have cursors, so that reading can go on later or elsewhere.
 *
 * @example
 * for await (const page of hub.query({}).pages({ size: 50 })) show(page.items, page.next);
 */
export interface PagedListing<T> extends AsyncIterable<T>, PromiseLike<readonly T[]> {
  pages(request?: { readonly size?: number; readonly cursor?: string }): AsyncIterable<ListingPage<T>>;
}

/** A list over pages. */
export function listingOf<T>(pages: () => AsyncIterable<readonly T[]>): Listing<T> {
  const iterate = async function* (): AsyncGenerator<T, void, undefined> {
    for await (const page of pages()) yield* page;
  };
  return { pages, [Symbol.asyncIterator]: iterate, then: (fulfilled, rejected) => wholeOf(iterate()).then(fulfilled, rejected) };
}

/** A list over pages with cursors. */
export function pagedListingOf<T>(pages: PagedListing<T>["pages"]): PagedListing<T> {
  const iterate = async function* (): AsyncGenerator<T, void, undefined> {
    for await (const page of pages()) yield* page.items;
  };
  return { pages, [Symbol.asyncIterator]: iterate, then: (fulfilled, rejected) => wholeOf(iterate()).then(fulfilled, rejected) };
}

async function wholeOf<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
