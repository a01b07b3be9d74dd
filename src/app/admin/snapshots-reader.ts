import { setImmediate } from "node:timers/promises";
import {
	type CarryingProxy,
	type ResourceWord,
	resourceWords,
	type SnapshotResource,
	type SnapshotsReader,
} from "../../admin/readers.ts";
import {
	compareRefs,
	compareText,
	type ObjectRef,
} from "../../api/object-ref.ts";
import type { ProxyDirectory } from "../../xds/proxy-directory.ts";
import type { ProxyResources } from "../../xds/proxy-resources.ts";
import type { Resource } from "../../xds/resource.ts";
import type {
	ConnectedProxies,
	ConnectedProxy,
} from "../../xds/server/connected-proxies.ts";
import { streamsById, typeOfWord } from "./proxies-reader.ts";

/** Shows the admin API all that proxies are to have and have. */
export function snapshotsReader(
	connected: ConnectedProxies,
	directory: ProxyDirectory,
): SnapshotsReader {
	const withResources = <T>(
		stream: ConnectedProxy,
		read: (resources: ProxyResources) => T,
	): T => {
		const attached = directory.attach(stream.proxy, stream.variant);
		try {
			return read(attached.resources);
		} finally {
			attached.release();
		}
	};
	return {
		snapshot: (id) => {
			const stream = streamsById(connected).find(([one]) => one === id)?.[1];
			if (stream === undefined) return undefined;
			return {
				addresses: stream.proxy.addresses,
				resources: withResources(stream, (resources) =>
					resourceWords.flatMap((word) => resourcesOf(stream, word, resources)),
				),
			};
		},
		carrying: async (ref) => {
			const found: CarryingProxy[] = [];
			for (const [id, stream] of streamsById(connected)) {
				const resources = withResources(stream, (current) =>
					carriedBy(stream, current, ref),
				);
				if (resources.length > 0)
					found.push({ id, workload: stream.proxy.workload, resources });
				// Among thousands of proxies, others want an answer, too.
				await setImmediate();
			}
			return found.sort((a, b) => compareText(a.workload, b.workload));
		},
	};
}

function resourcesOf(
	stream: ConnectedProxy,
	word: ResourceWord,
	resources: ProxyResources,
): readonly SnapshotResource[] {
	const type = typeOfWord[word];
	const held = new Map<string, Resource>();
	for (const one of stream.acknowledged(type)) held.set(one.name, one);
	const reason =
		stream.types().find((status) => status.type === type)?.lastRejection
			?.message ?? "no reason given";
	const rejected = new Set<string>();
	const names = new Set(held.keys());
	for (const one of stream.resources(type)) {
		names.add(one.name);
		if (one.rejected) rejected.add(one.name);
	}
	// What a gRPC client does not ask for is made for nobody.
	if (stream.proxy.kind !== "grpc")
		for (const name of resources.names(type)) names.add(name);
	return [...names].sort(compareText).map((name) => ({
		type: word,
		name,
		wanted: resources.get(type, name),
		acknowledged: held.get(name),
		rejected: rejected.has(name) ? reason : undefined,
	}));
}

function carriedBy(
	stream: ConnectedProxy,
	resources: ProxyResources,
	ref: ObjectRef,
): CarryingProxy["resources"] {
	return resourceWords.flatMap((word) => {
		const type = typeOfWord[word];
		const names = new Set<string>();
		const note = (resource: Resource | undefined): void => {
			if (resource?.origins.some((one) => compareRefs(one, ref) === 0))
				names.add(resource.name);
		};
		for (const resource of stream.acknowledged(type)) note(resource);
		for (const name of resources.names(type)) note(resources.get(type, name));
		return [...names].sort(compareText).map((name) => ({ type: word, name }));
	});
}
