// A proxy token is text of three parts:
//
//   lt1 . base64url(JSON {w: workload, k: kind, e: expiry}) . base64url(HMAC-SHA256)
//
// The signature covers the first two parts with the dot between them, so a
// token of one format is never good as one of another.

import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import type { Proxy } from "./proxy.ts";

/** What a token proves: that its bearer is a proxy of this kind for this workload. */
export interface TokenClaims {
	/** `namespace/name`. */
	readonly workload: string;
	readonly kind: Proxy["kind"];
	/** Milliseconds since the epoch from which on the token is refused. */
	readonly expiresMs: number;
}

/** What checking a token gives. A refusal is a sentence for the log and the proxy; it never holds the token. */
export type TokenVerdict =
	| { readonly claims: TokenClaims }
	| { readonly refusal: string };

const version = "lt1";

/** Longer text is not looked at. */
const maxTokenLength = 2_048;

/** The token for these claims; good on every server that has the key. */
export function mintToken(claims: TokenClaims, key: KeyObject): string {
	const payload = Buffer.from(
		JSON.stringify({
			w: claims.workload,
			k: claims.kind,
			e: claims.expiresMs,
		}),
	).toString("base64url");
	const signed = `${version}.${payload}`;
	return `${signed}.${signatureOf(signed, key).toString("base64url")}`;
}

/** Checks form, signature and expiry of a token. */
export function verifyToken(
	token: string,
	key: KeyObject,
	nowMs: number,
): TokenVerdict {
	const [form, payload, signature, ...rest] =
		token.length > maxTokenLength ? [] : token.split(".");
	if (payload === undefined || signature === undefined || rest.length > 0) {
		return refuse("The token is not one that `lateen bootstrap` makes.");
	}
	if (form !== version) {
		return refuse(
			"The token has a format that this server does not know. Make a new one with `lateen bootstrap`.",
		);
	}
	const expected = signatureOf(`${form}.${payload}`, key);
	const given = Buffer.from(signature, "base64url");
	if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
		return refuse(
			"The token was signed with another key than this server's. Make a new one with `lateen bootstrap` and this server's state directory.",
		);
	}
	const claims = parsePayload(payload);
	if (claims === undefined) {
		return refuse("The token is signed but says nothing that is understood.");
	}
	if (nowMs >= claims.expiresMs) {
		return refuse(
			`The token expired at ${new Date(claims.expiresMs).toISOString()}. Make a new one with \`lateen bootstrap\`.`,
		);
	}
	return { claims };
}

function signatureOf(text: string, key: KeyObject): Buffer {
	return createHmac("sha256", key).update(text).digest();
}

function parsePayload(payload: string): TokenClaims | undefined {
	let value: unknown;
	try {
		value = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
	} catch {
		// The caller says what is wrong; the text itself may not be repeated.
		return undefined;
	}
	if (typeof value !== "object" || value === null) return undefined;
	const { w, k, e } = value as Readonly<Record<string, unknown>>;
	if (typeof w !== "string" || typeof e !== "number") return undefined;
	if (!Number.isSafeInteger(e)) return undefined;
	if (k !== "sidecar" && k !== "gateway" && k !== "grpc") return undefined;
	return { workload: w, kind: k, expiresMs: e };
}

function refuse(refusal: string): TokenVerdict {
	return { refusal };
}
