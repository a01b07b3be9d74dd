import {
	type EndpointSlice,
	notInjectedAnnotation,
	type Pod,
	type PodOwner,
	type Service,
	type ServicePort,
	type SliceEndpoint,
} from "./core.ts";
import type { Fields } from "./fields.ts";
import { addressBits } from "./ip-address.ts";
import { printValue } from "./print-value.ts";

const PROTOCOLS = ["TCP", "UDP", "SCTP"] as const;

/** Reads what is used of a Service; defaults are those of the API server. */
export function parseService(object: Fields): Pick<Service, "spec"> {
	const spec = object.object("spec");
	const type =
		spec.word("type", [
			"ClusterIP",
			"NodePort",
			"LoadBalancer",
			"ExternalName",
		]) ?? "ClusterIP";
	const externalName = spec.text("externalName");
	if (type === "ExternalName" && !externalName) {
		spec.report(
			"externalName",
			"A Service of type ExternalName needs a name to stand for. Set externalName.",
		);
	}
	const clusterIP = spec.text("clusterIP");
	const listed = spec.texts("clusterIPs");
	const all = listed.length > 0 ? listed : clusterIP ? [clusterIP] : [];
	const clusterIPs = all.filter((ip) => ip !== "None" && ip !== "");
	for (const ip of clusterIPs) {
		if (addressBits(ip) !== undefined) continue;
		spec.report(
			listed.length > 0 ? "clusterIPs" : "clusterIP",
			`${printValue(ip)} is not an IP address. Write one, or None for a headless Service.`,
		);
	}
	return {
		spec: {
			type,
			clusterIPs: type === "ExternalName" ? [] : clusterIPs,
			headless: all.includes("None"),
			...(type === "ExternalName" && externalName && { externalName }),
			ports: parsePorts(spec),
			selector: spec.textMap("selector"),
		},
	};
}

function parsePorts(spec: Fields): readonly ServicePort[] {
	const seen = new Set<string>();
	const fields = spec.objects("ports");
	return fields.flatMap((field) => {
		const port = field.port("port");
		const name = field.text("name") ?? "";
		if (seen.has(name)) {
			field.report(
				"name",
				name === ""
					? "Only the port of a Service with a single port may be without a name. Name the ports."
					: `There is another port named ${name} in the list. Give each port its own name.`,
			);
		}
		seen.add(name);
		const appProtocol = field.text("appProtocol");
		const protocol = field.word("protocol", PROTOCOLS) ?? "TCP";
		const targetPort = field.portOrName("targetPort");
		if (port === undefined) {
			field.report("port", "The port has no number. Set port.");
			return [];
		}
		return {
			name,
			port,
			protocol,
			...(appProtocol && { appProtocol }),
			targetPort: targetPort ?? port,
		};
	});
}

/** Reads what is used of an EndpointSlice. */
export function parseEndpointSlice(
	object: Fields,
): Omit<EndpointSlice, "kind" | "metadata"> {
	const addressType = object.word("addressType", ["IPv4", "IPv6", "FQDN"]);
	if (addressType === undefined && object.text("addressType") === undefined) {
		object.report(
			"addressType",
			"The field is required. Set addressType to IPv4, IPv6 or FQDN.",
		);
	}
	const labels = object.object("metadata").textMap("labels");
	return {
		serviceName: labels["kubernetes.io/service-name"] ?? "",
		addressType: addressType ?? "IPv4",
		ports: object.objects("ports").flatMap((field) => {
			const port = field.port("port");
			const name = field.text("name") ?? "";
			const appProtocol = field.text("appProtocol");
			const protocol = field.word("protocol", PROTOCOLS) ?? "TCP";
			// A port without a number stands for all ports, which no Service asks for.
			if (port === undefined) return [];
			return { name, port, protocol, ...(appProtocol && { appProtocol }) };
		}),
		endpoints: object
			.objects("endpoints")
			.map((field) => parseEndpoint(field, addressType)),
	};
}

function parseEndpoint(
	field: Fields,
	addressType: EndpointSlice["addressType"] | undefined,
): SliceEndpoint {
	const addresses = field.texts("addresses");
	if (addresses.length === 0) {
		field.report("addresses", "The endpoint has no address. Add one.");
	}
	const bits = addressType === "IPv4" ? 32 : addressType === "IPv6" ? 128 : 0;
	for (const address of addresses) {
		if (bits === 0 || addressBits(address) === bits) continue;
		field.report(
			"addresses",
			`${printValue(address)} is not an ${addressType} address. Write one, or change addressType.`,
		);
	}
	const conditions = field.object("conditions");
	// Absent means ready, and serving is the same as ready when it is not told apart.
	const ready = conditions.flag("ready") ?? true;
	const zone = field.text("zone");
	const nodeName = field.text("nodeName");
	const target = field.object("targetRef");
	const pod = target.text("kind") === "Pod" ? target.text("name") : undefined;
	return {
		addresses,
		ready,
		serving: conditions.flag("serving") ?? ready,
		terminating: conditions.flag("terminating") ?? false,
		...(zone && { zone }),
		...(nodeName && { nodeName }),
		...(pod && { pod }),
	};
}

/** Reads what is used of a Pod. */
export function parsePod(object: Fields): Omit<Pod, "kind" | "metadata"> {
	const spec = object.object("spec");
	const status = object.object("status");
	const listed = status
		.objects("podIPs")
		.flatMap((field) => field.text("ip") ?? []);
	const podIP = status.text("podIP");
	const nodeName = spec.text("nodeName");
	const metadata = object.object("metadata");
	const because = metadata.object("annotations").text(notInjectedAnnotation);
	const containers = [
		...spec.objects("containers"),
		// Init containers that never end are sidecars, and may listen like any other.
		...spec
			.objects("initContainers")
			.filter((container) => container.text("restartPolicy") === "Always"),
	];
	return {
		ips: listed.length > 0 ? listed : podIP ? [podIP] : [],
		terminating: Boolean(metadata.text("deletionTimestamp")),
		serviceAccount: spec.text("serviceAccountName") || "default",
		...(nodeName && { nodeName }),
		ports: containers.flatMap((container) =>
			container.objects("ports").flatMap((field) => {
				const containerPort = field.port("containerPort");
				if (containerPort === undefined) return [];
				return { name: field.text("name") ?? "", containerPort };
			}),
		),
		...(because && {
			notInjected: { because, ...parseOwner(metadata) },
		}),
	};
}

/** The owner that calls itself the controller; no others make pods anew. */
function parseOwner(metadata: Fields): { readonly owner?: PodOwner } {
	for (const field of metadata.objects("ownerReferences")) {
		if (field.flag("controller") !== true) continue;
		const [apiVersion, kind, name, uid] = [
			...[field.text("apiVersion"), field.text("kind")],
			...[field.text("name"), field.text("uid")],
		];
		if (apiVersion && kind && name && uid)
			return { owner: { apiVersion, kind, name, uid } };
	}
	return {};
}
