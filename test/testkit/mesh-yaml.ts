/** One YAML document of an object. */
function object(
	apiVersion: string,
	kind: string,
	metadata: object,
	rest: object,
): string {
	return `${JSON.stringify({ apiVersion, kind, metadata, ...rest })}\n---\n`;
}

/** A port of a Service. */
export interface YamlPort {
	readonly name: string;
	readonly port: number;
	readonly appProtocol?: string;
}

const httpPort: YamlPort = { name: "http", port: 80 };

/** A Service that selects `app: <name>`; plain HTTP on port 80 unless told otherwise. */
export function serviceYaml(
	name: string,
	ports: readonly YamlPort[] = [httpPort],
	namespace = "default",
): string {
	return object(
		"v1",
		"Service",
		{ name, namespace },
		{ spec: { selector: { app: name }, ports } },
	);
}

/** A RouteRule; `spec` is what its author writes. */
export function ruleYaml(
	name: string,
	spec: object,
	namespace = "default",
): string {
	return object(
		"lateen.dev/v1alpha1",
		"RouteRule",
		{ name, namespace },
		{ spec },
	);
}

/** An ExternalService. */
export function externalYaml(name: string, spec: object): string {
	return object(
		"lateen.dev/v1alpha1",
		"ExternalService",
		{ name, namespace: "default" },
		{ spec },
	);
}

/** The Mesh object. */
export function meshYaml(spec: object): string {
	return object("lateen.dev/v1alpha1", "Mesh", { name: "default" }, { spec });
}

/** A workload of a test and where it listens. */
export interface YamlWorkload {
	readonly name: string;
	readonly service: string;
	readonly namespace?: string;
	readonly labels?: Readonly<Record<string, string>>;
	/** Ports on loopback, by the name of the Service's port. */
	readonly ports: Readonly<Record<string, number>>;
	readonly conditions?: object;
}

/** The Pod of a workload, without an address: its EndpointSlice knows that. */
export function podYaml(
	workload: Pick<YamlWorkload, "name" | "service" | "namespace" | "labels">,
): string {
	const { name, service, namespace = "default", labels = {} } = workload;
	return object(
		"v1",
		"Pod",
		{ name, namespace, labels: { app: service, ...labels } },
		{ spec: { serviceAccountName: service, containers: [{ name: "app" }] } },
	);
}

/** Pod and EndpointSlice of a workload that listens on loopback. */
export function workloadYaml(workload: YamlWorkload): string {
	const { name, service, namespace = "default", ports } = workload;
	return (
		podYaml(workload) +
		object(
			"discovery.k8s.io/v1",
			"EndpointSlice",
			{ name, namespace, labels: { "kubernetes.io/service-name": service } },
			{
				addressType: "IPv4",
				ports: Object.entries(ports).map(([port, number]) => ({
					name: port,
					port: number,
				})),
				endpoints: [
					{
						addresses: ["127.0.0.1"],
						targetRef: { kind: "Pod", name, namespace },
						...(workload.conditions && { conditions: workload.conditions }),
					},
				],
			},
		)
	);
}
