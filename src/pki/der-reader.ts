// Reading of DER. Certificates come from Secrets that anybody with rights may
// write, so whatever a second reader could understand in another way is
// refused: indefinite and longer than needed lengths, long tags, bytes left over.

import { derTag } from "./der.ts";
import { DerError } from "./der-error.ts";

/** One element; the arrays are views of what was read. */
export interface DerElement {
	readonly tag: number;
	readonly content: Uint8Array;
	/** With its header. */
	readonly whole: Uint8Array;
}

/** More than any certificate has; a chain is read one by one. */
const maxBytes = 64 * 1024;

/** The only element of the bytes. Fails with a `DerError`. */
export function readDer(bytes: Uint8Array): DerElement {
	if (bytes.length > maxBytes) {
		throw new DerError(`It has more than ${maxBytes} bytes.`);
	}
	const element = readElement(bytes);
	if (element.whole.length < bytes.length) {
		throw new DerError("Bytes follow after its end.");
	}
	return element;
}

/** The elements inside a constructed one. Fails with a `DerError`. */
export function readMembers(parent: DerElement): readonly DerElement[] {
	if ((parent.tag & 0x20) === 0) throw new DerError("A part has no members.");
	const members: DerElement[] = [];
	for (let rest = parent.content; rest.length > 0; ) {
		const member = readElement(rest);
		members.push(member);
		rest = rest.subarray(member.whole.length);
	}
	return members;
}

function readElement(bytes: Uint8Array): DerElement {
	const [tag, first] = bytes;
	if (tag === undefined || first === undefined) throw tooShort();
	if ((tag & 0x1f) === 0x1f) {
		throw new DerError("A part has a tag that is not used in certificates.");
	}
	let start = 2;
	let length = first;
	if (first >= 0x80) {
		const lengthBytes = first & 0x7f;
		// Four bytes count more than is ever read; none means an indefinite length.
		if (lengthBytes === 0 || lengthBytes > 4) throw badLength();
		length = 0;
		for (const byte of bytes.subarray(2, 2 + lengthBytes)) {
			length = length * 256 + byte;
		}
		start += lengthBytes;
		if (length < 128 || length < 256 ** (lengthBytes - 1)) throw badLength();
	}
	const end = start + length;
	if (end > bytes.length) throw tooShort();
	return {
		tag,
		content: bytes.subarray(start, end),
		whole: bytes.subarray(0, end),
	};
}

/** The element, when it has the tag. Fails with a `DerError` that names the place. */
export function expectTag(
	element: DerElement | undefined,
	tag: number,
	place: string,
): DerElement {
	if (element?.tag === tag) return element;
	throw new DerError(
		element === undefined
			? `Its ${place} is missing.`
			: `Its ${place} is of the wrong type.`,
	);
}

/** A non-negative INTEGER as big-endian bytes. */
export function readInteger(
	element: DerElement | undefined,
	place: string,
): Uint8Array {
	const { content } = expectTag(element, derTag.integer, place);
	const [first, second = 0] = content;
	const isPadded = first === 0 && content.length > 1 && second < 0x80;
	if (first === undefined || first >= 0x80 || isPadded) {
		throw new DerError(`Its ${place} is no number that can be used.`);
	}
	return first === 0 && content.length > 1 ? content.subarray(1) : content;
}

/** A BOOLEAN. */
export function readBoolean(
	element: DerElement | undefined,
	place: string,
): boolean {
	const { content } = expectTag(element, derTag.boolean, place);
	const [byte] = content;
	if (content.length !== 1 || (byte !== 0 && byte !== 0xff)) {
		throw new DerError(`Its ${place} is neither true nor false.`);
	}
	return byte === 0xff;
}

/** An OBJECT IDENTIFIER in dotted form. */
export function readOid(
	element: DerElement | undefined,
	place: string,
): string {
	const { content } = expectTag(element, derTag.oid, place);
	const arcs: number[] = [];
	let arc = 0;
	let isInside = false;
	for (const byte of content) {
		if (!isInside && byte === 0x80) throw badOid(place);
		arc = arc * 128 + (byte & 0x7f);
		if (arc > Number.MAX_SAFE_INTEGER / 128) throw badOid(place);
		isInside = byte >= 0x80;
		if (isInside) continue;
		if (arcs.length === 0) {
			const root = Math.min(2, Math.floor(arc / 40));
			arcs.push(root, arc - root * 40);
		} else arcs.push(arc);
		arc = 0;
	}
	if (isInside || arcs.length === 0) throw badOid(place);
	return arcs.join(".");
}

/** UTCTime or GeneralizedTime in the one form that RFC 5280 allows, as milliseconds since the epoch. */
export function readTime(
	element: DerElement | undefined,
	place: string,
): number {
	const text = Buffer.from(element?.content ?? []).toString("latin1");
	const isUtc = element?.tag === derTag.utcTime;
	const isGeneralized = element?.tag === derTag.generalizedTime;
	const found = isUtc
		? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
		: isGeneralized
			? /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
			: null;
	const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (
		found ?? []
	)
		.slice(1)
		.map(Number);
	const fullYear = isUtc ? year + (year < 50 ? 2000 : 1900) : year;
	const atMs = Date.UTC(fullYear, month - 1, day, hour, minute, second);
	const at = new Date(atMs);
	// Date.UTC counts a 31st of February on into March.
	const isReal =
		found !== null &&
		at.getUTCMonth() === month - 1 &&
		at.getUTCDate() === day &&
		at.getUTCHours() === hour &&
		at.getUTCMinutes() === minute &&
		at.getUTCSeconds() === second;
	if (isReal) return atMs;
	throw new DerError(`Its ${place} is no time.`);
}

function tooShort(): DerError {
	return new DerError("It ends too early.");
}

function badLength(): DerError {
	return new DerError("A part has a length in a form that DER does not allow.");
}

function badOid(place: string): DerError {
	return new DerError(`Its ${place} is no object identifier.`);
}
