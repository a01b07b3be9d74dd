import type { ApiObject } from "../../src/api/objects.ts";
import { startServing } from "../../src/app/cluster/certificates/serving.ts";
import { KnownInjection } from "../../src/app/cluster/webhooks/known-injection.ts";
import { PreviewedMesh } from "../../src/app/cluster/webhooks/previewed-mesh.ts";
import { Stops } from "../../src/app/lifecycle/stops.ts";
import { serveWebhook } from "../../src/app/serve-webhook.ts";
import { controllerFigures } from "../../src/controllers/controller.ts";
import { loadKubeConfig } from "../../src/kube/kube-config.ts";
import { ObjectClient } from "../../src/kube/object-client.ts";
import { openConnection } from "../../src/kube/open-connection.ts";
import { addWatchMetrics } from "../../src/kube/watch-metrics.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { type Signal, WritableSignal } from "../../src/lib/signal.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import type { TlsMaterial } from "../../src/lib/tls-material.ts";
import { buildMesh } from "../../src/mesh/build.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { MetricsRegistry } from "../../src/observability/metrics.ts";
import type { KubeCluster } from "../testkit/kube-cluster.ts";
import { objects } from "../testkit/objects.ts";

/** The part of a control plane that has to do with admission, against a real API server. */
export interface ServingReplica extends AsyncDisposable {
	readonly leads: WritableSignal<boolean>;
	readonly material: Signal<TlsMaterial | undefined>;
	readonly metrics: MetricsRegistry;
	readonly port: number;
	/** Makes these the objects that the webhook knows of. */
	know(...known: readonly ApiObject[]): void;
}

/** Starts one. Its namespace must exist. */
export async function startReplica(
	cluster: Pick<KubeCluster, "kubeconfig">,
	options: {
		readonly namespace: string;
		readonly leads?: boolean;
		readonly clock?: Clock;
		/** Whether the API server is to call this replica by URL. */
		readonly registers?: boolean;
		/** By default a free one. */
		readonly port?: number;
	},
): Promise<ServingReplica> {
	const { namespace, registers = true, clock = systemClock } = options;
	const stops = new Stops();
	const metrics = new MetricsRegistry();
	const logger = silentLogger;
	const preview = new PreviewedMesh();
	const injection = new KnownInjection(
		...([options.namespace, "lateen-proxy:0.1.0"] as const),
		() => ({ nativeSidecars: true, sleepHooks: true }),
	);
	injection.keep(objects());
	const leads = new WritableSignal(options.leads ?? true);
	const connection = stops.own(
		openConnection(
			await loadKubeConfig({
				kubeconfig: cluster.kubeconfig,
				environment: {},
				clock: systemClock,
			}),
			{ clock: systemClock, userAgent: "lateen/test" },
		),
	);
	// The certificate is made for the URL, and the URL needs a port: the server is first, without a certificate.
	const material = new WritableSignal<TlsMaterial | undefined>(undefined);
	const server = stops.own(
		await serveWebhook({
			listen: { host: "127.0.0.1", port: options.port ?? 0 },
			material,
			preview,
			contexts: injection.contexts,
			clock: systemClock,
			logger,
			metrics,
		}),
	);
	if (!("port" in server.address)) throw new Error("not a TCP address");
	const { port } = server.address;
	const followed = startServing(
		{
			connection,
			client: new ObjectClient(connection),
			leader: { isLeader: () => leads.value, state: leads },
			namespace,
			webhookUrl: registers ? `https://127.0.0.1:${port}` : undefined,
			clock,
			logger,
			metrics,
			watchMetrics: addWatchMetrics(metrics),
			figures: controllerFigures(metrics),
			onFailure: (error) => {
				throw error;
			},
		},
		stops,
	);
	stops.add(followed.subscribe((now) => material.set(now)));
	material.set(followed.value);
	return {
		leads,
		material,
		metrics,
		port,
		know: (...known) => {
			const all = objects(...known);
			preview.keep(all, buildMesh(all));
			injection.keep(all);
		},
		[Symbol.asyncDispose]: () => stops[Symbol.asyncDispose](),
	};
}
