import { mkdir, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Port of every service. */
export const servicePort = 9080;

const namespaces = 20;

/** How large the mesh is that is written. */
export interface MeshSize {
	readonly services: number;
	/** RouteRules; the first services have one each. */
	readonly rules: number;
}

/** The workload of the first endpoint of a service: `namespace/name`. */
export function workloadOf(index: number): string {
	return `${namespaceOf(index)}/${nameOf(index)}-v1`;
}

/** Writes a mesh, one object or one service's Pods per file, as people keep them. */
export async function writeMesh(root: string, size: MeshSize): Promise<void> {
	for (const kind of ["services", "endpoints", "pods", "rules"]) {
		for (let i = 0; i < namespaces; i++)
			await mkdir(join(root, kind, namespaceOf(i)), { recursive: true });
	}
	for (let i = 0; i < size.services; i++) {
		await writeFile(fileOf(root, "services", i), printService(i));
		await writeFile(fileOf(root, "endpoints", i), printEndpoints(i, undefined));
		await writeFile(fileOf(root, "pods", i), printPods(i));
		if (i < size.rules)
			await writeFile(fileOf(root, "rules", i), printRule(i, "first"));
	}
}

/** Everything about one service, one YAML text for each kind; with a RouteRule if it has one. */
export function manifestsOf(index: number, size: MeshSize): readonly string[] {
	return [
		printService(index),
		printEndpoints(index, undefined),
		...printPods(index).split("---\n"),
		...(index < size.rules ? [printRule(index, "first")] : []),
	];
}

/** Names of all namespaces. */
export function namespacesOf(): readonly string[] {
	return Array.from({ length: namespaces }, (_, index) => namespaceOf(index));
}

/** Replaces the rule of a service in one step. Envoy's configuration holds `marker` then. Answers when the file was about to be in place. */
export async function changeRule(
	root: string,
	index: number,
	marker: string,
): Promise<number> {
	return replace(fileOf(root, "rules", index), printRule(index, marker));
}

/** Replaces one of the two endpoints of a service. Answers as `changeRule` does. */
export async function changeEndpoint(
	root: string,
	index: number,
	address: string,
): Promise<number> {
	return replace(
		fileOf(root, "endpoints", index),
		printEndpoints(index, address),
	);
}

/** Milliseconds of the system's monotonic clock, which all processes share. */
export function systemMs(): number {
	return Number(process.hrtime.bigint()) / 1e6;
}

async function replace(path: string, text: string): Promise<number> {
	const draft = join(dirname(path), `.${basename(path)}.draft`);
	await writeFile(draft, text);
	const startedMs = systemMs();
	await rename(draft, path);
	return startedMs;
}

function namespaceOf(index: number): string {
	return `team-${index % namespaces}`;
}

function nameOf(index: number): string {
	return `service-${index}`;
}

function fileOf(root: string, kind: string, index: number): string {
	return join(root, kind, namespaceOf(index), `${nameOf(index)}.yaml`);
}

function addressOf(index: number, endpoint: number): string {
	return `10.${endpoint}.${index >> 8}.${index & 255}`;
}

function printService(index: number): string {
	const name = nameOf(index);
	return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespaceOf(index)}}
spec:
  clusterIP: 10.96.${index >> 8}.${index & 255}
  clusterIPs: [10.96.${index >> 8}.${index & 255}]
  selector: {app: ${name}}
  ports:
    - {name: http, port: ${servicePort}}
`;
}

function printEndpoints(index: number, second: string | undefined): string {
	const name = nameOf(index);
	const namespace = namespaceOf(index);
	return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${name}-abcde
  namespace: ${namespace}
  labels: {kubernetes.io/service-name: ${name}}
addressType: IPv4
ports:
  - {name: http, port: ${servicePort}, protocol: TCP}
endpoints:
  - addresses: [${addressOf(index, 1)}]
    conditions: {ready: true, serving: true, terminating: false}
    targetRef: {kind: Pod, name: ${name}-v1, namespace: ${namespace}}
    zone: zone-a
  - addresses: [${second ?? addressOf(index, 2)}]
    conditions: {ready: true, serving: true, terminating: false}
    targetRef: {kind: Pod, name: ${name}-v2, namespace: ${namespace}}
    zone: zone-b
`;
}

function printPods(index: number): string {
	return [1, 2]
		.map(
			(version) => `apiVersion: v1
kind: Pod
metadata:
  name: ${nameOf(index)}-v${version}
  namespace: ${namespaceOf(index)}
  labels: {app: ${nameOf(index)}, version: v${version}}
spec:
  serviceAccountName: ${nameOf(index)}
status:
  podIPs: [{ip: ${addressOf(index, version)}}]
`,
		)
		.join("---\n");
}

function printRule(index: number, marker: string): string {
	return `apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata:
  name: ${nameOf(index)}
  namespace: ${namespaceOf(index)}
spec:
  destination: {name: ${nameOf(index)}}
  match:
    - headers: {end-user: {exact: jason}}
    - path: {prefix: /}
  route:
    - {labels: {version: v1}, weight: 75}
    - {labels: {version: v2}, weight: 25}
  timeout: 3s
  retries: {attempts: 2}
  headers:
    response: {set: {x-round: ${marker}}}
`;
}
