import type { EndpointSlice } from "../api/core.ts";
import { refOf } from "../api/metadata.ts";
import { compareText, objectKey } from "../api/object-ref.ts";
import { share } from "../lib/share.ts";
import type { Finding } from "./finding.ts";
import { changedKeys, patchSorted } from "./sorted-map.ts";

/** EndpointSlices by the Service that they belong to. */
export interface SlicesPart {
	readonly source: ReadonlyMap<string, EndpointSlice>;
	/** By `namespace/name` of the Service; slices in order of their names. */
	readonly byService: ReadonlyMap<string, readonly EndpointSlice[]>;
	/** Services of which some slice lists DNS names. */
	readonly named: ReadonlySet<string>;
	/** By key of the slice. */
	readonly orphans: ReadonlyMap<string, Finding>;
	readonly findings: readonly Finding[];
}

/** Groups the slices; a group that did not change is the same list as before. */
export function buildSlices(
	source: ReadonlyMap<string, EndpointSlice>,
	previous: SlicesPart | undefined,
): SlicesPart {
	if (previous?.source === source) return previous;
	const changed = changedKeys(previous?.source, source);
	const services = new Map<string, EndpointSlice[]>();
	const orphans = new Map<string, Finding | undefined>();
	const group = (slice: EndpointSlice): EndpointSlice[] | undefined => {
		if (slice.serviceName === "") return undefined;
		const key = objectKey({
			namespace: slice.metadata.namespace,
			name: slice.serviceName,
		});
		let members = services.get(key);
		if (members === undefined) {
			members = (previous?.byService.get(key) ?? []).filter(
				(member) => !changed.has(objectKey(member.metadata)),
			);
			services.set(key, members);
		}
		return members;
	};
	for (const key of changed) {
		const before = previous?.source.get(key);
		const after = source.get(key);
		if (before !== undefined) group(before);
		if (after !== undefined) group(after)?.push(after);
		orphans.set(
			key,
			after?.serviceName === ""
				? share(previous?.orphans.get(key), orphanFinding(after))
				: undefined,
		);
	}
	const byService = patchSorted(
		previous?.byService ?? new Map<string, readonly EndpointSlice[]>(),
		sortGroups(services),
	);
	const allOrphans = patchSorted(
		previous?.orphans ?? new Map<string, Finding>(),
		orphans,
	);
	return {
		source,
		byService,
		named: namedServices(services, previous?.named ?? new Set()),
		orphans: allOrphans,
		findings:
			previous?.orphans === allOrphans
				? previous.findings
				: [...allOrphans.values()],
	};
}

function sortGroups(
	groups: ReadonlyMap<string, EndpointSlice[]>,
): ReadonlyMap<string, readonly EndpointSlice[] | undefined> {
	const sorted = new Map<string, readonly EndpointSlice[] | undefined>();
	for (const [key, members] of groups) {
		members.sort((a, b) => compareText(a.metadata.name, b.metadata.name));
		sorted.set(key, members.length === 0 ? undefined : members);
	}
	return sorted;
}

function namedServices(
	groups: ReadonlyMap<string, readonly EndpointSlice[]>,
	previous: ReadonlySet<string>,
): ReadonlySet<string> {
	let named: Set<string> | undefined;
	for (const [key, members] of groups) {
		const isNamed = members.some((slice) => slice.addressType === "FQDN");
		if (isNamed === (named ?? previous).has(key)) continue;
		named ??= new Set(previous);
		if (isNamed) named.add(key);
		else named.delete(key);
	}
	return named ?? previous;
}

function orphanFinding(slice: EndpointSlice): Finding {
	return {
		about: refOf(slice),
		condition: "Accepted",
		reason: "Unusable",
		path: "metadata.labels",
		message:
			"The slice does not say which Service it belongs to, so its endpoints are not used. Give it the label kubernetes.io/service-name with the name of a Service in its namespace.",
	};
}
