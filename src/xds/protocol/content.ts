import type { Resource } from "../resource.ts";
import type { ResourceType } from "../resource-type.ts";
import type { Sent } from "./sent.ts";

/** What a response consists of, before it has a nonce. */
export interface Content {
	/** Everything in it. */
	readonly sent: Sent;
	/** Those of its resources that the proxy does not have in this form, or asked for again, besides all that are shared. */
	readonly fresh: readonly Resource[];
	/** Names for which `sent` has what the proxy acknowledged, because it refused what is newer. */
	readonly withheld: ReadonlySet<string>;
	encode(nonce: string): readonly Uint8Array[];
}

/** A response that is ready to be written. */
export interface Outgoing {
	readonly type: ResourceType;
	readonly nonce: string;
	/** How many resources and removals it carries. */
	readonly count: number;
	/** The encoded message is the concatenation of these. */
	readonly parts: readonly Uint8Array[];
}
