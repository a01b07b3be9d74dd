/*
 * From objects to what proxies are served, in both modes:
 *
 *   source ─▶ ObjectStore ─▶ MeshController ─▶ Catalog ─▶ ADS
 *                  │   Quarantine ──┘◀──── accepted, refused ──┘
 */

import { randomBytes } from "node:crypto";
import type { ApiObject, Objects } from "../api/objects.ts";
import type { OtherForms } from "../controllers/heard-forms.ts";
import { LastGoodKeeper } from "../controllers/last-good.ts";
import { MeshController } from "../controllers/mesh.ts";
import { Quarantine } from "../controllers/quarantine.ts";
import type { Clock } from "../lib/clock.ts";
import type { MeshBuild } from "../mesh/build.ts";
import { buildEditions, type EditionsBuild } from "../mesh/editions.ts";
import type { Logger } from "../observability/logger.ts";
import {
	type MetricsRegistry,
	secondsBuckets,
} from "../observability/metrics.ts";
import type { SpanSink } from "../observability/tracing/span.ts";
import type { LastGoodStore } from "../store/last-good.ts";
import { ObjectStore } from "../store/object-store.ts";
import { refKey } from "../store/ref-key.ts";
import { Catalog } from "../xds/catalog/catalog.ts";
import { Proof } from "../xds/proof.ts";
import { ConnectedProxies } from "../xds/server/connected-proxies.ts";
import { ChangeFollower } from "./changes/change-follower.ts";
import type { Stops } from "./lifecycle/stops.ts";
import { addObjectMetrics } from "./metrics/object-metrics.ts";
import { proxyVerdicts } from "./proxies/proxy-verdicts.ts";

/** What the pipeline is made of besides itself. */
export interface PipelineParts {
	readonly sourceName: string;
	readonly lastGood: LastGoodStore;
	/** What is told of proxies that are connected elsewhere. */
	readonly others?: OtherForms;
	/** Hears of every build, and what it was made from. */
	readonly onBuild?: (objects: Objects, build: MeshBuild) => void;
	/** Milliseconds. */
	readonly holdOff: { readonly quietMs: number; readonly maxMs: number };
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
	/** Where traces of changes go; absent when nobody wants any. */
	readonly spans?: SpanSink;
}

/** Everything between a source and the streams of proxies. */
export interface Pipeline {
	readonly store: ObjectStore;
	readonly quarantine: Quarantine;
	readonly mesh: MeshController<EditionsBuild>;
	readonly catalog: Catalog;
	readonly connected: ConnectedProxies;
	readonly proof: Proof;
	/** Measures and traces each change on its way. */
	readonly changes: ChangeFollower;
}

/** Puts the pipeline together; it runs as soon as something is applied to its store. */
export async function createPipeline(
	parts: PipelineParts,
	stops: Stops,
): Promise<Pipeline> {
	const { clock, logger, metrics } = parts;
	const quarantineLog = logger.child({ part: "quarantine" });
	const remembered = await parts.lastGood.read().catch((error: unknown) => {
		quarantineLog.warn(
			"The last good forms of objects cannot be read; what is refused now is not served.",
			{ error },
		);
		return [];
	});
	const store = new ObjectStore(
		[parts.sourceName],
		new Map(
			remembered.flatMap(({ ref, valid }) =>
				valid === undefined ? [] : [[refKey(ref), valid] as const],
			),
		),
	);
	const catalog = new Catalog();
	const connected = new ConnectedProxies();
	const proof = new Proof();
	const quarantine = stops.own(
		new Quarantine({
			inputs: {
				objects: store.objects,
				invalid: store.invalid,
				allListed: store.allListed,
				verdicts: proxyVerdicts(connected, catalog, proof),
				...(parts.others !== undefined && { others: parts.others }),
			},
			remembered,
			sink: stops.own(
				new LastGoodKeeper({
					store: parts.lastGood,
					clock,
					logger: quarantineLog,
					metrics,
				}),
			),
			clock,
			logger: quarantineLog,
			metrics,
		}),
	);
	const changes = stops.own(
		new ChangeFollower({
			distribution: catalog.distribution,
			proxies: () => connected.size,
			generated: () => sumOf(catalog.generated.values()),
			generationOf: ({ kind, key }) => {
				const kinds: Readonly<Record<string, ReadonlyMap<string, ApiObject>>> =
					store.objects.value;
				return kinds[kind]?.get(key)?.metadata.generation;
			},
			...(parts.spans !== undefined && { spans: parts.spans }),
			newId: (bytes) => randomBytes(bytes).toString("hex"),
			clock,
			metrics,
		}),
	);
	stops.add(store.subscribeChanges((changed) => changes.changed(changed)));
	const generateSeconds = metrics.histogram(
		"lateen_xds_generate_seconds",
		"Time to generate the resources that a new mesh makes different; part of the build.",
		secondsBuckets,
	);
	const mesh = stops.own(
		new MeshController({
			inputs: { objects: quarantine.objects, allListed: store.allListed },
			build: (objects, previous: EditionsBuild | undefined) => {
				changes.buildBegins();
				const forms = quarantine.forms(objects);
				const build = buildEditions(forms, previous);
				parts.onBuild?.(forms.objects, build);
				return build;
			},
			apply: (built, editions) => {
				const startMs = clock.monotonicMs();
				changes.meshBuilt();
				catalog.update(built, editions);
				changes.generated();
				generateSeconds.observe((clock.monotonicMs() - startMs) / 1000);
			},
			holdOff: parts.holdOff,
			clock,
			logger: logger.child({ part: "mesh" }),
			metrics,
		}),
	);
	stops.add(
		mesh.state.subscribe(({ failure }) => {
			changes.buildEnded();
			if (failure === undefined) quarantine.built();
		}),
	);
	addObjectMetrics(metrics, {
		objects: store.objects,
		invalid: store.invalid,
		mesh: mesh.state,
		catalog,
	});
	return { store, quarantine, mesh, catalog, connected, proof, changes };
}

function sumOf(numbers: Iterable<number>): number {
	let sum = 0;
	for (const one of numbers) sum += one;
	return sum;
}
