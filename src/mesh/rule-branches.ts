import { findService } from "./registry.ts";
import type { Branch } from "./route.ts";
import {
	addFinding,
	findPort,
	hostnameOf,
	listPorts,
	nameOf,
	type RuleContext,
} from "./rule-context.ts";
import type { Hostname, Service, ServicePort } from "./service.ts";
import {
	translateFault,
	translateHttpMatch,
	translateSource,
	translateTcpMatch,
} from "./translate-match.ts";

/** The entries of the rule's `match` that can apply to some of these ports. */
export function branchesOf(
	context: RuleContext,
	service: Service,
	ports: readonly { readonly port: ServicePort }[],
	callerNamespace: string | undefined,
): readonly Branch[] {
	const { spec, metadata } = context.object;
	if (spec.match === undefined || spec.match.length === 0) {
		return [{ index: 0 }];
	}
	return spec.match.flatMap((match, index): readonly Branch[] => {
		const path = `spec.match[${index}]`;
		const { port, source } = match;
		if (
			port !== undefined &&
			ports.length > 0 &&
			!ports.some((candidate) => candidate.port.number === port)
		) {
			const exists = findPort(service, port) !== undefined;
			addFinding(
				context,
				exists ? "Unusable" : "DestinationNotFound",
				`${path}.port`,
				exists
					? `The rule does not apply to port ${port} of ${nameOf(service)}, so this entry never matches. Use one of the ports that it applies to: ${ports.map((candidate) => candidate.port.number).join(", ")}.`
					: `${nameOf(service)} has no port ${port}, so this entry never matches. ${listPorts(service)}`,
			);
			return [];
		}
		const sourceNamespace = source?.namespace ?? metadata.namespace;
		if (
			callerNamespace !== undefined &&
			(source?.namespace !== undefined || source?.name !== undefined) &&
			sourceNamespace !== callerNamespace
		) {
			addFinding(
				context,
				"Unusable",
				`${path}.source.namespace`,
				`The rule is in namespace ${callerNamespace} and ${nameOf(service)} is not, so it applies to callers in ${callerNamespace} only and this entry never matches. Move the rule to namespace ${service.namespace}, or remove source.namespace.`,
			);
			return [];
		}
		const caller =
			source?.name === undefined
				? undefined
				: sourceService(context, source.name, sourceNamespace, path);
		const http = translateHttpMatch(match);
		const tcp = translateTcpMatch(match);
		return [
			{
				index,
				...(source !== undefined && {
					source: translateSource(source, caller),
				}),
				...(port !== undefined && { port }),
				...(http !== undefined && { http }),
				...(tcp !== undefined && { tcp }),
				...(match.fault !== undefined && {
					fault: translateFault(match.fault),
				}),
			},
		];
	});
}

function sourceService(
	context: RuleContext,
	name: string,
	namespace: string,
	path: string,
): Hostname {
	const hostname = hostnameOf(context, namespace, name);
	const service = findService(context.registry, namespace, name);
	context.lookups.set(hostname, context.registry.services.get(hostname));
	if (service === undefined) {
		addFinding(
			context,
			"DestinationNotFound",
			`${path}.source.name`,
			`There is no Service ${namespace}/${name}, so no caller belongs to it and this entry never matches. Create the Service, or correct the name.`,
		);
	}
	return hostname;
}
