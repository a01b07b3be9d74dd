/*
 * Frames of HTTP/2 by hand, for clients that behave as no library lets them.
 */
import { createConnection, type Socket } from "node:net";
import type { Address } from "../../src/net/address.ts";

/** Types and flags of RFC 9113, section 6. */
export const frameType = {
	data: 0,
	headers: 1,
	resetStream: 3,
	settings: 4,
	ping: 6,
	continuation: 9,
} as const;

/** Ends the headers of a stream. */
export const endHeaders = 0x4;

/** What every client says first: the preface and empty settings. */
export const preface = Buffer.concat([
	Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	rawFrame(frameType.settings, 0, 0, Buffer.alloc(0)),
]);

/** One frame. */
export function rawFrame(
	type: number,
	flags: number,
	stream: number,
	payload: Uint8Array,
): Buffer {
	const header = Buffer.alloc(9);
	header.writeUIntBE(payload.length, 0, 3);
	header.writeUInt8(type, 3);
	header.writeUInt8(flags, 4);
	header.writeUInt32BE(stream, 5);
	return Buffer.concat([header, payload]);
}

/** Headers in HPACK's plainest form: literals that are not indexed, RFC 7541 section 6.2.2. */
export function headerBlock(
	headers: readonly (readonly [name: string, value: string])[],
): Buffer {
	const parts: Buffer[] = [];
	for (const [name, value] of headers) {
		parts.push(Buffer.from([0]), hpackString(name), hpackString(value));
	}
	return Buffer.concat(parts);
}

/** The headers of a gRPC call. */
export function callHeaders(path: string): Buffer {
	return headerBlock([
		[":method", "POST"],
		[":scheme", "http"],
		[":authority", "localhost"],
		[":path", path],
		["content-type", "application/grpc"],
	]);
}

/** A plain TCP connection; errors are part of what is tested, so they are dropped. */
export function connectRaw(address: Address): Promise<Socket> {
	return new Promise((resolve, reject) => {
		const socket = createConnection(address);
		socket.once("error", reject);
		socket.once("connect", () => {
			socket.off("error", reject);
			socket.on("error", () => {});
			resolve(socket);
		});
	});
}

/** Resolves when the other end has closed the connection. */
export function closed(socket: Socket): Promise<void> {
	socket.resume();
	return new Promise((resolve) => {
		if (socket.closed) resolve();
		else socket.once("close", () => resolve());
	});
}

function hpackString(text: string): Buffer {
	const bytes = Buffer.from(text);
	if (bytes.length < 127) {
		return Buffer.concat([Buffer.from([bytes.length]), bytes]);
	}
	const length: number[] = [127];
	let rest = bytes.length - 127;
	for (; rest >= 128; rest = Math.floor(rest / 128)) {
		length.push((rest % 128) + 128);
	}
	length.push(rest);
	return Buffer.concat([Buffer.from(length), bytes]);
}
