import type { Protocol } from "./service.ts";

/** What a port of a Kubernetes Service speaks: by its `appProtocol`, else by its name, else sniffed. */
export function protocolOf(
	appProtocol: string | undefined,
	portName: string,
): Protocol {
	return (
		byAppProtocol(appProtocol?.toLowerCase()) ??
		protocols.get(portName.toLowerCase().split("-", 1)[0] ?? "") ??
		"sniffed"
	);
}

function byAppProtocol(appProtocol: string | undefined): Protocol | undefined {
	switch (appProtocol) {
		case undefined:
			return undefined;
		case "kubernetes.io/h2c":
			return "http2";
		case "kubernetes.io/ws":
			return "http";
		case "kubernetes.io/wss":
			return "tls";
		default:
			return protocols.get(appProtocol);
	}
}

// A database protocol is tcp even though nothing decodes it: sniffing waits for
// the client's first bytes, and in several of these protocols the server speaks first.
const protocols: ReadonlyMap<string, Protocol> = new Map<string, Protocol>([
	["http", "http"],
	["ws", "http"],
	["http2", "http2"],
	["h2c", "http2"],
	["grpc", "grpc"],
	["https", "tls"],
	["tls", "tls"],
	["wss", "tls"],
	["tcp", "tcp"],
	["redis", "tcp"],
	["mysql", "tcp"],
	["mongo", "tcp"],
	["mongodb", "tcp"],
	["postgres", "tcp"],
	["postgresql", "tcp"],
	["amqp", "tcp"],
	["kafka", "tcp"],
	["mqtt", "tcp"],
	["ldap", "tcp"],
	["smtp", "tcp"],
	["cassandra", "tcp"],
	["memcached", "tcp"],
]);
