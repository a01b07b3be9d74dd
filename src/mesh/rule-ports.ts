import { httpOnlyField } from "./http-only-field.ts";
import type { Rule } from "./route.ts";
import {
	addFinding,
	findPort,
	listPorts,
	nameOf,
	type RuleContext,
} from "./rule-context.ts";
import { carriesHttp, type Service, type ServicePort } from "./service.ts";

/** The ports of the service that the rule applies to, and whether to requests, to connections, or to whatever is spoken there. */
export function portsOf(
	context: RuleContext,
	service: Service,
): readonly {
	readonly port: ServicePort;
	readonly layer: Rule["layer"];
}[] {
	const { spec } = context.object;
	const isL4 = spec.match?.some((match) => match.tcp !== undefined) === true;
	const httpOnly = httpOnlyField(spec);
	const layerOf = (port: ServicePort): Rule["layer"] | undefined => {
		if (isL4) {
			return carriesHttp(port.protocol) && port.protocol !== "sniffed"
				? undefined
				: "tcp";
		}
		if (httpOnly === undefined && port.protocol === "sniffed") return "both";
		if (carriesHttp(port.protocol)) return "http";
		return httpOnly === undefined ? "tcp" : undefined;
	};
	const mismatch = (path: string, what: string): void =>
		addFinding(
			context,
			"ProtocolMismatch",
			path,
			isL4
				? `${what}, where requests are routed one by one, so conditions on connections cannot be met. Match on HTTP instead of tcp, or name the port's protocol (appProtocol tcp or tls).`
				: `${what}, where requests cannot be told apart, so the rule has no effect. Remove ${httpOnly ?? "the HTTP fields"}, or name the port's protocol (appProtocol http, http2 or grpc).`,
		);

	if (spec.destination.port !== undefined) {
		const path = "spec.destination.port";
		const port = findPort(service, spec.destination.port);
		if (port === undefined) {
			addFinding(
				context,
				"DestinationNotFound",
				path,
				`${nameOf(service)} has no port ${spec.destination.port}, so the rule has no effect. ${listPorts(service)}`,
			);
			return [];
		}
		const layer = layerOf(port);
		if (layer === undefined) {
			mismatch(
				path,
				`Port ${port.number} of ${nameOf(service)} speaks ${port.protocol}`,
			);
			return [];
		}
		return [{ port, layer }];
	}

	const possible = service.ports.flatMap((port) => {
		const layer = layerOf(port);
		return layer === undefined ? [] : [{ port, layer }];
	});
	// A rule for all ports means requests as soon as there is a port that has them.
	const http = possible.filter(({ layer }) => layer !== "tcp");
	const chosen = http.length > 0 ? http : possible;
	if (service.ports.length === 0) {
		addFinding(
			context,
			"DestinationNotFound",
			"spec.destination",
			`${nameOf(service)} has no TCP ports, so the rule has no effect. Add a port to it.`,
		);
	} else if (chosen.length === 0) {
		mismatch(
			"spec.destination",
			`All ports of ${nameOf(service)} speak ${[...new Set(service.ports.map(({ protocol }) => protocol))].join(" or ")}`,
		);
	}
	return chosen;
}
