import {
	create,
	type DescField,
	type DescMessage,
	type JsonValue,
	type MessageInitShape,
	ScalarType,
	toBinary,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { isWrapperDesc, StructSchema } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import fc from "fast-check";
import { CircuitBreakersSchema } from "../../gen/envoy/envoy/config/cluster/v3/circuit_breaker_pb.js";
import { ClusterSchema } from "../../gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import { SocketAddressSchema } from "../../gen/envoy/envoy/config/core/v3/address_pb.js";
import {
	MetadataSchema,
	NodeSchema,
} from "../../gen/envoy/envoy/config/core/v3/base_pb.js";
import { LbEndpointSchema } from "../../gen/envoy/envoy/config/endpoint/v3/endpoint_components_pb.js";
import { RouteConfigurationSchema } from "../../gen/envoy/envoy/config/route/v3/route_pb.js";
import { FaultDelaySchema } from "../../gen/envoy/envoy/extensions/filters/common/fault/v3/fault_pb.js";
import { RingHashSchema } from "../../gen/envoy/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.js";
import { PercentSchema } from "../../gen/envoy/envoy/type/v3/percent_pb.js";
import { files } from "../../gen/envoy/files.js";
import { encode, pack } from "./encode.ts";

type Init = Record<string, unknown>;

describe("encode", () => {
	it("agrees with the library on every field of every generated type", () => {
		for (const type of generatedTypes()) {
			for (const field of type.fields) {
				const values = fieldValue(field, 1).map((value) =>
					messageWith([[field, value]]),
				);
				fc.assert(
					fc.property(values, (message) => agreesWithLibrary(type, message)),
					{ numRuns: 12 },
				);
			}
		}
	}).timeout(15_000);

	it("agrees with the library on messages with many fields", () => {
		for (const type of generatedTypes()) {
			fc.assert(
				fc.property(messageOf(type, 2), (message) =>
					agreesWithLibrary(type, message),
				),
				{ numRuns: 20 },
			);
		}
	}).timeout(15_000);

	it("agrees with the library on messages that outgrow the buffer", () => {
		const message: MessageInitShape<typeof RouteConfigurationSchema> = {
			virtualHosts: Array.from({ length: 5_000 }, (_, i) => ({
				name: `host-${i}`,
				domains: [`host-${i}.example`, "ü".repeat(i)],
			})),
		};
		expectSameBytes(
			encode(RouteConfigurationSchema, message),
			library(RouteConfigurationSchema, message),
		);
	});

	it("writes a message that the library made, with the fields its type does not know", () => {
		const message = create(ClusterSchema, { name: "reviews" });
		message.$unknown = [
			{ no: 2000, wireType: 0, data: Uint8Array.of(0x96, 0x01) },
			{ no: 2001, wireType: 2, data: Uint8Array.of(0x01, 0x41) },
		];
		expectSameBytes(
			encode(ClusterSchema, message),
			toBinary(ClusterSchema, message),
		);
	});

	it("writes a lone surrogate as the replacement character", () => {
		expectSameBytes(
			encode(ClusterSchema, { name: "a\ud800" }),
			encode(ClusterSchema, { name: "a\ufffd" }),
		);
	});

	it("gives equal bytes for maps of equal content in any order", () => {
		fc.assert(
			fc.property(
				fc.uniqueArray(fc.string(), { minLength: 2, maxLength: 20 }),
				(keys) => {
					const metadata = (order: readonly string[]) =>
						encode(MetadataSchema, {
							filterMetadata: Object.fromEntries(
								order.map((key) => [
									key,
									Object.fromEntries(order.map((inner) => [inner, inner])),
								]),
							),
						});
					expectSameBytes(metadata(keys), metadata(keys.toReversed()));
				},
			),
		);
	});

	it("orders map entries by key, also keys that look like numbers", () => {
		const entry = (key: string) =>
			encode(NodeSchema, { dynamicParameters: { [key]: {} } });
		expectSameBytes(
			encode(NodeSchema, { dynamicParameters: { 9: {}, a: {}, 10: {} } }),
			Buffer.concat([entry("10"), entry("9"), entry("a")]),
		);
	});

	it("encodes inside of an encoding", () => {
		const message: MessageInitShape<typeof ClusterSchema> = {
			name: "outer",
			get altStatName() {
				return Buffer.from(encode(ClusterSchema, { name: "inner" })).toString();
			},
		};
		expectSameBytes(
			encode(ClusterSchema, message),
			library(ClusterSchema, message),
		);
	});

	describe("refuses", () => {
		const port = (portValue: number) => () =>
			encode(SocketAddressSchema, {
				address: "10.0.0.1",
				portSpecifier: { case: "portValue", value: portValue },
			});
		const refusals: readonly [string, () => unknown, string][] = [
			["a uint32 below zero", port(-1), "SocketAddress.port_value"],
			["a uint32 beyond 32 bits", port(2 ** 32), "SocketAddress.port_value"],
			["a uint32 with a fraction", port(80.5), "SocketAddress.port_value"],
			["NaN as uint32", port(Number.NaN), "SocketAddress.port_value"],
			[
				"an unwrapped uint32 below zero",
				() => encode(LbEndpointSchema, { loadBalancingWeight: -1 }),
				"LbEndpoint.load_balancing_weight",
			],
			[
				"an enum beyond 32 bits",
				() => encode(SocketAddressSchema, { protocol: 2 ** 31 }),
				"SocketAddress.protocol",
			],
			[
				"an infinite double",
				() => encode(PercentSchema, { value: Number.POSITIVE_INFINITY }),
				"Percent.value",
			],
			[
				"an int64 beyond 64 bits",
				() =>
					encode(FaultDelaySchema, {
						faultDelaySecifier: {
							case: "fixedDelay",
							value: { seconds: 2n ** 63n },
						},
					}),
				"Duration.seconds",
			],
			[
				"a uint64 below zero",
				() => encode(RingHashSchema, { minimumRingSize: -1n }),
				"RingHash.minimum_ring_size",
			],
			[
				"a number for a string",
				() => encode(ClusterSchema, { name: 7 as unknown as string }),
				"Cluster.name",
			],
			[
				"a string for bytes",
				() =>
					encode(ClusterSchema, {
						transportSocket: {
							name: "tls",
							configType: {
								case: "typedConfig",
								value: { value: "x" as unknown as Uint8Array },
							},
						},
					}),
				"Any.value",
			],
			[
				"undefined inside of a Struct",
				() =>
					encode(MetadataSchema, {
						filterMetadata: {
							lateen: { rule: undefined as unknown as JsonValue },
						},
					}),
				"Metadata.filter_metadata",
			],
			[
				"a number for a list of messages",
				() =>
					encode(CircuitBreakersSchema, {
						thresholds: [{ maxConnections: 1.5 }],
					}),
				"Thresholds.max_connections",
			],
		];
		for (const [what, attempt, field] of refusals) {
			it(`${what}, naming the field`, () => {
				expect(attempt).to.throw(Error, field);
			});
		}

		it("without harm to the next message", () => {
			expect(port(-1)).to.throw();
			expectSameBytes(
				encode(ClusterSchema, { name: "reviews" }),
				library(ClusterSchema, { name: "reviews" }),
			);
		});

		it("a type that is not generated", () => {
			const foreign = { ...StructSchema, typeName: "example.Foreign" };
			expect(() => encode(foreign, {})).to.throw(Error, "example.Foreign");
		});
	});
});

describe("pack", () => {
	it("gives the type URL and the bytes of the message", () => {
		const { typeUrl, value } = pack(ClusterSchema, { name: "reviews" });
		expect(typeUrl).to.equal(
			"type.googleapis.com/envoy.config.cluster.v3.Cluster",
		);
		expectSameBytes(value, encode(ClusterSchema, { name: "reviews" }));
	});
});

function generatedTypes(): readonly DescMessage[] {
	return files
		.flatMap((file) => [...nestedTypes(file)])
		.filter((type) => type.kind === "message");
}

function agreesWithLibrary(type: DescMessage, message: Init): void {
	expectSameBytes(encode(type, message), library(type, message));
}

function library<Desc extends DescMessage>(
	type: Desc,
	message: MessageInitShape<Desc>,
): Uint8Array {
	return toBinary(type, create(type, message));
}

function expectSameBytes(actual: Uint8Array, expected: Uint8Array): void {
	if (Buffer.compare(actual, expected) === 0) return;
	expect(Buffer.from(actual).toString("hex")).to.equal(
		Buffer.from(expected).toString("hex"),
	);
}

function messageWith(
	entries: readonly (readonly [DescField, unknown])[],
): Init {
	return Object.fromEntries(
		entries.map(([field, value]) =>
			field.oneof === undefined
				? [field.localName, value]
				: [field.oneof.localName, { case: field.localName, value }],
		),
	);
}

/** A message with a few of its fields, nested at most `depth` deep. */
function messageOf(type: DescMessage, depth: number): fc.Arbitrary<Init> {
	const fields = type.fields.filter(
		(field) => depth > 0 || field.message === undefined,
	);
	return fc
		.tuple(
			...fields.map((field) =>
				fc.oneof(
					{ weight: 3, arbitrary: fc.constant(undefined) },
					{
						weight: 1,
						arbitrary: fieldValue(field, depth).map(
							(value) => [field, value] as const,
						),
					},
				),
			),
		)
		.map((entries) =>
			messageWith(entries.filter((entry) => entry !== undefined)),
		);
}

function fieldValue(field: DescField, depth: number): fc.Arbitrary<unknown> {
	switch (field.fieldKind) {
		case "scalar":
			return scalar(field.scalar);
		case "enum":
			return scalar(ScalarType.INT32);
		case "message":
			return isWrapperDesc(field.message) && field.oneof === undefined
				? wrapped(field.message)
				: messageValue(field, field.message, depth);
		case "list":
			return fc.array(elementValue(field, depth), { maxLength: 3 });
		case "map":
			return fc
				.uniqueArray(
					fc.tuple(mapKey(field.mapKey), elementValue(field, depth)),
					{ maxLength: 3, selector: ([key]) => key },
				)
				.map(inOrder);
	}
}

function elementValue(
	field: DescField & { fieldKind: "list" | "map" },
	depth: number,
): fc.Arbitrary<unknown> {
	if (field.message !== undefined) {
		return messageValue(field, field.message, depth);
	}
	return scalar(field.scalar ?? ScalarType.INT32);
}

function messageValue(
	field: DescField,
	type: DescMessage,
	depth: number,
): fc.Arbitrary<unknown> {
	return type.typeName === "google.protobuf.Struct" &&
		field.parent.typeName !== "google.protobuf.Value"
		? json.object
		: messageOf(type, depth - 1);
}

function wrapped(type: DescMessage): fc.Arbitrary<unknown> {
	const [field] = type.fields;
	if (field?.fieldKind !== "scalar") throw new Error(`${type} wraps no scalar`);
	return scalar(field.scalar);
}

/** Entries in the order in which the encoder writes them, which the library takes from the object. */
function inOrder<Value>(
	entries: readonly (readonly [string, Value])[],
): Readonly<Record<string, Value>> {
	return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

// The letter keeps the library from seeing the key as an array index, which JavaScript would put first.
const key = fc.string({ maxLength: 8 }).map((text) => `k${text}`);

function mapKey(type: ScalarType): fc.Arbitrary<string> {
	switch (type) {
		case ScalarType.STRING:
			return key;
		case ScalarType.BOOL:
			return fc.constantFrom("true", "false");
		default:
			return fc.nat().map(String);
	}
}

const json = fc.letrec<{
	value: JsonValue;
	object: Readonly<Record<string, JsonValue>>;
}>((tie) => ({
	value: fc.oneof(
		{ maxDepth: 2 },
		fc.string(),
		fc.double({ noNaN: true, noDefaultInfinity: true }),
		fc.boolean(),
		fc.constant(null),
		fc.array(tie("value"), { maxLength: 3 }),
		tie("object"),
	),
	object: fc
		.uniqueArray(fc.tuple(key, tie("value")), {
			maxLength: 3,
			selector: ([name]) => name,
		})
		.map(inOrder),
}));

const text = fc.oneof(
	fc.string({ unit: "binary" }),
	fc.string({ unit: "grapheme-ascii", minLength: 40, maxLength: 200 }),
);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
	switch (type) {
		case ScalarType.DOUBLE:
			return orZero(0, fc.double({ noNaN: true, noDefaultInfinity: true }));
		case ScalarType.INT32:
			return orZero(0, fc.oneof(int32, fc.integer({ min: -200, max: 200 })));
		case ScalarType.UINT32:
			return orZero(0, fc.oneof(uint32, fc.nat(200)));
		case ScalarType.INT64:
			return orZero(0n, fc.oneof(int64, fc.bigInt({ min: -200n, max: 200n })));
		case ScalarType.UINT64:
			return orZero(0n, fc.oneof(uint64, fc.bigInt({ min: 0n, max: 200n })));
		case ScalarType.BOOL:
			return fc.boolean();
		case ScalarType.STRING:
			return orZero("", text);
		case ScalarType.BYTES:
			return orZero(new Uint8Array(), fc.uint8Array({ maxLength: 60 }));
		default:
			throw new Error(`no values of scalar type ${ScalarType[type]}`);
	}
}

/** The zero value often: whether it is written depends on the field's presence. */
function orZero(
	zero: unknown,
	values: fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
	return fc.oneof(
		{ weight: 1, arbitrary: fc.constant(zero) },
		{ weight: 4, arbitrary: values },
	);
}
