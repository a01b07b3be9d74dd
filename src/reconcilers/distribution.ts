/**
 * How far the resources that came from one object have got among the connected
 * proxies that need them.
 */
export interface Distribution {
	/** Connected proxies that need at least one of the resources. */
	readonly total: number;
	/** Those of them that have acknowledged all they need. */
	readonly acknowledged: number;
	/** Those of them that have refused one. */
	readonly rejected: number;
	/** Names of a few that have neither acknowledged nor refused. */
	readonly missing: readonly string[];
	/** A few refusals, in the proxies' words. */
	readonly rejections: readonly ProxyRejection[];
	/** The generation of the object that the resources were made from; undefined when there are none. */
	readonly generation: number | undefined;
	/** Other replicas of the control plane whose proxies are served an older form; absent when there are none. */
	readonly behind?: readonly LaggingReplica[];
}

/** A replica of the control plane that has not come as far as this one. */
export interface LaggingReplica {
	readonly replica: string;
	/** The generation that its proxies are served; undefined when it does not know the object yet. */
	readonly generation: number | undefined;
}

/** What one proxy said to refuse a resource. */
export interface ProxyRejection {
	/** Its workload, or its id where that says more. */
	readonly proxy: string;
	readonly message: string;
}

/** An object whose newest good form is kept out of the mesh, because proxies refused what it became. */
export interface HeldBack {
	/** The generation that is held back. */
	readonly generation: number;
	/** The generation that is in the mesh instead; undefined when there is none. */
	readonly inForceGeneration: number | undefined;
	/** A few refusals; none while it is still being found out whether this object is to blame. */
	readonly rejections: readonly ProxyRejection[];
}
