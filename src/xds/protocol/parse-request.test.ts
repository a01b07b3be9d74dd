import { create, toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import fc from "fast-check";
import { DeltaDiscoveryRequestSchema } from "../../gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import { sendOrder, typeUrls } from "../resource-type.ts";
import {
	type ParsedRequest,
	parseDeltaRequest,
	parseOnce,
} from "./parse-request.ts";

const text = fc.string({ unit: "grapheme" });
const texts = fc.array(text, { maxLength: 5 });

describe("parseDeltaRequest", () => {
	it("reads what the library has written", () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...sendOrder),
				texts,
				texts,
				fc.array(fc.tuple(text, text), { maxLength: 5 }),
				text,
				(type, subscribe, unsubscribe, versions, nonce) => {
					const bytes = toBinary(
						DeltaDiscoveryRequestSchema,
						create(DeltaDiscoveryRequestSchema, {
							typeUrl: typeUrls[type],
							resourceNamesSubscribe: subscribe,
							resourceNamesUnsubscribe: unsubscribe,
							initialResourceVersions: Object.fromEntries(versions),
							responseNonce: nonce,
							node: { id: "one" },
						}),
					);
					const parsed = parseDeltaRequest(bytes);
					expect(parsed?.node?.id).to.equal("one");
					expect(parsed?.typeUrl).to.equal(typeUrls[type]);
					expect(parsed?.request).to.deep.equal({
						type,
						subscribe,
						unsubscribe,
						initialVersions: new Map(
							Object.entries(Object.fromEntries(versions)),
						),
						nonce,
						error: undefined,
					});
				},
			),
		);
	});

	it("answers undefined for bytes that are no request, and never throws", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
				const parsed = parseDeltaRequest(bytes);
				if (parsed !== undefined) expect(parsed.typeUrl).to.be.a("string");
			}),
		);
		expect(parseDeltaRequest(Uint8Array.of(0x2a, 9, 1))).to.equal(undefined);
	});
});

describe("parseOnce", () => {
	const bytesOf = (name: string, count: number, node?: { id: string }) =>
		toBinary(
			DeltaDiscoveryRequestSchema,
			create(DeltaDiscoveryRequestSchema, {
				typeUrl: typeUrls.endpoint,
				resourceNamesSubscribe: Array(count).fill(name),
				...(node && { node }),
			}),
		);

	function counting() {
		let reads = 0;
		const parse = parseOnce((bytes): ParsedRequest<unknown> | undefined => {
			reads += 1;
			return parseDeltaRequest(bytes);
		});
		return { parse, reads: () => reads };
	}

	it("reads a large request once, whoever sends it", () => {
		const { parse, reads } = counting();
		const first = parse(bytesOf("one", 2000));
		expect(parse(bytesOf("one", 2000))).to.equal(first);
		expect(reads()).to.equal(1);
		expect(parse(bytesOf("two", 2000))?.request).to.deep.include({
			subscribe: Array(2000).fill("two"),
		});
	});

	it("keeps no small request, and none that says who asks", () => {
		const { parse, reads } = counting();
		for (let n = 0; n < 2; n++) {
			parse(bytesOf("one", 3));
			parse(bytesOf("one", 2000, { id: "me" }));
		}
		expect(reads()).to.equal(4);
	});
});
