// Responses are put together from bytes that exist already. A resource is
// wrapped once per kind of stream and the result shared by all streams; what is
// made per response is only its type and nonce.

import { memoByInput } from "../../lib/memo.ts";
import type { Resource } from "../resource.ts";
import { type ResourceType, typeUrls } from "../resource-type.ts";
import { partsBy } from "./shared-parts.ts";

/** A field whose value has a length: wire type 2. */
function delimitedTag(field: number): number {
	return (field << 3) | 2;
}

// Numbers of fields. Both kinds of response agree on `resources`, `type_url` and `nonce`.
const response = {
	resources: 2,
	typeUrl: 4,
	nonce: 5,
	/** Delta only. */
	removedResources: 6,
	/** State of the world only. */
	versionInfo: 1,
} as const;
const resourceMessage = { version: 1, resource: 2, name: 3 } as const;
const any = { typeUrl: 1, value: 2 } as const;

function varintBytes(value: number): number {
	let bytes = 1;
	for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
		bytes += 1;
	}
	return bytes;
}

/** Writes fields into a buffer that was made to measure. */
class FieldWriter {
	readonly #buffer: Buffer;
	#at = 0;

	constructor(buffer: Buffer) {
		this.#buffer = buffer;
	}

	/** Begins a field: its number, all below 16, and the length of its value. */
	head(field: number, length: number): this {
		this.#buffer[this.#at] = delimitedTag(field);
		this.#at += 1;
		let rest = length;
		while (rest >= 0x80) {
			this.#buffer[this.#at] = (rest & 0x7f) | 0x80;
			this.#at += 1;
			rest = Math.floor(rest / 0x80);
		}
		this.#buffer[this.#at] = rest;
		this.#at += 1;
		return this;
	}

	text(field: number, value: string, length: number): this {
		this.head(field, length);
		this.#at += this.#buffer.write(value, this.#at, "utf8");
		return this;
	}

	bytes(field: number, value: Uint8Array): this {
		this.head(field, value.length);
		this.#buffer.set(value, this.#at);
		this.#at += value.length;
		return this;
	}

	/** The buffer; it must be full. */
	finish(): Buffer {
		if (this.#at !== this.#buffer.length) {
			throw new Error("A message was measured wrongly.");
		}
		return this.#buffer;
	}
}

function fieldBytes(length: number): number {
	return 1 + varintBytes(length) + length;
}

function anyBytes(typeUrl: string, value: Uint8Array): number {
	return fieldBytes(typeUrl.length) + fieldBytes(value.length);
}

function deltaFrameOf(type: ResourceType, resource: Resource): Uint8Array {
	const typeUrl = typeUrls[type];
	const nameLength = Buffer.byteLength(resource.name);
	const versionLength = Buffer.byteLength(resource.version);
	const anyLength = anyBytes(typeUrl, resource.bytes);
	const length =
		fieldBytes(versionLength) + fieldBytes(anyLength) + fieldBytes(nameLength);
	// Frames live as long as their resource: one in Node's shared pool would keep its neighbours.
	return new FieldWriter(Buffer.allocUnsafeSlow(fieldBytes(length)))
		.head(response.resources, length)
		.text(resourceMessage.version, resource.version, versionLength)
		.text(resourceMessage.name, resource.name, nameLength)
		.head(resourceMessage.resource, anyLength)
		.text(any.typeUrl, typeUrl, typeUrl.length)
		.bytes(any.value, resource.bytes)
		.finish();
}

function sotwFrameOf(type: ResourceType, resource: Resource): Uint8Array {
	const typeUrl = typeUrls[type];
	const length = anyBytes(typeUrl, resource.bytes);
	return new FieldWriter(Buffer.allocUnsafeSlow(fieldBytes(length)))
		.head(response.resources, length)
		.text(any.typeUrl, typeUrl, typeUrl.length)
		.bytes(any.value, resource.bytes)
		.finish();
}

type Frames = {
	readonly [T in ResourceType]: (
		resources: readonly Resource[],
	) => Uint8Array[];
};

function framesBy(
	frameOf: (type: ResourceType, resource: Resource) => Uint8Array,
): Frames {
	const framesOf = (type: ResourceType) =>
		partsBy(memoByInput((resource: Resource) => frameOf(type, resource)));
	return {
		cluster: framesOf("cluster"),
		endpoint: framesOf("endpoint"),
		listener: framesOf("listener"),
		route: framesOf("route"),
		virtualHost: framesOf("virtualHost"),
	};
}

const deltaFrames = framesBy(deltaFrameOf);
const sotwFrames = framesBy(sotwFrameOf);

function textField(field: number, value: string): Uint8Array {
	const length = Buffer.byteLength(value);
	return new FieldWriter(Buffer.allocUnsafe(fieldBytes(length)))
		.text(field, value, length)
		.finish();
}

/**
 * An encoded `DeltaDiscoveryResponse`, in parts of which the resources are shared between streams.
 *
 * @param resources in lists, of which each that other responses have too is looked up as a whole
 */
export function deltaResponse(
	type: ResourceType,
	resources: readonly (readonly Resource[])[],
	removed: readonly string[],
	nonce: string,
): readonly Uint8Array[] {
	const parts = resources.flatMap(deltaFrames[type]);
	for (const name of removed) {
		parts.push(textField(response.removedResources, name));
	}
	parts.push(tail(typeUrls[type], nonce));
	return parts;
}

/** An encoded `DiscoveryResponse`, in parts of which the resources are shared between streams. */
export function sotwResponse(
	type: ResourceType,
	resources: readonly Resource[],
	version: string,
	nonce: string,
): readonly Uint8Array[] {
	const parts = sotwFrames[type](resources);
	parts.push(textField(response.versionInfo, version));
	parts.push(tail(typeUrls[type], nonce));
	return parts;
}

/** An encoded response without resources: of either kind, and of a type that is not served. */
export function emptyResponse(
	typeUrl: string,
	nonce: string,
): readonly Uint8Array[] {
	return [tail(typeUrl, nonce)];
}

function tail(typeUrl: string, nonce: string): Uint8Array {
	const typeUrlLength = Buffer.byteLength(typeUrl);
	const bytes = fieldBytes(typeUrlLength) + fieldBytes(nonce.length);
	return new FieldWriter(Buffer.allocUnsafe(bytes))
		.text(response.typeUrl, typeUrl, typeUrlLength)
		.text(response.nonce, nonce, nonce.length)
		.finish();
}
