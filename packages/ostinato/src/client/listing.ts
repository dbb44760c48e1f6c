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
  return {
    pages,
    ...wholeOf(async function* () {
      for await (const page of pages()) yield* page;
    }),
  };
}

/** A list over pages with cursors. */
export function pagedListingOf<T>(pages: PagedListing<T>["pages"]): PagedListing<T> {
  return {
    pages,
    ...wholeOf(async function* () {
      for await (const page of pages()) yield* page.items;
    }),
  };
}

function wholeOf<T>(iterate: () => AsyncGenerator<T, void, undefined>): AsyncIterable<T> & PromiseLike<readonly T[]> {
  const all = async (): Promise<readonly T[]> => {
    const items: T[] = [];
    for await (const item of iterate()) items.push(item);
    return items;
  };
  return {
    [Symbol.asyncIterator]: iterate,
    // `await` finds the whole list, so that nobody needs to know another word for it.
    then: (fulfilled, rejected) => all().then(fulfilled, rejected),
  };
}
