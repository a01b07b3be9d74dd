import {
	generateKeyPairSync,
	type KeyObject,
	randomBytes,
	sign,
} from "node:crypto";

/** A certificate with its key, both as PEM. */
export interface Certificate {
	readonly cert: string;
	readonly key: string;
}

/** Signs certificates. */
export interface Authority extends Certificate {
	issue(request: CertificateRequest): Certificate;
}

/** What a certificate says of its owner. */
export interface CertificateRequest {
	readonly commonName: string;
	/** Kubernetes reads them as groups. */
	readonly organizations?: readonly string[];
	readonly dnsNames?: readonly string[];
	/** IPv4 addresses. */
	readonly addresses?: readonly string[];
}

const LIFETIME_MS = 365 * 24 * 3_600_000;
/** For machines whose clocks differ a little. */
const SLACK_MS = 3_600_000;

const OIDS = {
	commonName: "2.5.4.3",
	organization: "2.5.4.10",
	ecdsaWithSha256: "1.2.840.10045.4.3.2",
	basicConstraints: "2.5.29.19",
	keyUsage: "2.5.29.15",
	extendedKeyUsage: "2.5.29.37",
	subjectAltName: "2.5.29.17",
	serverAuth: "1.3.6.1.5.5.7.3.1",
	clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** Makes an authority that lives for a year, as everything it signs does. */
export function createAuthority(commonName: string): Authority {
	const pair = keyPair();
	const issuer = nameOf({ commonName });
	const cert = certificate(issuer, issuer, pair.publicKey, pair.privateKey, [
		extension(OIDS.basicConstraints, sequence(boolean(true))),
		// keyCertSign and cRLSign.
		extension(OIDS.keyUsage, der(0x03, Buffer.from([1, 0x06]))),
	]);
	return {
		cert,
		key: keyPem(pair.privateKey),
		issue: (request) => {
			const own = keyPair();
			const subject = nameOf(request);
			return {
				cert: certificate(issuer, subject, own.publicKey, pair.privateKey, [
					// digitalSignature.
					extension(OIDS.keyUsage, der(0x03, Buffer.from([7, 0x80]))),
					extension(
						OIDS.extendedKeyUsage,
						sequence(oid(OIDS.serverAuth), oid(OIDS.clientAuth)),
					),
					...alternativeNames(request),
				]),
				key: keyPem(own.privateKey),
			};
		},
	};
}

/** A key pair as PEM, for who signs tokens. */
export function createKeyPair(): {
	readonly publicKey: string;
	readonly privateKey: string;
} {
	const { publicKey, privateKey } = keyPair();
	return {
		publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
		privateKey: keyPem(privateKey),
	};
}

function keyPair(): { publicKey: KeyObject; privateKey: KeyObject } {
	return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function keyPem(key: KeyObject): string {
	return key.export({ type: "pkcs8", format: "pem" }).toString();
}

function certificate(
	issuer: Buffer,
	subject: Buffer,
	publicKey: KeyObject,
	signer: KeyObject,
	extensions: readonly Buffer[],
): string {
	const now = Date.now();
	const body = sequence(
		der(0xa0, integer(Buffer.from([2]))),
		// Positive, as the first bit is 0.
		integer(Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
		sequence(oid(OIDS.ecdsaWithSha256)),
		issuer,
		sequence(time(now - SLACK_MS), time(now + LIFETIME_MS)),
		subject,
		publicKey.export({ type: "spki", format: "der" }),
		der(0xa3, sequence(...extensions)),
	);
	const signature = sign("sha256", body, signer);
	const whole = sequence(
		body,
		sequence(oid(OIDS.ecdsaWithSha256)),
		der(0x03, Buffer.from([0]), signature),
	);
	const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
	return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function nameOf({ commonName, organizations }: CertificateRequest): Buffer {
	const part = (type: string, text: string): Buffer =>
		der(0x31, sequence(oid(type), der(0x0c, Buffer.from(text))));
	return sequence(
		...(organizations ?? []).map((text) => part(OIDS.organization, text)),
		part(OIDS.commonName, commonName),
	);
}

function alternativeNames({
	dnsNames = [],
	addresses = [],
}: CertificateRequest): readonly Buffer[] {
	const names = [
		...dnsNames.map((name) => der(0x82, Buffer.from(name))),
		...addresses.map((address) =>
			der(0x87, Buffer.from(address.split(".").map(Number))),
		),
	];
	return names.length === 0
		? []
		: [extension(OIDS.subjectAltName, sequence(...names))];
}

function extension(id: string, value: Buffer): Buffer {
	return sequence(oid(id), boolean(true), der(0x04, value));
}

function time(atMs: number): Buffer {
	const text = new Date(atMs).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
	// UTCTime, with two digits of the year, is right until 2049.
	return der(0x17, Buffer.from(text.slice(2)));
}

function oid(dotted: string): Buffer {
	const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
	const bytes = [first * 40 + second];
	for (const number of rest) {
		const groups = [number & 0x7f];
		for (let left = number >>> 7; left > 0; left >>>= 7) {
			groups.unshift((left & 0x7f) | 0x80);
		}
		bytes.push(...groups);
	}
	return der(0x06, Buffer.from(bytes));
}

function boolean(value: boolean): Buffer {
	return der(0x01, Buffer.from([value ? 0xff : 0]));
}

function integer(bigEndian: Buffer): Buffer {
	return der(0x02, bigEndian);
}

function sequence(...content: readonly Buffer[]): Buffer {
	return der(0x30, ...content);
}

/** One value of ASN.1's distinguished encoding rules. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
	const body = Buffer.concat(content);
	const { length } = body;
	const head =
		length < 0x80
			? [tag, length]
			: length < 0x100
				? [tag, 0x81, length]
				: [tag, 0x82, length >>> 8, length & 0xff];
	return Buffer.concat([Buffer.from(head), body]);
}
