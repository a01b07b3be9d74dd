// Writing of DER (ITU-T X.690 chapter 10): each function makes one whole
// element. Only what certificates need.

/** Tags of the elements that occur in certificates. */
export const derTag = {
	boolean: 0x01,
	integer: 0x02,
	bitString: 0x03,
	octetString: 0x04,
	null: 0x05,
	oid: 0x06,
	utf8String: 0x0c,
	utcTime: 0x17,
	generalizedTime: 0x18,
	sequence: 0x30,
	set: 0x31,
} as const;

/** An element of any tag around its content. */
export function derElement(
	tag: number,
	...content: readonly Uint8Array[]
): Uint8Array {
	const body = Buffer.concat(content);
	const length: number[] = [];
	for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) {
		length.unshift(rest % 256);
	}
	const header =
		body.length < 128
			? [tag, body.length]
			: [tag, 0x80 | length.length, ...length];
	return Buffer.concat([Buffer.from(header), body]);
}

/** SEQUENCE. */
export function derSequence(...members: readonly Uint8Array[]): Uint8Array {
	return derElement(derTag.sequence, ...members);
}

/** SET of one member, which is the only kind whose order needs no thought. */
export function derSetOfOne(member: Uint8Array): Uint8Array {
	return derElement(derTag.set, member);
}

/** INTEGER of an unsigned big-endian number. */
export function derInteger(unsigned: Uint8Array): Uint8Array {
	let start = 0;
	while (start < unsigned.length - 1 && unsigned[start] === 0) start += 1;
	const bytes = unsigned.subarray(start);
	// The top bit is the sign.
	const sign = (bytes[0] ?? 0x80) & 0x80 ? [Buffer.from([0])] : [];
	return derElement(derTag.integer, ...sign, bytes);
}

/** BOOLEAN. */
export function derBoolean(value: boolean): Uint8Array {
	return derElement(derTag.boolean, Buffer.from([value ? 0xff : 0]));
}

/** OCTET STRING. */
export function derOctetString(content: Uint8Array): Uint8Array {
	return derElement(derTag.octetString, content);
}

/** BIT STRING of whole bytes, or with the last `unusedBits` bits of the last byte left out. */
export function derBitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
	return derElement(derTag.bitString, Buffer.from([unusedBits]), bytes);
}

/** UTF8String. */
export function derUtf8String(text: string): Uint8Array {
	return derElement(derTag.utf8String, Buffer.from(text, "utf8"));
}

/** OBJECT IDENTIFIER from its dotted form. */
export function derOid(dotted: string): Uint8Array {
	const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
	const bytes: number[] = [];
	for (const arc of [first * 40 + second, ...rest]) {
		const groups = [arc % 128];
		for (let left = Math.floor(arc / 128); left > 0; ) {
			groups.unshift((left % 128) | 0x80);
			left = Math.floor(left / 128);
		}
		bytes.push(...groups);
	}
	return derElement(derTag.oid, Buffer.from(bytes));
}

/** A time of whole seconds: UTCTime until 2049 and GeneralizedTime from 2050 on, as RFC 5280 section 4.1.2.5 asks. */
export function derTime(atMs: number): Uint8Array {
	const at = new Date(atMs);
	const digits = at.toISOString().replace(/[-:T]|\.\d+/g, "");
	return at.getUTCFullYear() < 2050
		? derElement(derTag.utcTime, Buffer.from(digits.slice(2)))
		: derElement(derTag.generalizedTime, Buffer.from(digits));
}

/** An element with a tag of its context: `[0]`, `[3]`. */
export function derContext(
	number: number,
	form: "constructed" | "primitive",
	...content: readonly Uint8Array[]
): Uint8Array {
	return derElement(
		(form === "constructed" ? 0xa0 : 0x80) | number,
		...content,
	);
}
