import { type ObjectRef, printRef } from "../api/object-ref.ts";
import type { Proxy, ProxyAddresses } from "../xds/proxy.ts";
import type { Resource } from "../xds/resource.ts";
import type { ResourceType } from "../xds/resource-type.ts";
import type { ControlPlane } from "./control-plane.ts";
import { fieldOf, listOf, textOf } from "./json-fields.ts";
import type { ObjectPlace, ObjectPlaces } from "./object-places.ts";
import { type ResourceWord, typeOfWord } from "./resource-words.ts";

/** One resource of a connected proxy. */
export interface SnapshotResource {
	readonly word: ResourceWord;
	readonly name: string;
	/** What the proxy is to have. */
	readonly wanted: Resource | undefined;
	/** What it has. */
	readonly acknowledged: Resource | undefined;
	/** Why it refused what was sent last. */
	readonly rejected: string | undefined;
}

/** A connected proxy as the server knows it. */
export interface ProxySnapshot {
	readonly proxy: Proxy;
	readonly variant: "delta" | "sotw";
	readonly resources: readonly SnapshotResource[];
	readonly objects: ObjectPlaces;
}

/**
 * Asks for everything that a connected proxy is to have and has.
 *
 * Fails when: nobody answers, or no such proxy is connected; then with a `CodedError`.
 */
export async function askSnapshot(
	plane: ControlPlane,
	proxy: string,
	withBytes = true,
): Promise<ProxySnapshot> {
	const answer = await plane.snapshot(proxy, withBytes);
	const objects = placesIn(listOf(answer, "objects"));
	return {
		proxy: proxyOf(fieldOf(answer, "proxy")),
		variant:
			textOf(fieldOf(answer, "proxy"), "variant") === "sotw" ? "sotw" : "delta",
		resources: listOf(answer, "resources").flatMap((one) => {
			const word = typeOfWord(textOf(one, "type"));
			return word === undefined ? [] : [resourceOf(word, one, objects)];
		}),
		objects,
	};
}

/** What a proxy is to have, by type, as a render of it. */
export function wantedOf(
	snapshot: ProxySnapshot,
): ReadonlyMap<ResourceType, readonly Resource[]> {
	const byType = new Map<ResourceType, Resource[]>();
	for (const { word, wanted } of snapshot.resources) {
		if (wanted === undefined) continue;
		const list = byType.get(word.type);
		if (list === undefined) byType.set(word.type, [wanted]);
		else list.push(wanted);
	}
	return byType;
}

/** Reads objects with their places, by `printRef`. */
export function placesIn(objects: readonly unknown[]): ObjectPlaces {
	return new Map(
		objects.map((one): [string, ObjectPlace] => {
			const ref = {
				kind: textOf(one, "kind"),
				namespace: textOf(one, "namespace"),
				name: textOf(one, "name"),
			};
			const file = textOf(one, "file");
			const generation = fieldOf(one, "generation");
			return [
				printRef(ref),
				{
					ref,
					...(file === "" ? {} : { file, line: Number(textOf(one, "line")) }),
					...(typeof generation === "number" ? { generation } : {}),
				},
			];
		}),
	);
}

function resourceOf(
	word: ResourceWord,
	one: unknown,
	objects: ObjectPlaces,
): SnapshotResource {
	const name = textOf(one, "name");
	const wanted = versionOf(name, fieldOf(one, "wanted"), objects);
	const held = versionOf(name, fieldOf(one, "acknowledged"), objects);
	const rejected = textOf(one, "rejected");
	return {
		word,
		name,
		wanted,
		// Bytes that are the same are sent once.
		acknowledged:
			held !== undefined && held.version === wanted?.version ? wanted : held,
		rejected: rejected === "" ? undefined : rejected,
	};
}

function versionOf(
	name: string,
	value: unknown,
	objects: ObjectPlaces,
): Resource | undefined {
	if (value === undefined || value === null) return undefined;
	return {
		name,
		version: textOf(value, "version"),
		bytes: new Uint8Array(Buffer.from(textOf(value, "bytes"), "base64")),
		origins: listOf(value, "origins").flatMap((key): readonly ObjectRef[] => {
			const ref = objects.get(String(key))?.ref;
			return ref === undefined ? [] : [ref];
		}),
	};
}

function proxyOf(value: unknown): Proxy {
	const addresses = fieldOf(value, "addresses");
	const outbound = textOf(addresses, "outbound");
	const kind = textOf(value, "kind");
	return {
		workload: textOf(value, "workload"),
		id: textOf(value, "id"),
		kind: kind === "gateway" || kind === "grpc" ? kind : "sidecar",
		attachment:
			textOf(value, "attachment") === "captured" ? "captured" : "explicit",
		addresses: {
			...(outbound === "" ? {} : { outbound }),
			inbound: listOf(addresses, "inbound").map((one) => ({
				listen: textOf(one, "listen"),
				application: textOf(one, "application"),
				protocol: protocolOf(textOf(one, "protocol")),
			})),
			tcp: listOf(addresses, "tcp").map((one) => ({
				service: textOf(one, "service"),
				listen: textOf(one, "listen"),
			})),
			gateway: listOf(addresses, "gateway").map((one) => ({
				listen: textOf(one, "listen"),
			})),
		},
	};
}

type InboundProtocol = ProxyAddresses["inbound"][number]["protocol"];

function protocolOf(text: string): InboundProtocol {
	return inboundProtocols.find((one) => one === text) ?? "sniffed";
}

const inboundProtocols: readonly InboundProtocol[] = [
	"http",
	"http2",
	"grpc",
	"tcp",
	"tls",
	"sniffed",
];
