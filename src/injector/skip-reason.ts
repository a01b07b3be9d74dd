import type { InjectionContext } from "./context.ts";
import {
	fieldOf,
	type Json,
	numberIn,
	recordIn,
	recordsIn,
	textIn,
} from "./json.ts";
import { names, ports } from "./names.ts";
import type { Steering } from "./steering.ts";

/** Why a pod stays without a proxy. */
export interface Skip {
	readonly reason: SkipReason;
	/** Full sentences: why, and what to do about it. */
	readonly message: string;
}

/** One stable word for each cause. */
export type SkipReason =
	| "OptedOut"
	| "ReservedNamespace"
	| "HostNetwork"
	| "NotLinux"
	| "StaticPod"
	| "NoContainers"
	| "OtherMesh"
	| "NameTaken"
	| "PortTaken"
	| "ProxyUser"
	| "NeverCompletes";

/** Namespaces whose pods Kubernetes itself cannot do without. */
const reservedNamespaces: readonly string[] = [
	"kube-system",
	"kube-public",
	"kube-node-lease",
];

/** Containers by which other meshes are known. */
const foreignContainers: readonly string[] = [
	"istio-proxy",
	"istio-init",
	"istio-validation",
	"linkerd-proxy",
	"linkerd-init",
	"kuma-sidecar",
	"kuma-init",
	"consul-dataplane",
	"consul-connect-envoy-sidecar",
];

/** Labels and annotations that ask another mesh for its proxy, with the values that do. */
const foreignRequests: readonly (readonly [
	key: string,
	values: readonly string[],
])[] = [
	["sidecar.istio.io/inject", ["true"]],
	["linkerd.io/inject", ["enabled", "ingress"]],
	["kuma.io/sidecar-injection", ["enabled", "true"]],
	["consul.hashicorp.com/connect-inject", ["true"]],
];

/** Why a pod is not to be injected, whatever its annotations say; undefined when it can be. */
export function whyNot(
	pod: Json,
	{ namespace, ownNamespace, settings }: InjectionContext,
): Skip | undefined {
	const metadata = recordIn(pod, "metadata");
	const labels = recordIn(metadata, "labels");
	const annotations = recordIn(metadata, "annotations");
	const spec = recordIn(pod, "spec");
	const wish =
		textIn(labels, "lateen.dev/inject") ||
		textIn(annotations, "lateen.dev/inject");
	if (wish === "false")
		return skip("OptedOut", "The pod says lateen.dev/inject: false.");
	if (namespace === ownNamespace || reservedNamespaces.includes(namespace))
		return skip(
			"ReservedNamespace",
			`Pods of the namespace ${namespace} are never injected, because Kubernetes or Lateen itself cannot start without them.`,
		);
	if (fieldOf(spec, "hostNetwork") === true)
		return skip(
			"HostNetwork",
			"The pod is in the network of its node, where its traffic cannot be told from others'. Take hostNetwork away, or call it as a service without a proxy.",
		);
	if (textIn(recordIn(spec, "os"), "name") === "windows")
		return skip("NotLinux", "Traffic is captured on Linux only.");
	if (Object.hasOwn(annotations, "kubernetes.io/config.mirror"))
		return skip(
			"StaticPod",
			"It is a static pod, which its node runs from a file and nobody can change.",
		);
	const containers = recordsIn(spec, "containers");
	if (containers.length === 0)
		return skip("NoContainers", "The pod has no containers.");
	const all = [...recordsIn(spec, "initContainers"), ...containers];
	const foreign =
		all.find((one) => foreignContainers.includes(textIn(one, "name"))) !==
			undefined ||
		foreignRequests.some(([key, values]) =>
			[labels, annotations].some((of) => values.includes(textIn(of, key))),
		);
	if (foreign)
		return skip(
			"OtherMesh",
			"The pod is part of another mesh or asks for it, and two cannot capture the same traffic. Take the labels of one of them away.",
		);
	if (!isInjected(pod)) {
		const taken = namesTakenIn(spec, all);
		if (taken !== undefined)
			return skip(
				"NameTaken",
				`The pod has ${taken} of its own, which is the name of one that would be injected. Give it another name.`,
			);
	}
	const port = portTakenIn(all);
	if (port !== undefined)
		return skip(
			"PortTaken",
			`A container of the pod uses the port ${port}, which the proxy needs. Use another port than ${Object.values(ports).join(", ")}.`,
		);
	const user = settings.proxyUser;
	const contexts = [
		recordIn(spec, "securityContext"),
		...all
			.filter((one) => textIn(one, "name") !== names.proxyContainer)
			.map((one) => recordIn(one, "securityContext")),
	];
	const isProxyUser = contexts.some(
		(one) =>
			numberIn(one, "runAsUser") === user ||
			numberIn(one, "runAsGroup") === user,
	);
	if (isProxyUser)
		return skip(
			"ProxyUser",
			`A container of the pod runs as user or group ${user}, by which the proxy is known, so its traffic would not be captured. Run it as another one, or change spec.injection.proxyUser of the Mesh.`,
		);
	return undefined;
}

/** Why a pod with this steering is not to be injected. */
export function whyNotSo(pod: Json, steering: Steering): Skip | undefined {
	const policy = textIn(recordIn(pod, "spec"), "restartPolicy") || "Always";
	return steering.sidecar === "classic" && policy !== "Always"
		? skip(
				"NeverCompletes",
				"The pod is to end, and would not, because a classic sidecar goes on beside it. Use Kubernetes 1.29 or later, which has native sidecars.",
			)
		: undefined;
}

/** Whether a pod was injected before, by whichever version. */
export function isInjected(pod: Json): boolean {
	const annotations = recordIn(recordIn(pod, "metadata"), "annotations");
	return Object.hasOwn(annotations, names.injectionAnnotation);
}

function namesTakenIn(
	spec: Json,
	containers: readonly Json[],
): string | undefined {
	const container = containers
		.map((one) => textIn(one, "name"))
		.find(
			(name) =>
				name === names.captureContainer || name === names.proxyContainer,
		);
	if (container !== undefined) return `a container ${container}`;
	return recordsIn(spec, "volumes").some(
		(volume) => textIn(volume, "name") === names.volume,
	)
		? `a volume ${names.volume}`
		: undefined;
}

function portTakenIn(containers: readonly Json[]): number | undefined {
	const ours: readonly number[] = Object.values(ports);
	return containers
		.filter((one) => textIn(one, "name") !== names.proxyContainer)
		.flatMap((one) => recordsIn(one, "ports"))
		.map((port) => numberIn(port, "containerPort"))
		.find((port) => port !== undefined && ours.includes(port));
}

function skip(reason: SkipReason, message: string): Skip {
	return { reason, message };
}
