/** One object on the API server, as far as it is known here. */
export type Watched<T> =
	/** Nothing was read yet. */
	| { readonly state: "unknown" }
	| { readonly state: "absent" }
	| {
			readonly state: "present";
			readonly value: T;
			readonly version: ObjectVersion;
	  };

/** Which object, and which form of it, was seen. */
export interface ObjectVersion {
	readonly resourceVersion: string;
	readonly uid: string;
}
