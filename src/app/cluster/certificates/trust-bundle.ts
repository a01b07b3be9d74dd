/*
 * The copies of the authorities for injected pods, wired together; controllers/trust-bundle.ts says what for.
 */
import { isRecord } from "../../../api/fields.ts";
import type { Objects } from "../../../api/objects.ts";
import type {
	ControllerFigures,
	Leader,
} from "../../../controllers/controller.ts";
import { keepTrustBundles } from "../../../controllers/trust-bundle.ts";
import { files, names } from "../../../injector/names.ts";
import type { KubeConnection } from "../../../kube/connection.ts";
import type { ObjectClient } from "../../../kube/object-client.ts";
import { resources } from "../../../kube/resources.ts";
import type { WatchMetrics } from "../../../kube/watch-metrics.ts";
import type { Clock } from "../../../lib/clock.ts";
import { deepEqual } from "../../../lib/deep-equal.ts";
import { type Signal, WritableSignal } from "../../../lib/signal.ts";
import type { Logger } from "../../../observability/logger.ts";
import { injectLabel } from "../../../reconcilers/injection-registration.ts";
import type { SeenCopy } from "../../../reconcilers/trust-bundle.ts";
import { sidecarSecretFiles } from "../../../xds/sidecar-bootstrap.ts";
import { runInBackground } from "../../lifecycle/background.ts";
import type { Stops } from "../../lifecycle/stops.ts";
import { watchSet } from "./watch-set.ts";

/** Tells a copy from a ConfigMap that is somebody else's and has the same name. */
const copyLabel = "lateen.dev/trust-bundle";

const manager = "lateen-trust-bundle";

/** What the copies are kept with. */
export interface TrustBundleParts {
	readonly connection: KubeConnection;
	readonly client: ObjectClient;
	readonly leader: Leader;
	/** Lateen's own. */
	readonly namespace: string;
	/** All objects. */
	readonly objects: Signal<Pick<Objects, "Pod">>;
	/** Whether `objects` has everything; before that no copy is taken away. */
	readonly isListed: Signal<boolean>;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly watchMetrics: WatchMetrics;
	readonly figures: ControllerFigures;
	/** Is told of a part that stopped and should not have. */
	readonly onFailure: (error: unknown) => void;
}

/** Keeps the authorities in every namespace that asks for injection or has injected pods. */
export function startTrustBundles(parts: TrustBundleParts, stops: Stops): void {
	const { connection, client, leader, namespace, clock } = parts;
	const logger = parts.logger.child({ part: "trust-bundle" });
	const shared = { connection, clock, logger, metrics: parts.watchMetrics };
	const namespaces = watchSet({
		...shared,
		resource: resources.Namespace,
		labelSelector: `${injectLabel}=true`,
		project: (content) => {
			const { status } = content;
			return !(isRecord(status) && status["phase"] === "Terminating");
		},
	});
	const copies = watchSet({
		...shared,
		resource: resources.ConfigMap,
		fieldSelector: `metadata.name=${names.configMap}`,
		project: parseCopy,
	});
	const resource = resources.ConfigMap;
	const name = names.configMap;
	stops.own(
		keepTrustBundles({
			inputs: {
				asking: mapped(
					namespaces.objects,
					(all) =>
						all && new Set([...all].flatMap(([key, is]) => (is ? [key] : []))),
					stops,
				),
				injected: injectedNamespaces(parts, stops),
				copies: mapped(
					copies.objects,
					(all) =>
						all &&
						new Map(
							[...all].map(([key, copy]) => [key.split("/")[0] ?? "", copy]),
						),
					stops,
				),
			},
			dataOf,
			ownNamespace: namespace,
			writer: {
				apply: async (at, data, signal) => {
					await client.apply(
						{
							resource,
							at: { namespace: at, name },
							manager,
							metadata: { labels: { [copyLabel]: "true" } },
							fields: { data },
						},
						{ signal },
					);
				},
				remove: async (at, signal) => {
					await client.delete(resource, { namespace: at, name }, { signal });
				},
			},
			leader,
			clock,
			logger,
			figures: parts.figures,
		}),
	);
	for (const { run } of [namespaces, copies])
		void runInBackground("A watch", run, parts.onFailure, stops).catch(
			// It went to `onFailure` already.
			() => undefined,
		);
}

function dataOf(bundle: string): Readonly<Record<string, string>> {
	const at = (file: string): string => `${names.mountPath}/${file}`;
	const { tokenSds, caSds } = sidecarSecretFiles({
		tokenFile: at(files.token),
		tokenSdsFile: at(files.tokenSds),
		caFile: at(files.authorities),
		caSdsFile: at(files.authoritiesSds),
	});
	return {
		[files.authorities]: bundle,
		[files.tokenSds]: JSON.stringify(tokenSds),
		[files.authoritiesSds]: JSON.stringify(caSds),
	};
}

function parseCopy(content: Readonly<Record<string, unknown>>): SeenCopy {
	const { data, metadata } = content;
	const labels = isRecord(metadata) ? metadata["labels"] : undefined;
	return {
		data: Object.fromEntries(
			Object.entries(isRecord(data) ? data : {}).flatMap(([key, value]) =>
				typeof value === "string" ? [[key, value]] : [],
			),
		),
		isCopy: isRecord(labels) && labels[copyLabel] === "true",
	};
}

/** Namespaces of pods that say that they are injected. */
function injectedNamespaces(
	{ objects, isListed }: Pick<TrustBundleParts, "objects" | "isListed">,
	stops: Stops,
): Signal<ReadonlySet<string> | undefined> {
	const found = new WritableSignal<ReadonlySet<string> | undefined>(undefined);
	let seen: Objects["Pod"] | undefined;
	const look = (): void => {
		const { Pod: pods } = objects.value;
		if (!isListed.value || pods === seen) return;
		seen = pods;
		const next = new Set<string>();
		for (const { metadata } of pods.values())
			if (metadata.labels[names.injectedLabel] !== undefined)
				next.add(metadata.namespace);
		if (!deepEqual(found.value, next)) found.set(next);
	};
	stops.add(objects.subscribe(look));
	stops.add(isListed.subscribe(look));
	look();
	return found;
}

/** A signal of what follows from another. */
function mapped<A, B>(
	from: Signal<A>,
	map: (value: A) => B,
	stops: Stops,
): Signal<B> {
	const to = new WritableSignal<B>(map(from.value));
	stops.add(from.subscribe((value) => to.set(map(value))));
	return to;
}
