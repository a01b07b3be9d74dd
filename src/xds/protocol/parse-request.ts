import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Node } from "../../gen/envoy/envoy/config/core/v3/base_pb.js";
import {
	DeltaDiscoveryRequestSchema,
	DiscoveryRequestSchema,
} from "../../gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import type { Status } from "../../gen/envoy/google/rpc/status_pb.js";
import { resourceTypeOf } from "../resource-type.ts";
import type { DeltaRequest } from "./delta.ts";
import type { SotwRequest } from "./sotw.ts";

/** A request of either kind of stream. */
export interface ParsedRequest<Request> {
	readonly typeUrl: string;
	/** Clients may leave it out of all requests but the first. */
	readonly node: Node | undefined;
	/** Undefined when the type is not served on this kind of stream. */
	readonly request: Request | undefined;
}

/** Number of the field `initial_resource_versions` of a delta request. */
const versionsField = 5;

/** Requests that are so large ask for what many proxies ask for; larger ones than any mesh needs are not kept. */
const largeBytes = { min: 4096, max: 1024 * 1024 };

/** Large requests that are kept: one for each type, and some for proxies that differ. */
const keptRequests = 8;

/**
 * Makes a function that reads a large request once when many proxies send the
 * same, and answers the same message for all of them.
 */
export function parseOnce<Request>(
	parse: (bytes: Uint8Array) => ParsedRequest<Request> | undefined,
): (bytes: Uint8Array) => ParsedRequest<Request> | undefined {
	let kept: readonly {
		readonly bytes: Uint8Array;
		readonly message: ParsedRequest<Request>;
	}[] = [];
	return (bytes) => {
		const { length } = bytes;
		if (length < largeBytes.min || length > largeBytes.max) return parse(bytes);
		const known = kept.find((one) => Buffer.compare(one.bytes, bytes) === 0);
		if (known !== undefined) return known.message;
		const message = parse(bytes);
		// The first request of a stream says who asks, so it is like no other; and nobody has proven anything yet.
		if (message !== undefined && message.node === undefined)
			kept = [{ bytes, message }, ...kept].slice(0, keptRequests);
		return message;
	};
}

/** Reads an encoded `DeltaDiscoveryRequest`, or answers undefined when it is none. */
export function parseDeltaRequest(
	bytes: Uint8Array,
): ParsedRequest<DeltaRequest> | undefined {
	const read = decode(() => {
		const { versions, rest } = takeVersions(bytes);
		const message = fromBinary(DeltaDiscoveryRequestSchema, rest);
		return { versions, message };
	});
	if (read === undefined) return undefined;
	const { versions, message } = read;
	const { typeUrl, node, errorDetail } = message;
	const type = resourceTypeOf(typeUrl);
	const request = type && {
		type,
		subscribe: message.resourceNamesSubscribe,
		unsubscribe: message.resourceNamesUnsubscribe,
		initialVersions: versions,
		nonce: message.responseNonce,
		error: errorText(errorDetail),
	};
	return { typeUrl, node, request };
}

/** Reads an encoded `DiscoveryRequest`, or answers undefined when it is none. */
export function parseSotwRequest(
	bytes: Uint8Array,
): ParsedRequest<SotwRequest> | undefined {
	const message = decode(() => fromBinary(DiscoveryRequestSchema, bytes));
	if (message === undefined) return undefined;
	const { typeUrl, node, errorDetail } = message;
	const type = resourceTypeOf(typeUrl);
	const request =
		type === undefined || type === "virtualHost"
			? undefined
			: {
					type,
					names: message.resourceNames,
					nonce: message.responseNonce,
					error: errorText(errorDetail),
				};
	return { typeUrl, node, request };
}

/**
 * Takes the map of what a proxy kept out of an encoded request. Of its thousands
 * of entries the library makes an object, which takes longer than all the rest of
 * a stream's beginning.
 */
function takeVersions(bytes: Uint8Array): {
	readonly versions: ReadonlyMap<string, string>;
	/** The message without them. */
	readonly rest: Uint8Array;
} {
	const versions = new Map<string, string>();
	const rest: Uint8Array[] = [];
	const reader = new BinaryReader(bytes);
	let restStart = 0;
	while (reader.pos < reader.len) {
		const start = reader.pos;
		const [field, wireType] = reader.tag();
		if (field !== versionsField || wireType !== WireType.LengthDelimited) {
			reader.skip(wireType, field);
			continue;
		}
		rest.push(bytes.subarray(restStart, start));
		const entry = new BinaryReader(reader.bytes());
		restStart = reader.pos;
		let [name, version] = ["", ""];
		while (entry.pos < entry.len) {
			const [part, partType] = entry.tag();
			if (part === 1) name = entry.string();
			else if (part === 2) version = entry.string();
			else entry.skip(partType, part);
		}
		versions.set(name, version);
	}
	if (rest.length === 0) return { versions, rest: bytes };
	rest.push(bytes.subarray(restStart));
	return { versions, rest: Buffer.concat(rest) };
}

function decode<Message>(read: () => Message): Message | undefined {
	try {
		return read();
	} catch {
		// The library says where it stumbled, which tells nobody anything about bytes that are no request.
		return undefined;
	}
}

function errorText(status: Status | undefined): string | undefined {
	if (status === undefined) return undefined;
	return status.message === "" ? `code ${status.code}` : status.message;
}
