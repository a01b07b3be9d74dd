import { type JsonObject, type JsonValue, parseJsonObject } from "./json.ts";
import { parseNodeId } from "./node-id.ts";
import type { Proxy, ProxyAddresses } from "./proxy.ts";
import { parseHostPort, parseIpPort } from "./socket-address.ts";

/** Why a part of what a proxy says about itself is refused. */
export interface NodeViolation {
	/** Path of the field: `node.metadata.lateen.tcp[3].listen`. */
	readonly path: string;
	/** Full sentences: what is wrong, and how to mend it. */
	readonly message: string;
}

/** What a proxy claims to be; nothing of it is proven. */
export interface NodeClaims {
	readonly proxy: Proxy;
	/** The token in the metadata, of clients that cannot send headers; never logged. */
	readonly token: string | undefined;
}

/** The used fields of an xDS `node`. */
export interface NodeFields {
	readonly id: string;
	/** The Struct as JSON. */
	readonly metadata?: unknown;
	readonly userAgentName?: string;
	readonly userAgentVersionType?: UserAgentVersion;
}

/** `node.user_agent_version` or `node.user_agent_build_version`. */
type UserAgentVersion =
	| { readonly case: "userAgentVersion"; readonly value: string }
	| {
			readonly case: "userAgentBuildVersion";
			readonly value: {
				readonly version?:
					| {
							readonly majorNumber: number;
							readonly minorNumber: number;
							readonly patch: number;
					  }
					| undefined;
			};
	  }
	| { readonly case: undefined; readonly value?: undefined };

/** The claims, or everything that is wrong with them. */
export type ParsedNode =
	| { readonly claims: NodeClaims }
	| { readonly violations: readonly NodeViolation[] };

/** More inbound ports than a workload has, more TCP services than it calls. */
const limits = { inbound: 100, tcp: 1_000, gateway: 100 } as const;

const root = "node.metadata.lateen";

/** Reads what a proxy says about itself; `generateBootstrap` and `generateGrpcBootstrap` write it. */
export function parseNode(node: NodeFields): ParsedNode {
	const id = parseNodeId(node.id.slice(0, 1_024));
	if (id === undefined) {
		return {
			violations: [
				{
					path: "node.id",
					message:
						"The id must be KIND~NAMESPACE/NAME with the kind sidecar, gateway or grpc, like sidecar~default/reviews-v1. Make the proxy's files with `lateen bootstrap`.",
				},
			],
		};
	}
	const violations: NodeViolation[] = [];
	const report = (path: string, message: string): void => {
		// A list of a thousand wrong addresses has the same mistake in each.
		if (violations.length < 20) violations.push({ path, message });
	};
	const own = parseJsonObject(parseJsonObject(node.metadata)?.["lateen"]);
	const attachment = readAttachment(own, id.kind, report);
	const addresses = readAddresses(own, report);
	const token = own?.["token"];
	if (token !== undefined && typeof token !== "string") {
		report(`${root}.token`, "The token must be a string.");
	}
	if (
		id.kind === "gateway" &&
		addresses.gateway.length === 0 &&
		violations.length === 0
	) {
		report(
			`${root}.gateway`,
			"A gateway must say on which addresses it listens, like 0.0.0.0:8080.",
		);
	}
	if (violations.length > 0) return { violations };
	return {
		claims: {
			proxy: {
				workload: id.workload,
				id: node.id,
				kind: id.kind,
				attachment,
				addresses,
				...readSoftware(node),
			},
			token: typeof token === "string" ? token : undefined,
		},
	};
}

/** Longest name and version of a software that is kept. */
const maxSoftware = 100;

function readSoftware({
	userAgentName = "",
	userAgentVersionType: said,
}: NodeFields): Pick<Proxy, "software"> {
	const words = [userAgentName];
	if (said?.case === "userAgentVersion") words.push(said.value);
	if (said?.case === "userAgentBuildVersion") {
		const { version } = said.value;
		if (version !== undefined) {
			const { majorNumber, minorNumber, patch } = version;
			words.push(`${majorNumber}.${minorNumber}.${patch}`);
		}
	}
	const software = words.filter((word) => word !== "").join(" ");
	return software === "" ? {} : { software: software.slice(0, maxSoftware) };
}

type Report = (path: string, message: string) => void;

function readAttachment(
	own: JsonObject | undefined,
	kind: Proxy["kind"],
	report: Report,
): Proxy["attachment"] {
	const value = own?.["attachment"];
	switch (value) {
		case undefined:
			return kind === "sidecar" ? "captured" : "explicit";
		case "captured":
		case "explicit":
			return value;
		default:
			report(`${root}.attachment`, "It must be captured or explicit.");
			return "explicit";
	}
}

function readAddresses(
	own: JsonObject | undefined,
	report: Report,
): ProxyAddresses {
	/** Envoy refuses a second listener on the same address, and with it the whole update. */
	const taken = new Set<string>();
	const listenAddress = (
		value: JsonValue | undefined,
		path: string,
	): string => {
		const text = readIpPort(value, path, report);
		if (text !== "" && taken.has(text)) {
			report(path, `${text} is used twice. Give each listener its own port.`);
		}
		taken.add(text);
		return text;
	};
	const outbound = own?.["outbound"];
	return {
		...(outbound === undefined
			? {}
			: { outbound: listenAddress(outbound, `${root}.outbound`) }),
		inbound: readList(own, "inbound", report, (entry, path) => ({
			listen: listenAddress(entry["listen"], `${path}.listen`),
			application: readIpPort(
				entry["application"],
				`${path}.application`,
				report,
			),
			protocol: readProtocol(entry["protocol"], `${path}.protocol`, report),
		})),
		tcp: readList(own, "tcp", report, (entry, path) => ({
			service: readService(entry["service"], `${path}.service`, report),
			listen: listenAddress(entry["listen"], `${path}.listen`),
		})),
		gateway: readList(own, "gateway", report, (entry, path) => ({
			listen: listenAddress(entry["listen"], `${path}.listen`),
		})),
	};
}

function readList<T>(
	own: JsonObject | undefined,
	name: keyof typeof limits,
	report: Report,
	read: (entry: JsonObject, path: string) => T,
): readonly T[] {
	const value = own?.[name];
	const path = `${root}.${name}`;
	if (value === undefined) return [];
	if (!Array.isArray(value)) {
		report(path, "It must be a list.");
		return [];
	}
	const entries: readonly JsonValue[] = value;
	if (entries.length > limits[name]) {
		report(
			path,
			`It has ${entries.length} entries; at most ${limits[name]} are accepted.`,
		);
		return [];
	}
	return entries.map((entry, index) =>
		read(parseJsonObject(entry) ?? {}, `${path}[${index}]`),
	);
}

function readIpPort(
	value: JsonValue | undefined,
	path: string,
	report: Report,
): string {
	if (typeof value === "string" && parseIpPort(value) !== undefined) {
		return value;
	}
	report(
		path,
		"It must be an IP address and a port, like 127.0.0.1:15001 or [::1]:15001.",
	);
	return "";
}

function readService(
	value: JsonValue | undefined,
	path: string,
	report: Report,
): string {
	if (
		typeof value === "string" &&
		value.length <= 260 &&
		parseHostPort(value) !== undefined
	) {
		return value.toLowerCase();
	}
	report(
		path,
		"It must be the host and port of a service, like mysql.default.svc.cluster.local:3306.",
	);
	return "";
}

type InboundProtocol = ProxyAddresses["inbound"][number]["protocol"];

function readProtocol(
	value: JsonValue | undefined,
	path: string,
	report: Report,
): InboundProtocol {
	switch (value) {
		case undefined:
			return "sniffed";
		case "http":
		case "http2":
		case "grpc":
		case "tcp":
		case "tls":
		case "sniffed":
			return value;
		default:
			report(path, "It must be http, http2, grpc, tcp, tls or sniffed.");
			return "sniffed";
	}
}
