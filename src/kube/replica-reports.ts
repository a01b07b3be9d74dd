/*
 * How a replica is present in the cluster:
 *
 *   Lease without holder ─▶ all reports ─▶ Lease with holder ─▶ renew, renew … ─▶ delete
 *            ▲                                                    │
 *            └──────────── the Lease is gone ─────────────────────┘
 *
 * It counts for others only with a holder, so a replica that starts is never seen
 * without its reports. The reports belong to the Lease: what is left of a replica
 * that died goes with it.
 */
import { isRecord } from "../api/fields.ts";
import {
	type ProxyReport,
	parseProxyReport,
	printProxyReport,
	type ReportedObject,
} from "../api/proxy-report.ts";
import type { Clock } from "../lib/clock.ts";
import { isCancelled } from "../lib/is-cancelled.ts";
import { pause } from "../lib/pause.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import { KubeError } from "./kube-error.ts";
import type { KubeObject } from "./kube-object.ts";
import { printMicroTime } from "./lease.ts";
import type { ObjectClient } from "./object-client.ts";
import { apiVersionOf, resources } from "./resources.ts";

/** Who writes reports and the Leases of replicas, as server-side apply knows it. */
const manager = "lateen-report";

/** Names of Leases of replicas are this and the replica's. */
const leasePrefix = "lateen-replica-";

/** Selects the Leases of replicas among all. */
export const replicaLeaseSelector = "lateen.dev/lease=replica";

const leaseLabels = { "lateen.dev/lease": "replica" } as const;

/** Time between two renewals: twice within the 20 s after which others take the replica for gone. Milliseconds. */
const renewMs = 9000;

/** Wait before what failed is tried again. Milliseconds. */
const retryMs = 2000;

/** What a request about a Lease may take. Milliseconds. */
const requestMs = 5000;

/** What the presence of a replica works with. */
export interface ReplicaPresenceParts {
	readonly client: ObjectClient;
	/** Namespace of Lateen itself. */
	readonly namespace: string;
	/** Unlike any other replica's; see `replicaNameOf`. */
	readonly replica: string;
	/** Writes all reports of this replica as they are now, through `write`. */
	readonly publish: () => Promise<void>;
	readonly clock: Clock;
	readonly logger: Logger;
}

/** Says that this replica is there, and what it knows. */
export class ReplicaPresence {
	readonly #parts: ReplicaPresenceParts;
	readonly #isPresent = new WritableSignal(false);
	#uid: string | undefined;

	constructor(parts: ReplicaPresenceParts) {
		this.#parts = parts;
	}

	/** Whether others count this replica. */
	get isPresent(): Signal<boolean> {
		return this.#isPresent;
	}

	/**
	 * Is present until aborted, and then says that it is not.
	 *
	 * Fails when: never; what the API server does not take is tried again.
	 */
	async run(signal: AbortSignal): Promise<void> {
		const { clock, logger } = this.#parts;
		let failed = 0;
		while (!signal.aborted) {
			try {
				if (this.#isPresent.value) await this.#renew(signal);
				else await this.#enter(signal);
				if (failed > 0) logger.info("Other replicas know of this one again.");
				failed = 0;
				await pause(clock, renewMs, signal);
			} catch (error) {
				if (isCancelled(error) && signal.aborted) break;
				if (failed === 0)
					logger.warn(
						"Other replicas do not hear that this one lives. Proxies are served as before, and it is tried again; but what they have does not count for the status of objects after 20 seconds.",
						{ error },
					);
				failed += 1;
				await pause(clock, retryMs, signal);
			}
		}
		await this.#leave();
	}

	/**
	 * Makes this the whole content of one report.
	 *
	 * Fails when: the API server does not take it; then with a `KubeError`.
	 */
	async write(
		shard: number,
		objects: ReadonlyMap<string, ReportedObject>,
	): Promise<void> {
		const { client, namespace, replica } = this.#parts;
		await client.apply(
			{
				resource: resources.ProxyReport,
				at: { namespace, name: reportName(replica, shard) },
				manager,
				metadata:
					this.#uid === undefined
						? {}
						: {
								ownerReferences: [
									{
										apiVersion: apiVersionOf(resources.Lease),
										kind: resources.Lease.kind,
										name: this.#leaseName,
										uid: this.#uid,
									},
								],
							},
				fields: { spec: printProxyReport({ replica, objects }) },
			},
			// Of what is written everything is known already.
			{ metadataOnly: true },
		);
	}

	get #leaseName(): string {
		return leasePrefix + this.#parts.replica;
	}

	async #enter(signal: AbortSignal): Promise<void> {
		const { client, namespace, clock, publish } = this.#parts;
		const spec = {
			leaseDurationSeconds: 20,
			renewTime: printMicroTime(clock.nowMs()),
		};
		const at = { namespace, name: this.#leaseName };
		const options = { manager, signal, timeoutMs: requestMs };
		let lease: KubeObject;
		try {
			lease = await client.create(
				resources.Lease,
				namespace,
				{ metadata: { ...at, labels: leaseLabels }, spec },
				options,
			);
		} catch (error) {
			if (!isCode(error, "KUBE_CONFLICT")) throw error;
			// Of an earlier process of this name: its proxies are gone, and its reports do not count from here on.
			lease = await client.merge(
				resources.Lease,
				at,
				{
					metadata: { labels: leaseLabels },
					spec: { ...spec, holderIdentity: null },
				},
				options,
			);
		}
		this.#uid = lease.metadata.uid;
		await publish();
		await this.#touch(signal);
		this.#isPresent.set(true);
	}

	async #renew(signal: AbortSignal): Promise<void> {
		try {
			const { metadata } = await this.#touch(signal);
			if (metadata.uid === this.#uid) return;
		} catch (error) {
			if (!isCode(error, "KUBE_NOT_FOUND")) throw error;
		}
		// Somebody took it for gone: the reports went with the Lease.
		this.#isPresent.set(false);
		await this.#enter(signal);
	}

	#touch(signal: AbortSignal): Promise<KubeObject> {
		const { client, namespace, replica, clock } = this.#parts;
		return client.merge(
			resources.Lease,
			{ namespace, name: this.#leaseName },
			{
				spec: {
					holderIdentity: replica,
					renewTime: printMicroTime(clock.nowMs()),
				},
			},
			{ manager, signal, timeoutMs: requestMs },
		);
	}

	async #leave(): Promise<void> {
		this.#isPresent.set(false);
		if (this.#uid === undefined) return;
		const { client, namespace, logger } = this.#parts;
		try {
			await client.delete(
				resources.Lease,
				{ namespace, name: this.#leaseName },
				{ uid: this.#uid, timeoutMs: retryMs },
			);
		} catch (error) {
			logger.info(
				"Other replicas could not be told that this one stops; they notice within 20 seconds.",
				{ error },
			);
		}
	}
}

/** The replica, its newest renewal, and whether it serves, as a Lease says; undefined when it is not a replica's. */
export function parseReplicaLease(object: unknown):
	| {
			readonly replica: string;
			readonly stamp: string;
			readonly isServing: boolean;
	  }
	| undefined {
	if (!isRecord(object)) return undefined;
	const { metadata, spec } = object;
	const name = isRecord(metadata) ? metadata["name"] : undefined;
	if (typeof name !== "string" || !name.startsWith(leasePrefix))
		return undefined;
	const { holderIdentity, renewTime } = isRecord(spec) ? spec : {};
	return {
		replica: name.slice(leasePrefix.length),
		stamp: typeof renewTime === "string" ? renewTime : "",
		isServing: typeof holderIdentity === "string" && holderIdentity !== "",
	};
}

/** A report with its name, as the API server has it; undefined when it is none. */
export function parseNamedReport(
	object: unknown,
): { readonly name: string; readonly report: ProxyReport } | undefined {
	const metadata = isRecord(object) ? object["metadata"] : undefined;
	const name = isRecord(metadata) ? metadata["name"] : undefined;
	const report = parseProxyReport(object);
	return typeof name === "string" && report !== undefined
		? { name, report }
		: undefined;
}

/** Deletes what a replica that is gone has left; one that is gone already is no failure. */
export async function deleteLeftovers(
	client: ObjectClient,
	namespace: string,
	leftovers: {
		readonly leases: readonly string[];
		readonly reports: readonly string[];
	},
	mayWrite: () => boolean,
): Promise<void> {
	for (const replica of leftovers.leases) {
		if (!mayWrite()) return;
		await client.delete(resources.Lease, {
			namespace,
			name: leasePrefix + replica,
		});
	}
	for (const name of leftovers.reports) {
		if (!mayWrite()) return;
		await client.delete(resources.ProxyReport, { namespace, name });
	}
}

/** The name of one report of a replica. */
export function reportName(replica: string, shard: number): string {
	return `${replica}-${shard}`;
}

function isCode(error: unknown, code: KubeError["code"]): boolean {
	return error instanceof KubeError && error.code === code;
}
