import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { PrivateBytes } from "../lib/private-bytes.ts";
import type { KeyPair } from "./generate-key.ts";

/** The key as PEM (PKCS#8, not encrypted), as a Secret and Envoy take it. */
export function printPrivateKey(key: KeyObject): PrivateBytes {
	return new PrivateBytes(key.export({ format: "pem", type: "pkcs8" }));
}

/** Reads a key from PEM: PKCS#8, SEC1 or PKCS#1. The refusal is a sentence without the key. */
export function parsePrivateKey(
	pem: PrivateBytes,
): { readonly keys: KeyPair } | { readonly refusal: string } {
	try {
		const privateKey = createPrivateKey(pem.reveal());
		return { keys: { privateKey, publicKey: createPublicKey(privateKey) } };
	} catch {
		// What the library says may quote the key, and adds nothing.
		return {
			refusal:
				"It is no private key in PEM that can be read without a password.",
		};
	}
}
