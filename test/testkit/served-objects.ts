/*
 * The control plane in one process, from objects in memory to proxies on real
 * gRPC streams, and back to their status:
 *
 *   put ─▶ ObjectStore ─▶ MeshController ─▶ Catalog ─▶ ADS ─▶ gRPC
 *                │   Quarantine ┘◀──── accepted, refused ─┘
 *                └──────────────┴──────────────┴─▶ StatusController ─▶ statuses
 */
import { createSecretKey, randomBytes } from "node:crypto";
import type { ObjectRef } from "../../src/api/object-ref.ts";
import type { ApiObject } from "../../src/api/objects.ts";
import {
	type Condition,
	conditionOf,
	type ObjectStatus,
} from "../../src/api/status.ts";
import { distributionReader } from "../../src/app/proxies/distribution-reader.ts";
import { proxyVerdicts } from "../../src/app/proxies/proxy-verdicts.ts";
import type { HoldOff } from "../../src/controllers/hold-off.ts";
import { MeshController } from "../../src/controllers/mesh.ts";
import { Quarantine } from "../../src/controllers/quarantine.ts";
import { StatusController } from "../../src/controllers/status.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { buildEditions, type EditionsBuild } from "../../src/mesh/editions.ts";
import { printAddress } from "../../src/net/address.ts";
import { type GrpcServer, serveGrpc } from "../../src/net/grpc-server.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { MetricsRegistry } from "../../src/observability/metrics.ts";
import {
	MemoryEventWriter,
	MemoryStatusWriter,
} from "../../src/store/memory-writer.ts";
import { ObjectStore } from "../../src/store/object-store.ts";
import { Catalog } from "../../src/xds/catalog/catalog.ts";
import { Proof } from "../../src/xds/proof.ts";
import { mintToken } from "../../src/xds/proxy-token.ts";
import type { ResourceType } from "../../src/xds/resource-type.ts";
import { adsMethods } from "../../src/xds/server/ads.ts";
import { authenticate } from "../../src/xds/server/authenticate.ts";
import { ConnectedProxies } from "../../src/xds/server/connected-proxies.ts";

/** How the control plane is paced. Milliseconds of its clock. */
export interface ServedPace {
	readonly build: HoldOff;
	readonly status: HoldOff;
	readonly progressMs: number;
}

/** See the head of this file. */
export class ServedObjects implements AsyncDisposable {
	readonly store = new ObjectStore(["memory"]);
	readonly statuses = new MemoryStatusWriter();
	readonly events = new MemoryEventWriter();
	readonly connected = new ConnectedProxies();
	readonly clock: Clock;
	/** Resources and removals that were sent, by type; responses of all types as `responses`. */
	readonly sent = new Map<ResourceType | "responses", number>();
	readonly #key = createSecretKey(randomBytes(32));
	readonly #mesh: MeshController<EditionsBuild>;
	readonly #quarantine: Quarantine;
	readonly #status: StatusController;
	#server: GrpcServer | undefined;

	private constructor(clock: Clock, pace: ServedPace) {
		this.clock = clock;
		const catalog = new Catalog();
		const metrics = new MetricsRegistry();
		const proof = new Proof();
		const quarantine = new Quarantine({
			inputs: {
				objects: this.store.objects,
				invalid: this.store.invalid,
				allListed: this.store.allListed,
				verdicts: proxyVerdicts(this.connected, catalog, proof),
			},
			remembered: [],
			// Nothing here outlives the process.
			sink: { put: () => undefined, forget: () => undefined },
			clock,
			logger: silentLogger,
			metrics,
		});
		this.#quarantine = quarantine;
		this.#mesh = new MeshController({
			inputs: {
				objects: quarantine.objects,
				allListed: this.store.allListed,
			},
			build: (objects, previous: EditionsBuild | undefined) =>
				buildEditions(quarantine.forms(objects), previous),
			apply: (mesh, editions) => catalog.update(mesh, editions),
			holdOff: pace.build,
			clock,
			logger: silentLogger,
			metrics,
		});
		this.#mesh.state.subscribe(({ failure }) => {
			if (failure === undefined) quarantine.built();
		});
		this.#status = new StatusController({
			inputs: {
				objects: this.store.objects,
				invalid: this.store.invalid,
				allListed: this.store.allListed,
				mesh: this.#mesh.state,
				distribution: distributionReader(catalog.distribution),
				heldBack: quarantine.heldBack,
			},
			statuses: this.statuses,
			events: this.events,
			clock,
			logger: silentLogger,
			metrics,
			pace: {
				holdOff: pace.status,
				progressMs: pace.progressMs,
				retryMs: pace.progressMs,
			},
		});
		this.methods = adsMethods({
			directory: catalog,
			authenticate: (peer, claims) =>
				authenticate({ peer, claims, key: this.#key, nowMs: clock.nowMs() }),
			connected: this.connected,
			proof,
			clock,
			log: silentLogger,
			figures: {
				sent: (type, resources) => {
					this.sent.set(type, (this.sent.get(type) ?? 0) + resources);
					this.sent.set("responses", (this.sent.get("responses") ?? 0) + 1);
				},
				acknowledged: () => undefined,
				rejected: () => undefined,
			},
		});
	}

	/** What the gRPC server serves. */
	readonly methods: ReturnType<typeof adsMethods>;

	/** Serves these objects; answers when the first mesh is built. */
	static async start(
		clock: Clock,
		pace: ServedPace,
		objects: readonly ApiObject[],
	): Promise<ServedObjects> {
		const served = new ServedObjects(clock, pace);
		served.put(...objects);
		served.store.listed("memory");
		await served.#built();
		served.#server = await serveGrpc({
			listen: { host: "127.0.0.1", port: 0 },
			methods: served.methods,
			log: silentLogger,
			limits: { stopMs: 0 },
		});
		return served;
	}

	/** Where proxies connect. */
	get address(): string {
		const server = this.#server;
		return server === undefined ? "" : printAddress(server.address);
	}

	/** What a proxy of this workload brings to prove that it is one; good for an hour. */
	tokenOf(workload: string): string {
		const expiresMs = this.clock.nowMs() + 3_600_000;
		return mintToken({ workload, kind: "sidecar", expiresMs }, this.#key);
	}

	/** Adds or replaces objects together. */
	put(...objects: readonly ApiObject[]): void {
		this.store.apply(
			"memory",
			objects.map((object) => ({ op: "put", object })),
		);
	}

	/** The `Programmed` condition of an object. */
	programmed(ref: ObjectRef): Condition | undefined {
		const status = this.statuses.of(ref);
		return status && conditionOf(status, "Programmed");
	}

	/** The status of an object once it is as wanted; the test's time limit ends the wait. */
	until(
		ref: ObjectRef,
		isWanted: (programmed: Condition, status: ObjectStatus) => boolean,
	): Promise<ObjectStatus> {
		const wanted = (): ObjectStatus | undefined => {
			const status = this.statuses.of(ref);
			const programmed = this.programmed(ref);
			return status && programmed && isWanted(programmed, status)
				? status
				: undefined;
		};
		return new Promise((resolve) => {
			const look = (): boolean => {
				const status = wanted();
				if (status !== undefined) resolve(status);
				return status !== undefined;
			};
			if (look()) return;
			const stop = this.statuses.subscribe(() => {
				if (look()) stop();
			});
		});
	}

	/** The status of an object once a generation is live on all of these many proxies. */
	untilLive(
		ref: ObjectRef,
		generation: number,
		proxies: number,
	): Promise<ObjectStatus> {
		return this.until(
			ref,
			(programmed, status) =>
				programmed.status === "True" &&
				programmed.observedGeneration === generation &&
				status.proxies.total === proxies,
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#server?.[Symbol.asyncDispose]();
		this.#status[Symbol.dispose]();
		this.#mesh[Symbol.dispose]();
		this.#quarantine[Symbol.dispose]();
	}

	async #built(): Promise<void> {
		if (this.#mesh.state.value.mesh !== undefined) return;
		await new Promise<void>((resolve) => {
			const stop = this.#mesh.state.subscribe(({ mesh }) => {
				if (mesh === undefined) return;
				stop();
				resolve();
			});
		});
	}
}
