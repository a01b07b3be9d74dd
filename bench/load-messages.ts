/** Numbers of resources that a stream has when it is complete, by kind. */
export interface Expected {
	readonly virtualHosts: number;
	readonly clusters: number;
}

/** One stream to open. */
export interface StreamPlan {
	/** `namespace/name`. */
	readonly workload: string;
	readonly token: string;
}

/** What the load process is told. */
export type LoadCommand =
	| {
			readonly op: "open";
			readonly host: string;
			readonly port: number;
			/** What signed the server's certificate, as PEM; without it there is no TLS. */
			readonly ca?: string;
			readonly streams: readonly StreamPlan[];
			readonly expected: Expected;
	  }
	/** Answered when every stream has received a response that holds this text. */
	| { readonly op: "await"; readonly marker: string }
	/** Cuts every connection at once and connects again with what each stream has. */
	| { readonly op: "storm" }
	| { readonly op: "totals" };

/** What all streams have received since they were opened. */
export interface Totals {
	readonly bytes: number;
	readonly responses: number;
	/** Removals, of any type. */
	readonly removed: number;
	/** Number of resources and removals, by the last part of their type. */
	readonly resources: Readonly<Record<string, number>>;
}

/** What the load process says; times are `systemMs`. */
export type LoadReport =
	| { readonly op: "ready" }
	/** Every stream has everything. */
	| {
			readonly op: "synced";
			readonly openedMs: number;
			readonly syncedMs: number;
	  }
	| { readonly op: "watching" }
	/** When each stream received the marker. */
	| { readonly op: "received"; readonly atMs: readonly number[] }
	/** Every stream knows that all it said was understood. */
	| {
			readonly op: "restored";
			readonly cutMs: number;
			readonly atMs: readonly number[];
	  }
	| { readonly op: "totals"; readonly totals: Totals }
	| { readonly op: "failed"; readonly message: string };
