import type { Details } from "./details.ts";
import type { Reviews } from "./reviews.ts";

/** What a service said, or why it did not. */
export type Answer<T> =
	| ({ readonly available: true } & T)
	| { readonly available: false; readonly reason: string };

/** All that the page shows. */
export interface Page {
	readonly version: string;
	readonly pod: string;
	/** Empty when nobody is logged in. */
	readonly user: string;
	readonly details: Answer<Details>;
	readonly reviews: Answer<Reviews>;
}
