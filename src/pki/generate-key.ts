import { generateKeyPairSync, type KeyObject } from "node:crypto";

/** A private key and its public one. */
export interface KeyPair {
	readonly privateKey: KeyObject;
	readonly publicKey: KeyObject;
}

/** A new key on the curve P-256, which every TLS library accepts and which signs fast. Draws randomness. */
export function generateKey(): KeyPair {
	return generateKeyPairSync("ec", { namedCurve: "P-256" });
}
