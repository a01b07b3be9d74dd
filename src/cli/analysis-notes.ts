import { refOf } from "../api/metadata.ts";
import { objectKey, printRef } from "../api/object-ref.ts";
import type { Objects } from "../api/objects.ts";
import type { RouteRule } from "../api/route-rule.ts";
import type { MeshBuild } from "../mesh/build.ts";
import type { Finding } from "../mesh/finding.ts";
import type { Mesh } from "../mesh/mesh.ts";

/** Something that works as it is written, but may not be what its author means. */
export interface AnalysisNote {
	/** `RouteRule default/reviews`. */
	readonly object: string;
	readonly reason: "ShadowedEntry" | "ZeroWeight" | "NoEndpoints";
	readonly path: string;
	readonly message: string;
}

/** What only a look at everything together shows, besides the findings of the build. */
export function analysisNotes(
	objects: Objects,
	{ mesh, findings }: MeshBuild,
): readonly AnalysisNote[] {
	const reached = reachedEntries(mesh);
	const known = Map.groupBy(findings, ({ about }) => printRef(about));
	return [
		...[...objects.RouteRule.values()].flatMap((rule) => [
			...shadowedEntries(rule, reached, known.get(printRef(refOf(rule))) ?? []),
			...zeroWeights(rule),
		]),
		...emptyServices(mesh),
	];
}

/** By rule (`namespace/name`): the entries of its `match` that some table has. */
function reachedEntries(mesh: Mesh): ReadonlyMap<string, ReadonlySet<number>> {
	const reached = new Map<string, Set<number>>();
	for (const table of [...mesh.routes.values(), ...mesh.gateways.values()]) {
		for (const { origin, branches } of table.rules) {
			const key = objectKey(origin);
			const entries = reached.get(key) ?? new Set<number>();
			for (const { index } of branches) entries.add(index);
			reached.set(key, entries);
		}
	}
	return reached;
}

/** Entries that are gone although the rule is there, and of which no finding says why. */
function shadowedEntries(
	rule: RouteRule,
	reached: ReadonlyMap<string, ReadonlySet<number>>,
	findings: readonly Finding[],
): readonly AnalysisNote[] {
	const entries = reached.get(objectKey(rule.metadata));
	if (entries === undefined) return [];
	return (rule.spec.match ?? []).flatMap(
		(_, index): readonly AnalysisNote[] => {
			const path = `spec.match[${index}]`;
			if (
				entries.has(index) ||
				findings.some((finding) => finding.path.startsWith(path))
			)
				return [];
			return [
				{
					object: printRef(refOf(rule)),
					reason: "ShadowedEntry",
					path,
					message:
						"Everything that this entry could take is taken by earlier entries or rules, so it never applies. Remove it, or give its rule a higher precedence.",
				},
			];
		},
	);
}

/** Entries of `route` that get nothing while others do. */
function zeroWeights(rule: RouteRule): readonly AnalysisNote[] {
	const route = rule.spec.route ?? [];
	if (route.length < 2 || route.every(({ weight }) => weight === 0)) return [];
	return route.flatMap(({ weight }, index) =>
		weight === 0
			? [
					{
						object: printRef(refOf(rule)),
						reason: "ZeroWeight" as const,
						path: `spec.route[${index}].weight`,
						message:
							"The weight is 0, so nothing goes here. Raise it, or remove the entry if that is meant to last.",
					},
				]
			: [],
	);
}

/** Services that nobody serves; unless there are no endpoints at all, as in a folder of rules only. */
function emptyServices(mesh: Mesh): readonly AnalysisNote[] {
	if (mesh.endpoints.size === 0) return [];
	const seen = new Set<string>();
	return [...mesh.services.values()].flatMap((service) => {
		const object = printRef(service.origin);
		const lists =
			service.resolution === "listed" || service.resolution === "headless";
		const served = (mesh.endpoints.get(service.hostname) ?? []).length > 0;
		if (!lists || served || seen.has(object)) return [];
		seen.add(object);
		return [
			{
				object,
				reason: "NoEndpoints" as const,
				path: "",
				message:
					"It has no endpoint, so calls to it are answered with 503. Start a workload that it selects, or correct its selector.",
			},
		];
	});
}
