import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import fc from "fast-check";
import {
	DeltaDiscoveryResponseSchema,
	DiscoveryResponseSchema,
	ResourceSchema,
} from "../../gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import type { Resource } from "../resource.ts";
import { sendOrder, typeUrls } from "../resource-type.ts";
import { deltaResponse, emptyResponse, sotwResponse } from "./frames.ts";

const resources: fc.Arbitrary<readonly Resource[]> = fc.array(
	fc.record({
		name: fc.string({ unit: "grapheme", maxLength: 300 }),
		version: fc.string({ maxLength: 20 }),
		bytes: fc
			.tuple(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(1, 10, 1000))
			.map(([bytes, times]) =>
				Buffer.concat(Array.from({ length: times }, () => bytes)),
			),
		origins: fc.constant([]),
	}),
	{ maxLength: 5 },
);
const type = fc.constantFrom(...sendOrder);
const nonce = fc.string({ unit: "binary-ascii", maxLength: 10 });

/** Both sides as the library encodes them: the order of fields in our bytes is free. */
describe("responses made of frames", () => {
	it("are what the protobuf library reads as the same delta response", () => {
		const names = fc.array(fc.string({ unit: "grapheme" }), { maxLength: 3 });
		fc.assert(
			fc.property(
				type,
				resources,
				names,
				nonce,
				(type, list, removed, nonce) => {
					const read = fromBinary(
						DeltaDiscoveryResponseSchema,
						Buffer.concat(
							deltaResponse(
								type,
								[list.slice(0, 2), list.slice(2)],
								removed,
								nonce,
							),
						),
					);
					const want = create(DeltaDiscoveryResponseSchema, {
						typeUrl: typeUrls[type],
						nonce,
						removedResources: [...removed],
						resources: list.map(({ name, version, bytes }) =>
							create(ResourceSchema, {
								name,
								version,
								resource: { typeUrl: typeUrls[type], value: bytes },
							}),
						),
					});
					expect(toBinary(DeltaDiscoveryResponseSchema, read)).to.deep.equal(
						toBinary(DeltaDiscoveryResponseSchema, want),
					);
				},
			),
		);
	});

	it("are what the protobuf library reads as the same state-of-the-world response", () => {
		fc.assert(
			fc.property(
				type,
				resources,
				fc.string(),
				nonce,
				(type, list, version, nonce) => {
					const read = fromBinary(
						DiscoveryResponseSchema,
						Buffer.concat(sotwResponse(type, list, version, nonce)),
					);
					const want = create(DiscoveryResponseSchema, {
						typeUrl: typeUrls[type],
						versionInfo: version,
						nonce,
						resources: list.map(({ bytes }) => ({
							typeUrl: typeUrls[type],
							value: bytes,
						})),
					});
					expect(toBinary(DiscoveryResponseSchema, read)).to.deep.equal(
						toBinary(DiscoveryResponseSchema, want),
					);
				},
			),
		);
	});

	it("share the bytes of a resource", () => {
		const resource = {
			name: "x",
			version: "1",
			bytes: Buffer.alloc(9),
			origins: [],
		};
		const [one] = deltaResponse("cluster", [[resource]], [], "1");
		const [other] = deltaResponse("cluster", [[resource]], [], "2");
		expect(one).to.equal(other);
	});

	it("can be empty, of a type that is not served", () => {
		const read = fromBinary(
			DeltaDiscoveryResponseSchema,
			Buffer.concat(emptyResponse("type.googleapis.com/é", "n")),
		);
		expect(read.typeUrl).to.equal("type.googleapis.com/é");
		expect(read.nonce).to.equal("n");
	});
});
