import type { Resource } from "../resource.ts";
import type { ResourceType } from "../resource-type.ts";

/** What was in a response, as far as the proxy did not have it before. */
export interface Delivery {
	readonly type: ResourceType;
	readonly resources: readonly Resource[];
	readonly removed: readonly string[];
}

/** A response that the proxy refused, and why in its own words. */
export interface Rejection extends Delivery {
	readonly message: string;
	/** What is at fault for certain, because it was refused alone; the others of `resources` are sent again apart from each other. */
	readonly condemned: readonly Resource[];
}

/** What became of a request. */
export type RequestOutcome =
	/** It asks for more than is allowed; the stream must end. */
	| { readonly op: "refused"; readonly reason: string }
	| {
			readonly op: "taken";
			/** What the proxy still has from an earlier stream, in the form that is current. */
			readonly resumed: Delivery | undefined;
			readonly acknowledged: Delivery | undefined;
			readonly rejected: Rejection | undefined;
	  };
