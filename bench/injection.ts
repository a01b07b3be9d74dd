import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { KnownInjection } from "../src/app/cluster/webhooks/known-injection.ts";
import { PreviewedMesh } from "../src/app/cluster/webhooks/previewed-mesh.ts";
import { serveWebhook } from "../src/app/serve-webhook.ts";
import { WritableSignal } from "../src/lib/signal.ts";
import { systemClock } from "../src/lib/system-clock.ts";
import { buildMesh } from "../src/mesh/build.ts";
import { silentLogger } from "../src/observability/logger.ts";
import { MetricsRegistry } from "../src/observability/metrics.ts";
import { testAuthority } from "../test/testkit/authority.ts";
import { endpointSlice, objects, service } from "../test/testkit/objects.ts";
import type { InjectionLoad } from "./injection-load.ts";

/** Whole round trips over TLS, in milliseconds. */
export interface InjectionCost {
	/** One pod after the other. */
	readonly aloneMs: readonly number[];
	/** Eight pods at a time, as when a Deployment is made larger. */
	readonly togetherMs: readonly number[];
}

/** Measures the answers for pods with probes while the mesh has this many services. */
export async function measureInjection(
	services: number,
	pods: number,
): Promise<InjectionCost> {
	const names = Array.from({ length: services }, (_, index) => `s${index}`);
	const known = objects(
		...names.flatMap((name) => [
			service(name),
			endpointSlice(name, { endpoints: ["10.0.0.1", "10.0.0.2"] }),
		]),
	);
	const preview = new PreviewedMesh();
	preview.keep(known, buildMesh(known));
	const injection = new KnownInjection("lateen-system", "lateen-proxy", () => ({
		nativeSidecars: true,
		sleepHooks: true,
	}));
	injection.keep(known);
	const authority = testAuthority();
	await using server = await serveWebhook({
		listen: { host: "127.0.0.1", port: 0 },
		material: new WritableSignal(authority.issue()),
		preview,
		contexts: injection.contexts,
		clock: systemClock,
		logger: silentLogger,
		metrics: new MetricsRegistry(),
	});
	const { address } = server;
	if (!("port" in address)) throw new Error("It is not a TCP address.");
	const load = { port: address.port, ca: authority.ca, body, warmUps: 500 };
	return {
		aloneMs: await ask({ ...load, pods, atOnce: 1 }),
		togetherMs: await ask({ ...load, pods, atOnce: 8 }),
	};
}

async function ask(load: InjectionLoad): Promise<readonly number[]> {
	const url = new URL("injection-load.ts", import.meta.url);
	const worker = new Worker(url, { workerData: load });
	// A thread that ends at once has its last message delivered in the turn of its end.
	const [[took]] = await Promise.all([
		once(worker, "message") as Promise<[readonly number[]]>,
		once(worker, "exit"),
	]);
	return took;
}

/** A pod as a ReplicaSet makes it. */
const body = JSON.stringify({
	apiVersion: "admission.k8s.io/v1",
	kind: "AdmissionReview",
	request: {
		uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
		operation: "CREATE",
		namespace: "shop",
		object: {
			apiVersion: "v1",
			kind: "Pod",
			metadata: {
				generateName: "web-7d4b9c8f6-",
				labels: { app: "web", version: "v1", "pod-template-hash": "7d4b9c8f6" },
			},
			spec: {
				serviceAccountName: "default",
				containers: ["web", "agent"].map((name, index) => ({
					name,
					image: `registry.example.com/${name}:1.0.0`,
					ports: [{ name: "http", containerPort: 8080 + index }],
					env: Array.from({ length: 20 }, (_, at) => ({
						name: `VARIABLE_${at}`,
						value: `value ${at}`,
					})),
					livenessProbe: { httpGet: { path: "/live", port: "http" } },
					readinessProbe: { tcpSocket: { port: "http" }, periodSeconds: 5 },
					resources: { limits: { memory: "256Mi" } },
				})),
				volumes: [{ name: "scratch", emptyDir: {} }],
			},
		},
	},
});
