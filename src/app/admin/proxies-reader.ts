import {
	type ProxiesReader,
	type ProxyState,
	type ResourceState,
	type ResourceWord,
	resourceWords,
} from "../../admin/readers.ts";
import { compareText } from "../../api/object-ref.ts";
import type { Printer } from "../../xds/generate/print.ts";
import type { ProxyDirectory } from "../../xds/proxy-directory.ts";
import type { Resource } from "../../xds/resource.ts";
import { type ResourceType, typeUrls } from "../../xds/resource-type.ts";
import type {
	ConnectedProxies,
	ConnectedProxy,
	TypeStatus,
} from "../../xds/server/connected-proxies.ts";

/** The type of resource that each word of the admin API means. */
export const typeOfWord: { readonly [W in ResourceWord]: ResourceType } = {
	listeners: "listener",
	routes: "route",
	virtualhosts: "virtualHost",
	clusters: "cluster",
	endpoints: "endpoint",
};

/** Shows the open streams to the admin API. */
export function proxiesReader(
	connected: ConnectedProxies,
	directory: ProxyDirectory,
): ProxiesReader {
	let printer: Promise<Printer> | undefined;
	return {
		proxies: () =>
			streamsById(connected)
				.map(([id, stream]) => proxyState(id, stream))
				.sort((a, b) => compareText(a.workload, b.workload)),
		resources: async (id, word) => {
			const stream = streamsById(connected).find(([one]) => one === id)?.[1];
			if (stream === undefined) return undefined;
			// Printing needs the descriptors of the whole Envoy API, serving does not: most servers never load them.
			printer ??= import("../../xds/generate/print.ts").then(
				({ loadPrinter }) => loadPrinter(),
			);
			return resourceStates(stream, typeOfWord[word], directory, await printer);
		},
	};
}

/** Streams with a name each: after a reconnect a proxy may have two for a moment, and the newest keeps its id. */
export function streamsById(
	connected: ConnectedProxies,
): readonly (readonly [string, ConnectedProxy])[] {
	const newestFirst = [...connected.all()].reverse();
	const seen = new Map<string, number>();
	return newestFirst.map((stream) => {
		const { id } = stream.proxy;
		const count = (seen.get(id) ?? 0) + 1;
		seen.set(id, count);
		return [count === 1 ? id : `${id}#${count}`, stream] as const;
	});
}

function proxyState(id: string, stream: ConnectedProxy): ProxyState {
	const { proxy, variant, address, connectedAtMs } = stream;
	const byType = new Map(
		stream.types().map((status) => [status.type, status] as const),
	);
	return {
		id,
		workload: proxy.workload,
		kind: proxy.kind,
		attachment: proxy.attachment,
		variant,
		address,
		connectedMs: connectedAtMs,
		counts: new Map(
			resourceWords.flatMap((word) => {
				const status = byType.get(typeOfWord[word]);
				return status === undefined
					? []
					: [[word, countsOf(status, stream)] as const];
			}),
		),
	};
}

function countsOf(
	{ type, sent, acknowledged }: TypeStatus,
	stream: ConnectedProxy,
) {
	let rejected = 0;
	for (const one of stream.resources(type)) if (one.rejected) rejected += 1;
	return { sent, acknowledged, rejected };
}

/**
 * What was sent, with the Envoy JSON of the version sent last while that is
 * still the current one or the acknowledged one; other bytes are not kept.
 */
function resourceStates(
	stream: ConnectedProxy,
	type: ResourceType,
	directory: ProxyDirectory,
	print: Printer,
): readonly ResourceState[] {
	const { proxy, variant } = stream;
	const reason = stream.types().find((status) => status.type === type)
		?.lastRejection?.message;
	const held = new Map<string, Resource>();
	for (const resource of stream.acknowledged(type))
		held.set(resource.name, resource);
	const attached = directory.attach(proxy, variant);
	try {
		return [...stream.resources(type)]
			.map(({ name, sent, acknowledged, rejected }) => {
				const kept = [attached.resources.get(type, name), held.get(name)].find(
					(one) => one !== undefined && one.version === (sent ?? acknowledged),
				);
				return {
					name,
					sent,
					acknowledged,
					rejected: rejected ? (reason ?? "no reason given") : undefined,
					config:
						kept === undefined ? undefined : print(typeUrls[type], kept.bytes),
				};
			})
			.sort((a, b) => compareText(a.name, b.name));
	} finally {
		attached.release();
	}
}
