/*
 * Objects for tests. Each builder fills in what is required and the defaults of
 * the schema, and nothing else. A name is `name` (namespace `default`) or
 * `namespace/name`.
 */

import type * as core from "../../src/api/core.ts";
import { defaultMesh } from "../../src/api/default-mesh.ts";
import type { ExternalService } from "../../src/api/external-service.ts";
import type { Mesh } from "../../src/api/mesh.ts";
import type { Metadata } from "../../src/api/metadata.ts";
import { objectKey } from "../../src/api/object-ref.ts";
import type { ApiObject, Objects } from "../../src/api/objects.ts";
import type * as rr from "../../src/api/route-rule.ts";

/** Fields of `metadata` other than the name. */
export type MetadataFields = Partial<Omit<Metadata, "name" | "namespace">>;

/** A type with some required fields made optional. */
type Loose<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;

/** The spec of a RouteRule before defaults; the destination is the Service of the rule's own name when absent. */
export type RouteRuleFields = Omit<
	Partial<rr.RouteRuleSpec>,
	"route" | "retries" | "mirror" | "fault" | "match" | "redirect" | "cors"
> & {
	readonly route?: readonly Loose<rr.RouteTarget, "weight">[];
	readonly retries?: Loose<
		Omit<rr.Retries, "budget">,
		"attempts" | "on" | "retryOtherHosts"
	> & {
		readonly budget?: Partial<rr.RetryBudget>;
	};
	readonly mirror?: readonly Loose<rr.Mirror, "percent">[];
	readonly fault?: FaultFields;
	readonly match?: readonly (Omit<rr.RouteMatch, "fault"> & {
		readonly fault?: FaultFields;
	})[];
	readonly redirect?: Loose<rr.Redirect, "code">;
	readonly cors?: Loose<rr.Cors, "credentials">;
};

/** Faults before defaults. */
export type FaultFields = {
	readonly delay?: Loose<rr.FaultDelay, "percent">;
	readonly abort?: Loose<rr.FaultAbort, "percent">;
};

/** A RouteRule. */
export function routeRule(
	name: string,
	fields: RouteRuleFields = {},
	metadata: MetadataFields = {},
): rr.RouteRule {
	const { route, retries, mirror, fault, match, redirect, cors, ...rest } =
		fields;
	const own = metadataOf(name, metadata);
	return {
		kind: "RouteRule",
		metadata: own,
		spec: {
			destination: { name: own.name },
			precedence: 0,
			...rest,
			...(route && { route: route.map((t) => ({ weight: 1, ...t })) }),
			...(retries && { retries: retriesOf(retries) }),
			...(mirror && { mirror: mirror.map((m) => ({ percent: 100, ...m })) }),
			...(fault && { fault: faultOf(fault) }),
			...(match && {
				match: match.map(({ fault: own, ...conditions }) => ({
					...conditions,
					...(own && { fault: faultOf(own) }),
				})),
			}),
			...(redirect && { redirect: { code: 302, ...redirect } }),
			...(cors && { cors: { credentials: false, ...cors } }),
		},
	};
}

/** Fields of a Service; `ports` are port numbers or whole ports. */
export interface ServiceFields
	extends Partial<Omit<core.Service["spec"], "ports">> {
	readonly ports?: readonly (number | PortFields)[];
}

/** A port of a Service; the target port is the port itself when absent. */
export type PortFields = Loose<
	core.ServicePort,
	"name" | "protocol" | "targetPort"
>;

/** A Service, of type ClusterIP, with port 9080 named `http` and the selector `app: <name>` unless told otherwise. */
export function service(
	name: string,
	fields: ServiceFields = {},
	metadata: MetadataFields = {},
): core.Service {
	const own = metadataOf(name, metadata);
	const { ports = [{ port: 9080, name: "http" }], ...rest } = fields;
	return {
		kind: "Service",
		metadata: own,
		spec: {
			type: "ClusterIP",
			clusterIPs: [],
			headless: false,
			selector: { app: own.name },
			...rest,
			ports: ports.map((port) =>
				typeof port === "number"
					? { name: "", port, protocol: "TCP", targetPort: port }
					: { name: "", protocol: "TCP", targetPort: port.port, ...port },
			),
		},
	};
}

/** Fields of an EndpointSlice; endpoints are addresses or whole endpoints. */
export interface EndpointSliceFields
	extends Partial<Pick<core.EndpointSlice, "serviceName" | "addressType">> {
	readonly ports?: readonly Loose<
		core.EndpointSlice["ports"][number],
		"name" | "protocol"
	>[];
	readonly endpoints?: readonly (string | SliceEndpointFields)[];
}

/** An endpoint of a slice; ready unless told otherwise. */
export type SliceEndpointFields = Loose<
	core.SliceEndpoint,
	"ready" | "serving" | "terminating"
>;

/** An EndpointSlice of the Service of the same name, with port 9080 named `http` unless told otherwise. */
export function endpointSlice(
	name: string,
	fields: EndpointSliceFields = {},
	metadata: MetadataFields = {},
): core.EndpointSlice {
	const own = metadataOf(name, metadata);
	const {
		ports = [{ name: "http", port: 9080 }],
		endpoints = [],
		...rest
	} = fields;
	return {
		kind: "EndpointSlice",
		metadata: own,
		serviceName: own.name,
		addressType: "IPv4",
		...rest,
		ports: ports.map((port) => ({ name: "", protocol: "TCP", ...port })),
		endpoints: endpoints.map((endpoint) => ({
			ready: true,
			serving: true,
			terminating: false,
			...(typeof endpoint === "string" ? { addresses: [endpoint] } : endpoint),
		})),
	};
}

/** A Pod with the ServiceAccount `default` unless told otherwise. */
export function pod(
	name: string,
	fields: Partial<Omit<core.Pod, "kind" | "metadata">> = {},
	metadata: MetadataFields = {},
): core.Pod {
	return {
		kind: "Pod",
		metadata: metadataOf(name, metadata),
		ips: [],
		terminating: false,
		serviceAccount: "default",
		ports: [],
		...fields,
	};
}

/** A Node in a region and zone. */
export function node(name: string, region: string, zone: string): core.Node {
	return {
		kind: "Node",
		metadata: clusterMetadata(name, {
			labels: {
				"topology.kubernetes.io/region": region,
				"topology.kubernetes.io/zone": zone,
			},
		}),
	};
}

/** Fields of an ExternalService before defaults. */
export interface ExternalServiceFields
	extends Partial<Omit<ExternalService["spec"], "ports" | "endpoints">> {
	readonly ports?: readonly Loose<
		ExternalService["spec"]["ports"][number],
		"protocol"
	>[];
	readonly endpoints?: readonly Loose<
		NonNullable<ExternalService["spec"]["endpoints"]>[number],
		"weight"
	>[];
}

/** An ExternalService with the host `<name>.example.com` and port 80 that speaks HTTP unless told otherwise. */
export function externalService(
	name: string,
	fields: ExternalServiceFields = {},
	metadata: MetadataFields = {},
): ExternalService {
	const own = metadataOf(name, metadata);
	const {
		ports = [{ number: 80, name: "http", protocol: "HTTP" }],
		endpoints,
		...rest
	} = fields;
	return {
		kind: "ExternalService",
		metadata: own,
		spec: {
			hosts: [`${own.name}.example.com`],
			resolution: "None",
			...rest,
			ports: ports.map((port) => ({ protocol: "TCP", ...port })),
			...(endpoints && {
				endpoints: endpoints.map((endpoint) => ({ weight: 1, ...endpoint })),
			}),
		},
	};
}

/** The Mesh object, named `default` unless told otherwise. */
export function mesh(
	fields: Partial<Mesh["spec"]> = {},
	name = "default",
): Mesh {
	return {
		kind: "Mesh",
		metadata: clusterMetadata(name, {}),
		spec: {
			trustDomain: "cluster.local",
			clusterDomain: "cluster.local",
			rootNamespace: "lateen-system",
			outboundTraffic: "AllowAny",
			injection: defaultMesh().injection,
			...fields,
		},
	};
}

/** All these objects, by kind and key. */
export function objects(...list: readonly ApiObject[]): Objects {
	const of = <K extends ApiObject["kind"]>(
		kind: K,
	): ReadonlyMap<string, Extract<ApiObject, { kind: K }>> =>
		new Map(
			list
				.filter(
					(object): object is Extract<ApiObject, { kind: K }> =>
						object.kind === kind,
				)
				.map((object) => [objectKey(object.metadata), object]),
		);
	return {
		EndpointSlice: of("EndpointSlice"),
		ExternalService: of("ExternalService"),
		Mesh: of("Mesh"),
		Namespace: of("Namespace"),
		Node: of("Node"),
		Pod: of("Pod"),
		RouteRule: of("RouteRule"),
		Service: of("Service"),
		ServiceAccount: of("ServiceAccount"),
	};
}

function metadataOf(name: string, fields: MetadataFields): Metadata {
	const slash = name.indexOf("/");
	return {
		namespace: slash === -1 ? "default" : name.slice(0, slash),
		name: name.slice(slash + 1),
		labels: {},
		annotations: {},
		generation: 1,
		createdMs: 0,
		...fields,
	};
}

function clusterMetadata(name: string, fields: MetadataFields): Metadata {
	return { ...metadataOf(name, fields), namespace: "" };
}

function faultOf({ delay, abort }: FaultFields): rr.Fault {
	return {
		...(delay && { delay: { percent: 100, ...delay } }),
		...(abort && { abort: { percent: 100, ...abort } }),
	};
}

function retriesOf({
	budget,
	...retries
}: NonNullable<RouteRuleFields["retries"]>): rr.Retries {
	return {
		attempts: 2,
		on: [
			"connect-failure",
			"refused-stream",
			"reset-before-request",
			"unavailable",
		],
		retryOtherHosts: true,
		...retries,
		...(budget && { budget: { percent: 20, minConcurrency: 3, ...budget } }),
	};
}
