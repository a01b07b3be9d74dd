import type { IncomingMessage, ServerResponse } from "node:http";
import type { HttpRequest, HttpResponse } from "../lib/handler.ts";
import { type Address, printAddress } from "./address.ts";
import { foreignOrigin } from "./host-check.ts";

/** The request as edges see it, or the answer to give instead. */
export type ReadRequest =
	| { readonly request: HttpRequest }
	| { readonly refusal: HttpResponse };

/** Reads a request with its whole body. */
export async function readRequest(
	message: IncomingMessage,
	listening: Address,
	maxBodyBytes: number,
): Promise<ReadRequest> {
	const headers = headersOf(message);
	const foreign = foreignOrigin(listening, headers);
	if (foreign !== undefined) return refuse(403, foreign);
	const target = parseTarget(message.url ?? "");
	if (target === undefined) {
		return refuse(400, "The path of the request cannot be decoded.");
	}
	const chunks: Uint8Array[] = [];
	let bytes = 0;
	// Leaving the loop early must not destroy the socket: the refusal goes through it.
	const body: AsyncIterable<Uint8Array> = message.iterator({
		destroyOnReturn: false,
	});
	for await (const chunk of body) {
		bytes += chunk.length;
		if (bytes > maxBodyBytes) {
			return refuse(
				413,
				`The body of the request is larger than ${maxBodyBytes} bytes.`,
			);
		}
		chunks.push(chunk);
	}
	return {
		request: {
			method: message.method ?? "GET",
			...target,
			headers,
			body: Buffer.concat(chunks),
			peer: {
				address: message.socket.remoteAddress ?? printAddress(listening),
				bearerToken: /^bearer +(\S+)\s*$/i.exec(
					headers.get("authorization") ?? "",
				)?.[1],
			},
		},
	};
}

/** Bytes that are handed to the socket at once. */
const pieceBytes = 256 * 1024;

/**
 * Writes the answer as fast as the client takes it, and no faster.
 *
 * Guarantees: a write that is not taken within `blockedMs` ends the connection.
 */
export async function writeResponse(
	response: ServerResponse,
	answer: HttpResponse,
	withBody: boolean,
	blockedMs: number,
): Promise<void> {
	const { body = "" } = answer;
	const whole = typeof body === "string" ? Buffer.from(body) : body;
	const isWhole = whole instanceof Uint8Array;
	response.writeHead(answer.status, {
		"x-content-type-options": "nosniff",
		"cache-control": "no-store",
		...(isWhole
			? {
					"content-type": "text/plain; charset=utf-8",
					"content-length": whole.length,
				}
			: {}),
		...answer.headers,
	});
	response.flushHeaders();
	if (withBody) {
		for await (const chunk of isWhole ? pieces(whole) : whole) {
			if (!(await write(response, chunk, blockedMs))) return;
		}
	}
	response.end();
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
	for (let start = 0; start < bytes.length; start += pieceBytes) {
		yield bytes.subarray(start, start + pieceBytes);
	}
}

/** Answers true when the socket has taken the chunk, false when the connection is gone. */
function write(
	response: ServerResponse,
	chunk: string | Uint8Array,
	blockedMs: number,
): Promise<boolean> {
	if (chunk.length === 0) return Promise.resolve(!response.destroyed);
	return new Promise((resolve) => {
		const settle = (taken: boolean): void => {
			clearTimeout(timer);
			response.off("close", closed);
			resolve(taken);
		};
		const closed = (): void => settle(false);
		const timer = setTimeout(() => {
			response.destroy();
			settle(false);
		}, blockedMs);
		response.once("close", closed);
		response.write(chunk, (error) =>
			settle(error === undefined || error === null),
		);
	});
}

/** A refusal in one sentence. */
export function refuse(
	status: number,
	sentence: string,
): { readonly refusal: HttpResponse } {
	return {
		refusal: {
			status,
			// What is left of the request is not read, so the connection cannot be used again.
			headers: {
				"content-type": "text/plain; charset=utf-8",
				connection: "close",
			},
			body: `${sentence}\n`,
		},
	};
}

function headersOf(message: IncomingMessage): ReadonlyMap<string, string> {
	const headers = new Map<string, string>();
	for (const [name, value] of Object.entries(message.headers)) {
		if (value === undefined) continue;
		headers.set(name, typeof value === "string" ? value : value.join(", "));
	}
	return headers;
}

function parseTarget(
	target: string,
): { readonly path: string; readonly query: URLSearchParams } | undefined {
	const queryStart = target.indexOf("?");
	const path = queryStart < 0 ? target : target.slice(0, queryStart);
	if (!path.startsWith("/")) return undefined;
	try {
		return {
			path: decodeURIComponent(path),
			query: new URLSearchParams(
				queryStart < 0 ? "" : target.slice(queryStart + 1),
			),
		};
	} catch {
		// decodeURIComponent has one reason to throw, and the caller names it.
		return undefined;
	}
}
