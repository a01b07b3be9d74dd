/** One process of the sample with its sidecar. */
export interface Workload {
	/** Name of its Pod. */
	readonly name: string;
	/** Name of its Service and of its program in `samples/bookinfo/apps`. */
	readonly app: string;
	readonly version: string;
}

/** Where the parts of a workload listen, all on 127.0.0.1. */
export interface WorkloadPorts {
	/** The program itself; only its sidecar calls it. */
	readonly application: number;
	/** The sidecar, in front of the program. */
	readonly inbound: number;
	/** The sidecar, as forward proxy for the program's own calls. */
	readonly outbound: number;
}

/** How many ports a workload needs. */
export const PORTS_PER_WORKLOAD = 3;

/** What the demo runs. */
export const WORKLOADS: readonly Workload[] = [
	workload("details", "v1"),
	workload("ratings", "v1"),
	workload("reviews", "v1"),
	workload("reviews", "v2"),
	workload("reviews", "v3"),
	workload("productpage", "v1"),
];

function workload(app: string, version: string): Workload {
	return { name: `${app}-${version}`, app, version };
}

/**
 * The objects that Kubernetes would make: the Pod, and the EndpointSlice that
 * says where to call it. The slice names the port of the sidecar, because all
 * pods share one address.
 */
export function printWorkloadObjects(
	{ name, app, version }: Workload,
	ports: WorkloadPorts,
	address = "127.0.0.1",
): string {
	return `# Written by npm run demo: where this run's ${name} is.
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: default
  labels: {app: ${app}, version: ${version}}
spec:
  serviceAccountName: bookinfo-${app}
  containers:
    - name: ${app}
      image: bookinfo-${app}
      ports: [{name: http, containerPort: ${ports.application}}]
status:
  podIP: ${address}
  podIPs: [{ip: ${address}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${name}
  namespace: default
  labels: {kubernetes.io/service-name: ${app}}
addressType: IPv4
ports: [{name: http, port: ${ports.inbound}, protocol: TCP}]
endpoints:
  - addresses: [${address}]
    conditions: {ready: true, serving: true, terminating: false}
    targetRef: {kind: Pod, name: ${name}, namespace: default}
`;
}
