import { shareList } from "../lib/share.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Finding } from "./finding.ts";
import type { SubsetUse } from "./rule-context.ts";
import type { Hostname } from "./service.ts";
import { changedKeys, patchSorted } from "./sorted-map.ts";
import { selectsEndpoint } from "./subset.ts";

/** Which labels that rules ask for no endpoint has. */
export interface SubsetFindingsPart {
	readonly uses: ReadonlyMap<Hostname, readonly SubsetUse[]>;
	readonly endpoints: ReadonlyMap<Hostname, readonly Endpoint[]>;
	readonly byHost: ReadonlyMap<Hostname, readonly Finding[]>;
	readonly findings: readonly Finding[];
}

/** Checks every subset with labels against the endpoints of its service. */
export function buildSubsetFindings(
	uses: SubsetFindingsPart["uses"],
	endpoints: SubsetFindingsPart["endpoints"],
	previous: SubsetFindingsPart | undefined,
): SubsetFindingsPart {
	if (previous?.uses === uses && previous.endpoints === endpoints) {
		return previous;
	}
	const suspects = new Set(changedKeys(previous?.uses, uses));
	for (const hostname of changedKeys(previous?.endpoints, endpoints)) {
		if (uses.has(hostname)) suspects.add(hostname);
	}
	const patch = new Map<Hostname, readonly Finding[] | undefined>();
	for (const hostname of suspects) {
		const listed = endpoints.get(hostname) ?? [];
		const empty = (uses.get(hostname) ?? []).filter(
			({ subset }) =>
				!listed.some((endpoint) => selectsEndpoint(subset, endpoint)),
		);
		patch.set(
			hostname,
			empty.length === 0
				? undefined
				: shareList(
						previous?.byHost.get(hostname),
						empty.map(emptyFinding),
						({ about, path }) => `${about.namespace}/${about.name} ${path}`,
					),
		);
	}
	const byHost = patchSorted(
		previous?.byHost ?? new Map<Hostname, readonly Finding[]>(),
		patch,
	);
	return {
		uses,
		endpoints,
		byHost,
		findings:
			previous?.byHost === byHost
				? previous.findings
				: [...byHost.values()].flat(),
	};
}

function emptyFinding({ about, path, hostname, subset }: SubsetUse): Finding {
	const labels = Object.entries(subset.labels)
		.map(([key, value]) => `${key}=${value}`)
		.join(",");
	return {
		about,
		condition: "ResolvedRefs",
		reason: "SubsetEmpty",
		path,
		message: `No endpoint of ${hostname} has the labels ${labels}, so what goes there is answered with 503 until there is one. Start such a workload, or correct the labels.`,
	};
}
