/** Where in which file a value stands; lines and columns count from 1. */
export interface Position {
	readonly file: string;
	readonly line: number;
	readonly column: number;
}

/** Why a field is refused. */
export interface Violation {
	/** Path of the field as Kubernetes prints it: `spec.route[0].weight`; empty for the whole object. */
	readonly path: string;
	/** One or more full sentences: what is wrong, and how to mend it. */
	readonly message: string;
	/** Known only for objects read from files. */
	readonly position?: Position;
}
