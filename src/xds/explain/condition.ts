/** One thing that a route asks of a request, and what the request has. */
export interface Condition {
	/** A clause: `header end-user is "jason"`. */
	readonly asks: string;
	/** What the request has in this place; undefined when it has nothing there. */
	readonly has: string | undefined;
	readonly holds: boolean;
}
