import { create, toBinary } from "@bufbuild/protobuf";
import type { Node } from "../src/gen/envoy/envoy/config/core/v3/base_pb.js";
import { DeltaDiscoveryRequestSchema } from "../src/gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import { encodeFrame, nameAndVersionOf, typeUrls } from "./discovery.ts";

/** What one response brought; one object for all streams that got the same. */
interface Brought {
	readonly id: number;
	readonly versions: ReadonlyMap<string, string>;
}

const order = [
	"cluster",
	"endpoint",
	"listener",
	"route",
	"virtualHost",
] as const;
type Type = (typeof order)[number];

/**
 * Names and versions of what one stream has received. A thousand streams that
 * received the same share almost all of it. Removals are not noted.
 */
export class Kept {
	readonly #brought = new Map<string, Brought[]>();

	/** A response has come. */
	note(typeUrl: string, resources: readonly Buffer[]): void {
		if (resources.length === 0) return;
		const list = this.#brought.get(typeUrl);
		const brought = sharedOf(resources);
		if (list === undefined) this.#brought.set(typeUrl, [brought]);
		else list.push(brought);
	}

	/** What need not be asked for again: types, and names of endpoints and routes. */
	get asked(): readonly string[] {
		return [
			...order,
			...bodyOf("endpoint", this.#listOf("endpoint")).names,
			...bodyOf("route", this.#listOf("route")).names,
		];
	}

	/** The first requests of a new stream, framed: one for each type. */
	requests(node: Node): readonly Buffer[] {
		const first = toBinary(
			DeltaDiscoveryRequestSchema,
			create(DeltaDiscoveryRequestSchema, { node }),
		);
		return order.map((type) => {
			const { bytes, framed } = bodyOf(type, this.#listOf(type));
			// Encoded messages can be joined: fields of the second come on top.
			return type === "cluster"
				? encodeFrame(Buffer.concat([first, bytes]))
				: framed;
		});
	}

	#listOf(type: Type): readonly Brought[] {
		return this.#brought.get(typeUrls[type]) ?? [];
	}
}

interface Body {
	readonly names: readonly string[];
	readonly bytes: Uint8Array;
	readonly framed: Buffer;
}

const bodies = new Map<string, Body>();

/** The request for a type of a proxy that has these. */
function bodyOf(type: Type, list: readonly Brought[]): Body {
	const key = `${type} ${list.map(({ id }) => id).join(" ")}`;
	const known = bodies.get(key);
	if (known !== undefined) return known;
	const all = new Map(list.flatMap(({ versions }) => [...versions]));
	const names = [...all.keys()];
	const isNamed = type === "endpoint" || type === "route";
	const bytes = toBinary(
		DeltaDiscoveryRequestSchema,
		create(DeltaDiscoveryRequestSchema, {
			typeUrl: typeUrls[type],
			resourceNamesSubscribe: isNamed ? names : [],
			initialResourceVersions: Object.fromEntries(all),
		}),
	);
	const body = { names, bytes, framed: encodeFrame(bytes) };
	bodies.set(key, body);
	return body;
}

const shared = new Map<
	number,
	{ readonly bytes: Buffer; readonly brought: Brought }[]
>();
let lastId = 0;

function sharedOf(resources: readonly Buffer[]): Brought {
	const bytes = Buffer.concat(resources);
	const sameLength = shared.get(bytes.length) ?? [];
	const known = sameLength.find((one) => one.bytes.equals(bytes));
	if (known !== undefined) return known.brought;
	const brought = {
		id: ++lastId,
		versions: new Map(resources.map(nameAndVersionOf)),
	};
	shared.set(bytes.length, [...sameLength, { bytes, brought }]);
	return brought;
}
