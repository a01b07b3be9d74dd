import { PrivateBytes } from "../lib/private-bytes.ts";

/** What the Secret with our serving certificate holds; empty where it holds nothing. */
export interface ServingSecret {
	/** PEM: the authorities that are trusted; the first is the one whose key is beside it. */
	readonly authorities: string;
	readonly authorityKey: PrivateBytes;
	/** PEM. */
	readonly certificate: string;
	readonly key: PrivateBytes;
}

/** Keys of the Secret's data. */
export const servingKeys = {
	authorities: "ca.crt",
	authorityKey: "ca.key",
	certificate: "tls.crt",
	key: "tls.key",
} as const satisfies Readonly<Record<keyof ServingSecret, string>>;

/** The key of the ConfigMap's data under which the bundle is published. */
export const bundleKey = "ca.crt";

/** Reads a Secret as the API server answers it; what is not there, or no text, is empty. */
export function parseServingSecret(content: unknown): ServingSecret {
	const data = fieldsOf(fieldsOf(content)["data"]);
	const read = (part: keyof ServingSecret): Buffer => {
		const text = data[servingKeys[part]];
		return Buffer.from(typeof text === "string" ? text : "", "base64");
	};
	return {
		authorities: read("authorities").toString("latin1"),
		authorityKey: new PrivateBytes(read("authorityKey")),
		certificate: read("certificate").toString("latin1"),
		key: new PrivateBytes(read("key")),
	};
}

/** The `data` of the Secret that holds this. */
export function printServingSecret(
	secret: ServingSecret,
): Readonly<Record<string, string>> {
	return {
		[servingKeys.authorities]: btoa(secret.authorities),
		[servingKeys.authorityKey]: secret.authorityKey.reveal().toString("base64"),
		[servingKeys.certificate]: btoa(secret.certificate),
		[servingKeys.key]: secret.key.reveal().toString("base64"),
	};
}

/** The bundle in a ConfigMap as the API server answers it; empty when there is none. */
export function parseBundle(content: unknown): string {
	const text = fieldsOf(fieldsOf(content)["data"])[bundleKey];
	return typeof text === "string" ? text : "";
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null
		? Object.fromEntries(Object.entries(value))
		: {};
}
