import { expect } from "chai";
import fc from "fast-check";
import {
	derBoolean,
	derElement,
	derInteger,
	derOid,
	derSequence,
	derTime,
} from "./der.ts";
import { DerError } from "./der-error.ts";
import {
	readBoolean,
	readDer,
	readInteger,
	readMembers,
	readOid,
	readTime,
} from "./der-reader.ts";

function fromHex(hex: string): Uint8Array {
	return Buffer.from(hex.replace(/ /g, ""), "hex");
}

function hexOf(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString("hex");
}

describe("DER", () => {
	it("reads elements of any length as they were written", () => {
		fc.assert(
			fc.property(
				fc.constantFrom(0x02, 0x04, 0x30, 0xa3),
				fc.oneof(
					fc.uint8Array({ maxLength: 300 }),
					fc.integer({ min: 0, max: 60_000 }).map((n) => Buffer.alloc(n, 1)),
				),
				(tag, content) => {
					const read = readDer(derElement(tag, content));
					expect(read.tag).to.equal(tag);
					expect(Buffer.compare(read.content, content)).to.equal(0);
				},
			),
		);
	});

	it("reads the members of a sequence in order", () => {
		const whole = derSequence(derBoolean(true), derOid("2.5.4.3"));
		const [first, second, ...more] = readMembers(readDer(whole));
		expect(readBoolean(first, "x")).to.equal(true);
		expect(readOid(second, "x")).to.equal("2.5.4.3");
		expect(more).to.have.length(0);
	});

	it("reads numbers without the zeros before them", () => {
		fc.assert(
			fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
				const read = readInteger(readDer(derInteger(bytes)), "x");
				const value = BigInt(`0x${hexOf(bytes)}`);
				expect(BigInt(`0x${hexOf(read)}`)).to.equal(value);
				expect(read.length === 1 || read[0] !== 0).to.equal(true);
			}),
		);
	});

	it("reads object identifiers as they were written", () => {
		const arc = fc.integer({ min: 0, max: 2 ** 40 });
		fc.assert(
			fc.property(
				fc.integer({ min: 0, max: 39 }),
				fc.array(arc, { maxLength: 6 }),
				(second, rest) => {
					const dotted = ["1", second, ...rest].join(".");
					expect(readOid(readDer(derOid(dotted)), "x")).to.equal(dotted);
				},
			),
		);
		// As in RFC 5480.
		expect(hexOf(derOid("1.2.840.10045.4.3.2"))).to.equal(
			"06082a8648ce3d040302",
		);
		expect(readOid(readDer(derOid("2.999.3")), "x")).to.equal("2.999.3");
	});

	it("reads times as they were written, before and after 2050", () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 0, max: Date.UTC(9999, 0) / 1000 }),
				(seconds) => {
					const read = readTime(readDer(derTime(seconds * 1000)), "x");
					expect(read).to.equal(seconds * 1000);
				},
			),
		);
		expect(readDer(derTime(Date.UTC(2049, 11, 31, 23, 59, 59))).tag).to.equal(
			0x17,
		);
		expect(readDer(derTime(Date.UTC(2050, 0, 1))).tag).to.equal(0x18);
	});

	const refused = [
		{ name: "nothing", hex: "" },
		{ name: "a header only", hex: "30" },
		{ name: "less than is announced", hex: "3003 0101" },
		{ name: "bytes after its end", hex: "3000 00" },
		{ name: "an indefinite length", hex: "3080 0000" },
		{ name: "a length in a longer form than needed", hex: "308101 00" },
		{
			name: "a length with a leading zero",
			hex: `30820080${"00".repeat(128)}`,
		},
		{ name: "a length of five bytes", hex: "308500000000 80" },
		{ name: "a tag of several bytes", hex: "1f8101 00" },
	];
	for (const { name, hex } of refused) {
		it(`refuses ${name}`, () => {
			expect(() => readDer(fromHex(hex))).to.throw(DerError);
		});
	}

	const wrong = [
		{ name: "a negative number", read: readInteger, hex: "0201 80" },
		{
			name: "a number with a needless zero",
			read: readInteger,
			hex: "0202 0001",
		},
		{ name: "a number without bytes", read: readInteger, hex: "0200" },
		{ name: "a boolean that is neither", read: readBoolean, hex: "0101 01" },
		{ name: "an unfinished identifier", read: readOid, hex: "0602 2a86" },
		{
			name: "an identifier with a needless byte",
			read: readOid,
			hex: "0603 2a8001",
		},
		{ name: "an identifier without bytes", read: readOid, hex: "0600" },
		{
			name: "the 31st of February",
			read: readTime,
			hex: `170d${Buffer.from("260231000000Z").toString("hex")}`,
		},
		{
			name: "a time with a zone",
			read: readTime,
			hex: `1711${Buffer.from("260201000000+0100").toString("hex")}`,
		},
		{
			name: "a time without seconds",
			read: readTime,
			hex: `170b${Buffer.from("2602010000Z").toString("hex")}`,
		},
	];
	for (const { name, read, hex } of wrong) {
		it(`refuses ${name}`, () => {
			expect(() => read(readDer(fromHex(hex)), "serial number")).to.throw(
				DerError,
				"Its serial number",
			);
		});
	}

	it("fails on random bytes with nothing but a DerError", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
				try {
					readMembers(readDer(bytes));
				} catch (error) {
					expect(error).to.be.instanceOf(DerError);
				}
			}),
		);
	});
});
