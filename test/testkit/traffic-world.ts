import { dirname, join } from "node:path";
import { build } from "esbuild";
import { runLateen } from "../cli/run-lateen.ts";
import { apiCertificate } from "./certificates.ts";
import { type KindCluster, sharedKindCluster } from "./kind-cluster.ts";
import { installLateen, LATEEN_IMAGE } from "./kind-mesh.ts";
import { KindNamespace } from "./kind-namespace.ts";
import { listOf, serviceObject } from "./kind-objects.ts";
import { kubectl } from "./kube-cluster.ts";
import type { Answer, Said, Talk } from "./traffic-app.ts";
import type { Calls } from "./traffic-grpc.ts";

/** The server name in the certificate of all pods that `traffic-app.ts` serves in. */
export const TLS_NAME = "api.example.com";

/** Where the pods have it. */
const PROGRAM = "/app/traffic-app.mjs";

/** What came of something that was tried in a pod, or the code of the error. */
export type Outcome<T> = T | { readonly error: string };

/**
 * Pods that try every kind of traffic:
 *
 *   meshed   pod `client`, and pod `server` behind a Service for each kind of port:
 *            `server` (HTTP), `grpc`, `greets` and `echoes` (TCP), `tls`, and `any` (ports without a protocol, for each of these)
 *   plain    pods `client` and `outside` without proxies and without a Service: addresses that the mesh does not know
 */
export class TrafficWorld implements AsyncDisposable {
	readonly cluster: KindCluster;
	readonly meshed: KindNamespace;
	readonly plain: KindNamespace;
	/** The address of the pod `outside`. */
	readonly outside: string;

	private constructor(
		meshed: KindNamespace,
		plain: KindNamespace,
		outside: string,
	) {
		this.cluster = meshed.cluster;
		this.meshed = meshed;
		this.plain = plain;
		this.outside = outside;
	}

	/** Sets it up in the cluster that the files of a test run share, and waits until all pods are ready. */
	static async start(): Promise<TrafficWorld> {
		const cluster = await sharedKindCluster();
		await installLateen(cluster);
		const meshed = await KindNamespace.make(cluster, "meshed");
		const plain = await KindNamespace.make(cluster, "plain");
		for (const namespace of [meshed, plain]) await prepare(namespace);
		const ports = (...list: readonly object[]): object => ({ ports: list });
		await meshed.apply(
			serviceObject("server"),
			serviceObject("grpc", "server", ports({ name: "grpc", port: 7000 })),
			serviceObject("greets", "server", ports({ name: "tcp", port: 9000 })),
			serviceObject("echoes", "server", ports({ name: "tcp", port: 9001 })),
			serviceObject("tls", "server", ports({ name: "tls", port: 8443 })),
			serviceObject(
				...["any", "server"],
				ports(
					{ name: "one", port: 5001, targetPort: 8080 },
					{ name: "two", port: 5002, targetPort: 7000 },
					{ name: "three", port: 5003, targetPort: 9000 },
					{ name: "four", port: 5004, targetPort: 9001 },
					{ name: "five", port: 5005, targetPort: 8443 },
				),
			),
			trafficPod("client"),
			trafficPod("server"),
		);
		await plain.apply(trafficPod("client"), trafficPod("outside"));
		await meshed.ready("pod/client", "pod/server");
		await plain.ready("pod/client", "pod/outside");
		const outside = await plain.kubectl(
			...["get", "pod", "outside", "-o", "jsonpath={.status.podIP}"],
		);
		return new TrafficWorld(meshed, plain, outside);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.meshed[Symbol.asyncDispose]();
		await this.plain[Symbol.asyncDispose]();
	}
}

/** What a pod gets when it asks by HTTP. */
export async function http(
	namespace: KindNamespace,
	pod: string,
	url: string,
	...headers: readonly string[]
): Promise<Outcome<Answer>> {
	return await attempt(namespace, pod, "http", url, ...headers);
}

/** What a pod gets when it asks by TLS for a server name. */
export async function tls(
	namespace: KindNamespace,
	pod: string,
	host: string,
	port: number,
	serverName = TLS_NAME,
): Promise<Outcome<Answer>> {
	return await attempt(namespace, pod, "tls", host, String(port), serverName);
}

/** What a server says to a pod, first or when it has said something. */
export async function tcp(
	namespace: KindNamespace,
	pod: string,
	host: string,
	port: number,
	...text: readonly string[]
): Promise<Outcome<Said>> {
	return await attempt(namespace, pod, "tcp", host, String(port), ...text);
}

/** What a WebSocket says to a pod, at once and after a time in which nobody said anything. */
export async function websocket(
	namespace: KindNamespace,
	pod: string,
	url: string,
	idleMs: number,
): Promise<Outcome<Talk>> {
	return await attempt(namespace, pod, "websocket", url, String(idleMs));
}

/** What gRPC's own library gets in a pod. */
export async function grpc(
	namespace: KindNamespace,
	pod: string,
	address: string,
): Promise<Outcome<Calls>> {
	return await attempt(namespace, pod, "grpc", address);
}

async function attempt<T>(
	namespace: KindNamespace,
	pod: string,
	...args: readonly string[]
): Promise<Outcome<T>> {
	const said = await namespace.kubectl(
		...["exec", pod, "-c", "app", "--"],
		...["/usr/bin/node", PROGRAM, ...args],
	);
	return JSON.parse(said) as Outcome<T>;
}

/** How a pod differs from others. */
export interface PodFields {
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	/** Volumes are added; else these fields are the pod's. */
	readonly spec?: Readonly<Record<string, unknown>>;
	/** Fields of the container `app`. */
	readonly container?: Readonly<Record<string, unknown>>;
}

/** A pod that runs `traffic-app.ts`, with the label `app`. */
export function trafficPod(name: string, fields: PodFields = {}): object {
	const { labels, annotations, spec, container } = fields;
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, labels: { app: name, ...labels }, annotations },
		spec: trafficPodSpec(spec, container),
	};
}

/** What such a pod is. */
export function trafficPodSpec(
	{ volumes, ...spec }: PodFields["spec"] = {},
	container: PodFields["container"] = {},
): object {
	return {
		terminationGracePeriodSeconds: 5,
		containers: [
			{
				...trafficContainer("app", "serve"),
				readinessProbe: {
					httpGet: { path: "/", port: 8080 },
					periodSeconds: 1,
				},
				...container,
			},
		],
		volumes: [
			{ name: "app", configMap: { name: "traffic-app" } },
			{ name: "certificate", secret: { secretName: "certificate" } },
			...(Array.isArray(volumes) ? volumes : []),
		],
		...spec,
	};
}

/** A container of such a pod that runs `traffic-app.ts` with arguments. */
export function trafficContainer(
	name: string,
	...args: readonly string[]
): object {
	return {
		name,
		image: LATEEN_IMAGE,
		imagePullPolicy: "Never",
		command: ["/usr/bin/node", PROGRAM, ...args],
		volumeMounts: [
			{ name: "app", mountPath: dirname(PROGRAM) },
			{ name: "certificate", mountPath: "/certificate" },
		],
	};
}

/** What `lateen check` says, whether all is well or not. */
export async function checkInstallation(
	cluster: KindCluster,
): Promise<readonly { readonly about: string; readonly message: string }[]> {
	const { out } = await runLateen([
		...["check", "-o", "json", "--kubeconfig", cluster.kubeconfig],
	]);
	return JSON.parse(out).findings;
}

/** Gives a namespace the program and a certificate. */
async function prepare(namespace: KindNamespace): Promise<void> {
	const { cert, key } = apiCertificate();
	const objects = [
		{
			apiVersion: "v1",
			kind: "ConfigMap",
			metadata: { name: "traffic-app" },
			data: { "traffic-app.mjs": await bundle() },
		},
		{
			apiVersion: "v1",
			kind: "Secret",
			type: "kubernetes.io/tls",
			metadata: { name: "certificate" },
			stringData: { "tls.crt": cert, "tls.key": key },
		},
	];
	// Too large for the annotation that `kubectl apply` leaves.
	await kubectl(
		namespace.cluster,
		["--namespace", namespace.name, "create", "-f", "-"],
		listOf(objects),
	);
}

/** One file, since the image has Node.js but no packages. */
async function bundle(): Promise<string> {
	const { outputFiles } = await build({
		entryPoints: [join(import.meta.dirname, "traffic-app.ts")],
		bundle: true,
		minify: true,
		platform: "node",
		format: "esm",
		target: "node24",
		write: false,
		banner: {
			// What gRPC's library still asks for.
			js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
		},
	});
	return outputFiles[0]?.text ?? "";
}
