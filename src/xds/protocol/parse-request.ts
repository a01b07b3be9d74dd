import { fromBinary } from "@bufbuild/protobuf";
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

/** Reads an encoded `DeltaDiscoveryRequest`, or answers undefined when it is none. */
export function parseDeltaRequest(
	bytes: Uint8Array,
): ParsedRequest<DeltaRequest> | undefined {
	const message = decode(() => fromBinary(DeltaDiscoveryRequestSchema, bytes));
	if (message === undefined) return undefined;
	const { typeUrl, node, errorDetail } = message;
	const type = resourceTypeOf(typeUrl);
	const request = type && {
		type,
		subscribe: message.resourceNamesSubscribe,
		unsubscribe: message.resourceNamesUnsubscribe,
		initialVersions: new Map(Object.entries(message.initialResourceVersions)),
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
