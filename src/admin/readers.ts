import type { ObjectEvent } from "../api/object-event.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ObjectStatus } from "../api/status.ts";
import type { Position, Violation } from "../api/violation.ts";
import type { Signal } from "../lib/signal.ts";
import type { Finding } from "../mesh/finding.ts";
import type { Readiness } from "../observability/health.ts";
import type { LogControl } from "../observability/log-control.ts";

/** One object, and what is known about it. */
export interface ObjectState {
	readonly ref: ObjectRef;
	/** Whether some form of it is in use: the newest, or while that is refused the last good one. */
	readonly inForce: boolean;
	/** Where it begins; undefined when its source has no files. */
	readonly place: Position | undefined;
	/** Why the newest form is refused; empty when it is in use. */
	readonly violations: readonly Violation[];
	readonly findings: readonly Finding[];
}

/** Something wrong with a file that belongs to no single object. */
export interface FileProblemState {
	readonly severity: "error" | "warning";
	readonly file: string;
	readonly line: number;
	readonly column: number;
	readonly message: string;
}

/** Why some objects are not as they are at their source. */
export interface SourceProblemState {
	/** As in a role: `routerules.lateen.dev`. */
	readonly resource: string;
	/** Full sentences: what is wrong, and what to do. */
	readonly message: string;
}

/** Reads the objects that the server works with. */
export interface ObjectsReader {
	/** Every object, in order of kind, namespace and name. */
	objects(): readonly ObjectState[];
	fileProblems(): readonly FileProblemState[];
	/** What keeps objects from being current, where the source can say so. */
	sourceProblems?(): readonly SourceProblemState[];
	/** Set while the newest objects could not be built. */
	buildFailure():
		| { readonly atMs: number; readonly error: unknown }
		| undefined;
}

/** The types of resources, as paths and commands name them. */
export type ResourceWord =
	| "listeners"
	| "routes"
	| "clusters"
	| "endpoints"
	| "virtualhosts";

/** Every type of resource, in the order in which a request meets them. */
export const resourceWords: readonly ResourceWord[] = [
	"listeners",
	"routes",
	"virtualhosts",
	"clusters",
	"endpoints",
];

/** How many resources of one type a proxy was sent, and what it said to them. */
export interface ResourceCounts {
	readonly sent: number;
	readonly acknowledged: number;
	readonly rejected: number;
}

/** One connected proxy. */
export interface ProxyState {
	/** Unique among connected proxies. */
	readonly id: string;
	/** `namespace/name` of its workload, or the name of the gateway. */
	readonly workload: string;
	readonly kind: "sidecar" | "gateway" | "grpc";
	readonly attachment: "captured" | "explicit";
	/** The variant of the protocol it speaks. */
	readonly variant: "delta" | "sotw";
	/** Where it connects from. */
	readonly address: string;
	readonly connectedMs: number;
	readonly counts: ReadonlyMap<ResourceWord, ResourceCounts>;
}

/** One resource of a connected proxy. */
export interface ResourceState {
	readonly name: string;
	/** The version sent last; undefined when it was acknowledged on an earlier stream and not sent on this one. */
	readonly sent: string | undefined;
	/** The version in force in the proxy; undefined before it said so. */
	readonly acknowledged: string | undefined;
	/** Why the proxy refused what was sent last. */
	readonly rejected: string | undefined;
	/** The resource as Envoy prints it; undefined when its bytes are no longer kept. */
	readonly config: unknown;
}

/** Reads what proxies have. */
export interface ProxiesReader {
	proxies(): readonly ProxyState[];
	resources(
		id: string,
		type: ResourceWord,
	): Promise<readonly ResourceState[] | undefined>;
}

/** One object that has a status. */
export interface StatusState {
	readonly ref: ObjectRef;
	/** Of the newest form that was read; the status is about an older one for some milliseconds after a change. */
	readonly generation: number;
	/** Milliseconds since the epoch; when the object was first seen if its source does not say. */
	readonly createdMs: number;
	/** What it shapes traffic to, in a word; empty when that is no single thing. */
	readonly destination: string;
	/** Where it begins; undefined when its source has no files. */
	readonly place: Position | undefined;
	readonly status: ObjectStatus;
}

/** Reads the statuses of objects. */
export interface StatusReader {
	/** Every object that has a status, in order of kind, namespace and name. */
	statuses(): readonly StatusState[];
	/** One of them. */
	of(ref: ObjectRef): StatusState | undefined;
	/** Calls `listener` with the objects whose status changed or is gone until the returned function is called. */
	subscribe(listener: (refs: readonly ObjectRef[]) => void): () => void;
	/** Whether every object that there was at the start of the server has its status. */
	readonly isComplete: Signal<boolean>;
	/** What happened to objects, oldest first. */
	events(): readonly ObjectEvent[];
}

/** One version of a resource. */
export interface KeptVersion {
	readonly version: string;
	/** The encoded message. */
	readonly bytes: Uint8Array;
	readonly origins: readonly ObjectRef[];
}

/** One resource of a proxy. */
export interface SnapshotResource {
	readonly type: ResourceWord;
	readonly name: string;
	/** What the proxy is to have; undefined when it is to be removed. */
	readonly wanted: KeptVersion | undefined;
	/** What the proxy runs with; undefined when it has none of this name. */
	readonly acknowledged: KeptVersion | undefined;
	/** Why the proxy refused what was sent last. */
	readonly rejected: string | undefined;
}

/** One proxy and all of its resources. */
export interface ProxySnapshot {
	/** Where it accepts traffic, as its bootstrap says. */
	readonly addresses: {
		readonly outbound?: string;
		readonly inbound: readonly object[];
		readonly tcp: readonly object[];
		readonly gateway: readonly object[];
	};
	/** By type in the order in which a request meets them, then by name. */
	readonly resources: readonly SnapshotResource[];
}

/** A proxy and its resources that come from one object. */
export interface CarryingProxy {
	readonly id: string;
	readonly workload: string;
	readonly resources: readonly {
		readonly type: ResourceWord;
		readonly name: string;
	}[];
}

/** Reads whole proxies. */
export interface SnapshotsReader {
	/** Undefined when no such proxy is connected. */
	snapshot(id: string): ProxySnapshot | undefined;
	/** Every connected proxy that has, or is to have, something of this object. */
	carrying(ref: ObjectRef): Promise<readonly CarryingProxy[]>;
}

/** Everything the admin API shows; each part is handed over by whoever owns it. */
export interface AdminReaders {
	readonly version: string;
	readonly objects: ObjectsReader;
	readonly proxies: ProxiesReader;
	readonly snapshots: SnapshotsReader;
	readonly status: StatusReader;
	readiness(): Readiness;
	/** Figures of this process in Prometheus' text format. */
	metrics(): string;
	/** What the log lets through; the one thing that can be changed. */
	readonly logs: LogControl;
}
