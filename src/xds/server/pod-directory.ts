/** What is known about a pod, to hold a proxy's claims against. */
export interface KnownPod {
	/** Tells the pod from an earlier one of the same name. */
	readonly uid: string;
	readonly labels: Readonly<Record<string, string>>;
}

/** The pods of the cluster as they are now. What authentication needs of whoever watches them. */
export interface PodDirectory {
	/** The pod, by `namespace/name`. */
	find(key: string): KnownPod | undefined;
	/** Calls `listener` after pods have changed until the returned function is called. */
	subscribe(listener: () => void): () => void;
}
