import { fromBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { DeltaDiscoveryResponseSchema } from "../../src/gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import type {
	DeltaRequest,
	DeltaStream,
} from "../../src/xds/protocol/delta.ts";
import type { ResourceType } from "../../src/xds/resource-type.ts";

/** A response in short. */
export interface SentDelta {
	readonly type: ResourceType;
	readonly nonce: string;
	/** `name@version`, and `-name` for what was removed. */
	readonly body: readonly string[];
}

/** A request of a delta stream that says nothing but what is given. */
export function deltaRequest(
	said: Pick<DeltaRequest, "type"> & Partial<DeltaRequest>,
): DeltaRequest {
	return {
		subscribe: [],
		unsubscribe: [],
		initialVersions: new Map(),
		nonce: "",
		error: undefined,
		...said,
	};
}

/** Everything that a stream can send now. */
export function sentDeltas(
	stream: DeltaStream,
	nowMs: number,
): readonly SentDelta[] {
	const all: SentDelta[] = [];
	for (;;) {
		const outgoing = stream.next(nowMs);
		if (outgoing === undefined) return all;
		const { type, nonce, parts } = outgoing;
		const message = fromBinary(
			DeltaDiscoveryResponseSchema,
			Buffer.concat(parts),
		);
		expect(message.nonce).to.equal(nonce);
		const put = message.resources.map(
			({ name, version }) => `${name}@${version}`,
		);
		const removed = message.removedResources.map((name) => `-${name}`);
		all.push({ type, nonce, body: [...put, ...removed] });
	}
}
