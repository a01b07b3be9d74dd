import { parse } from "yaml";
import type { ApiClient } from "../test/testkit/kube-cluster.ts";
import type { StreamPlan } from "./load-messages.ts";
import {
	type MeshSize,
	manifestsOf,
	namespacesOf,
	workloadOf,
} from "./mesh-files.ts";

/** How many requests are on their way at once. */
const parallel = 16;

const paths: Readonly<Record<string, (namespace: string) => string>> = {
	EndpointSlice: (ns) =>
		`/apis/discovery.k8s.io/v1/namespaces/${ns}/endpointslices`,
	Pod: (ns) => `/api/v1/namespaces/${ns}/pods`,
	RouteRule: ruleCollection,
	Service: (ns) => `/api/v1/namespaces/${ns}/services`,
	ServiceAccount: (ns) => `/api/v1/namespaces/${ns}/serviceaccounts`,
};

interface Manifest {
	readonly kind: string;
	readonly metadata: { readonly name: string; readonly namespace: string };
	readonly spec?: object;
	readonly endpoints?: readonly object[];
}

/** Where the RouteRules of a namespace are. */
export function ruleCollection(namespace: string): string {
	return `/apis/lateen.dev/v1alpha1/namespaces/${namespace}/routerules`;
}

/** A merge patch of the RouteRule of a service after which Envoy's configuration holds `marker`. */
export function rulePatch(
	index: number,
	marker: string,
): { readonly path: string; readonly patch: object; readonly rule: string } {
	const [namespace = "", name = ""] = serviceOf(index);
	return {
		path: `${ruleCollection(namespace)}/${name}`,
		patch: { spec: { headers: { response: { set: { "x-round": marker } } } } },
		rule: `${namespace}/${name}`,
	};
}

/** A merge patch of the EndpointSlice of a service that moves its second endpoint to `address`. */
export function endpointsPatch(
	index: number,
	address: string,
): { readonly path: string; readonly patch: object } {
	const [namespace = "", name = ""] = serviceOf(index);
	const slice = manifestsOf(index, { services: 0, rules: 0 })
		.map((text): Manifest => parse(text))
		.find(({ kind }) => kind === "EndpointSlice");
	const [first, second] = slice?.endpoints ?? [];
	return {
		path: `${paths["EndpointSlice"]?.(namespace)}/${name}-abcde`,
		patch: { endpoints: [first, { ...second, addresses: [address] }] },
	};
}

/** Namespace and name of a service. */
function serviceOf(index: number): readonly string[] {
	return workloadOf(index).replace(/-v1$/, "").split("/");
}

/** Writes a mesh into a cluster, with ServiceAccounts for its workloads. */
export async function createMesh(
	client: ApiClient,
	size: MeshSize,
): Promise<void> {
	for (const name of ["lateen-system", ...namespacesOf()]) {
		await create(client, "/api/v1/namespaces", {
			apiVersion: "v1",
			kind: "Namespace",
			metadata: { name },
		});
	}
	const manifests = Array.from({ length: size.services }, (_, index) =>
		manifestsOf(index, size),
	).flat();
	await inParallel(manifests, async (text) => {
		const manifest: Manifest = parse(text);
		const { kind, metadata } = manifest;
		const path = paths[kind]?.(metadata.namespace);
		if (path === undefined) throw new Error(`No path is known of ${kind}.`);
		await create(client, path, asCreated(manifest));
		if (kind !== "Service") return;
		await create(client, paths["ServiceAccount"]?.(metadata.namespace) ?? "", {
			apiVersion: "v1",
			kind: "ServiceAccount",
			metadata,
		});
	});
}

/** Writes so many Pods that belong to no Service. */
export async function createPods(
	client: ApiClient,
	count: number,
): Promise<void> {
	const namespaces = namespacesOf();
	const indexes = Array.from({ length: count }, (_, index) => index);
	await inParallel(indexes, async (index) => {
		const namespace = namespaces[index % namespaces.length] ?? "default";
		const app = `job-${index % 500}`;
		await create(client, `/api/v1/namespaces/${namespace}/pods`, {
			apiVersion: "v1",
			kind: "Pod",
			metadata: {
				name: `${app}-${index}`,
				labels: {
					app,
					version: `v${index % 3}`,
					"pod-template-hash": "6d4b75",
				},
				annotations: { "example.com/notes": "n".repeat(500) },
			},
			spec: { serviceAccountName: app, containers: [container(app)] },
		});
	});
}

/** The streams of the first pods of the first services, with the tokens of these pods. */
export async function plansOf(
	client: ApiClient,
	count: number,
): Promise<readonly StreamPlan[]> {
	const plans: StreamPlan[] = [];
	for (let index = 0; index < count; index++) {
		const workload = workloadOf(index);
		const [namespace = "", pod = ""] = workload.split("/");
		const accounts = paths["ServiceAccount"]?.(namespace) ?? "";
		const path = `${accounts}/${pod.replace(/-v1$/, "")}/token`;
		const { body } = await expectOk(client, "POST", path, {
			apiVersion: "authentication.k8s.io/v1",
			kind: "TokenRequest",
			spec: {
				audiences: ["lateen.dev"],
				expirationSeconds: 7_200,
				boundObjectRef: { apiVersion: "v1", kind: "Pod", name: pod },
			},
		});
		const { status } = body as { readonly status: { readonly token: string } };
		plans.push({ workload, token: status.token });
	}
	return plans;
}

/** One request that must succeed. */
export async function expectOk(
	client: ApiClient,
	method: string,
	path: string,
	body?: object,
	headers?: Readonly<Record<string, string>>,
): Promise<{ readonly body: unknown }> {
	const answer = await client.ask(method, path, body, headers);
	if (answer.status < 300) return answer;
	throw new Error(
		`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 500)}`,
	);
}

async function create(
	client: ApiClient,
	path: string,
	object: object,
): Promise<void> {
	await expectOk(client, "POST", path, object);
}

/** What an API server gives away itself is left to it, and what it insists on is added. */
function asCreated(manifest: Manifest): object {
	switch (manifest.kind) {
		case "Service":
			return {
				...manifest,
				spec: { ...manifest.spec, clusterIP: undefined, clusterIPs: undefined },
			};
		case "Pod":
			return {
				...manifest,
				spec: { ...manifest.spec, containers: [container("app")] },
				status: undefined,
			};
		default:
			return manifest;
	}
}

function container(name: string): object {
	return { name, image: `registry.example.com/${name}:1.0.0` };
}

async function inParallel<T>(
	items: readonly T[],
	act: (item: T) => Promise<void>,
): Promise<void> {
	const waiting = items.values();
	await Promise.all(
		Array.from({ length: parallel }, async () => {
			for (const item of waiting) await act(item);
		}),
	);
}
