import { execFileSync, spawnSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { PrivateBytes } from "../lib/private-bytes.ts";
import type { CertificateNames } from "./certificate-names.ts";
import { createAuthority } from "./create-authority.ts";
import { DerError } from "./der-error.ts";
import { generateKey } from "./generate-key.ts";
import { parseIp, printIp } from "./ip-bytes.ts";
import { type Issuer, issueCertificate } from "./issue-certificate.ts";
import { printPem, readPemBundle, splitPemBundle } from "./pem-bundle.ts";
import { parsePrivateKey, printPrivateKey } from "./private-key.ts";
import { parseCertificate } from "./read-certificate.ts";
import { keyMatches, wasIssuedBy } from "./verify-certificate.ts";

const day = 24 * 3_600_000;
const now = Date.UTC(2026, 6, 1, 12, 30, 15);
const authorityValidity = {
	notBeforeMs: now - day,
	notAfterMs: now + 365 * day,
};

function authority(): Issuer {
	const keys = generateKey();
	const certificate = createAuthority({
		name: "Lateen",
		keys,
		validity: authorityValidity,
	});
	return { certificate, privateKey: keys.privateKey };
}

const names: CertificateNames = {
	dns: ["lateen.lateen-system.svc", "localhost"],
	ips: ["127.0.0.1", "::1"],
	uris: ["spiffe://cluster.local/ns/default/sa/reviews"],
};

function leaf(issuer: Issuer, given: Partial<CertificateNames> = names) {
	const keys = generateKey();
	const pem = issueCertificate({
		issuer,
		publicKey: keys.publicKey,
		names: { dns: [], ips: [], uris: [], ...given },
		usages: ["server", "client"],
		validity: { notBeforeMs: now, notAfterMs: now + 30 * day },
	});
	return { pem, keys };
}

function factsOf(pem: string) {
	const parsed = parseCertificate(pem);
	if ("refusal" in parsed) throw new Error(parsed.refusal);
	return parsed.facts;
}

describe("a certificate of ours", () => {
	const issuer = authority();
	const { pem, keys } = leaf(issuer);
	const node = new X509Certificate(pem);
	const nodeIssuer = new X509Certificate(issuer.certificate);

	it("says to Node what it was issued with", () => {
		expect(node.subjectAltName).to.equal(
			"DNS:lateen.lateen-system.svc, DNS:localhost, URI:spiffe://cluster.local/ns/default/sa/reviews, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
		);
		expect(node.validFromDate.getTime()).to.equal(now);
		expect(node.validToDate.getTime()).to.equal(now + 30 * day);
		expect(node.ca).to.equal(false);
		expect(nodeIssuer.ca).to.equal(true);
		expect(nodeIssuer.subject).to.match(/^CN=Lateen [0-9a-f]{8}$/);
		expect(node.issuer).to.equal(nodeIssuer.subject);
		expect(node.keyUsage).to.deep.equal([
			"1.3.6.1.5.5.7.3.1",
			"1.3.6.1.5.5.7.3.2",
		]);
		expect(node.publicKey.equals(keys.publicKey)).to.equal(true);
	});

	it("is verified by Node against its authority, and against no other", () => {
		expect(node.checkIssued(nodeIssuer)).to.equal(true);
		expect(node.verify(nodeIssuer.publicKey)).to.equal(true);
		expect(wasIssuedBy(pem, issuer.certificate)).to.equal(true);
		expect(wasIssuedBy(issuer.certificate, issuer.certificate)).to.equal(true);
		expect(wasIssuedBy(pem, authority().certificate)).to.equal(false);
		expect(wasIssuedBy(pem, pem)).to.equal(false);
		expect(wasIssuedBy("nothing", pem)).to.equal(false);
	});

	it("is read back by parseCertificate as Node reads it", () => {
		const facts = factsOf(pem);
		expect(facts.names).to.deep.equal(names);
		expect(facts.notBeforeMs).to.equal(now);
		expect(facts.notAfterMs).to.equal(now + 30 * day);
		expect(facts.commonName).to.equal(undefined);
		expect(facts.isAuthority).to.equal(false);
		expect(facts.serial).to.equal(node.serialNumber.toLowerCase());
		expect(facts.authorityKeyId).to.equal(factsOf(issuer.certificate).keyId);
		expect(facts.fingerprint).to.equal(
			node.fingerprint256.replaceAll(":", "").toLowerCase(),
		);
		expect(factsOf(issuer.certificate).isAuthority).to.equal(true);
		expect(factsOf(issuer.certificate).commonName).to.match(/^Lateen /);
	});

	it("has a key identifier that is the hash of its key", () => {
		const spki = keys.publicKey.export({ format: "der", type: "spki" });
		// The last 65 bytes of the info of a P-256 key are its point.
		const hash = createHash("sha256").update(spki.subarray(-65)).digest("hex");
		expect(factsOf(pem).keyId).to.equal(hash.slice(0, 40));
	});

	it("is good for no longer than its authority", () => {
		const late = issueCertificate({
			issuer,
			publicKey: keys.publicKey,
			names,
			usages: ["server"],
			validity: { notBeforeMs: 0, notAfterMs: now + 9_999 * day },
		});
		expect(factsOf(late).notAfterMs).to.equal(authorityValidity.notAfterMs);
		expect(factsOf(late).notBeforeMs).to.equal(authorityValidity.notBeforeMs);
	});

	it("says to Kubernetes who a user is, when it has a subject", () => {
		const user = issueCertificate({
			issuer,
			publicKey: keys.publicKey,
			names: { dns: [], ips: [], uris: [] },
			subject: { commonName: "admin", organizations: ["system:masters"] },
			usages: ["client"],
			validity: { notBeforeMs: now, notAfterMs: now + day },
		});
		expect(new X509Certificate(user).subject).to.equal(
			"O=system:masters\nCN=admin",
		);
		expect(factsOf(user).commonName).to.equal("admin");
		expect(wasIssuedBy(user, issuer.certificate)).to.equal(true);
	});

	it("has another serial number for everything that differs", () => {
		const serials = [pem, leaf(issuer).pem, leaf(authority()).pem].map(
			(one) => factsOf(one).serial,
		);
		expect(new Set(serials).size).to.equal(3);
	});

	const bad: readonly { name: string; given: Partial<CertificateNames> }[] = [
		{ name: "no name", given: {} },
		{ name: "a name with a space", given: { dns: ["a b"] } },
		{
			name: "a name with a zero byte",
			given: { dns: ["good.example\0.evil"] },
		},
		{ name: "a name that is not ASCII", given: { dns: ["mäsh.example"] } },
		{ name: "an address that is none", given: { ips: ["127.0.0.256"] } },
	];
	for (const { name, given } of bad) {
		it(`is not issued for ${name}`, () => {
			expect(() => leaf(issuer, given)).to.throw(DerError);
		});
	}

	it("is not issued for a time that has passed before its authority was made", () => {
		expect(() =>
			issueCertificate({
				issuer,
				publicKey: keys.publicKey,
				names,
				usages: ["server"],
				validity: { notBeforeMs: 0, notAfterMs: 1_000 },
			}),
		).to.throw(DerError, "no time at all");
	});

	describe("with openssl", function () {
		this.timeout(10_000);
		let folder: string;
		before(function () {
			if (spawnSync("openssl", ["version"]).status !== 0) this.skip();
			folder = mkdtempSync(join(tmpdir(), "lateen-pki-"));
			writeFileSync(join(folder, "ca.pem"), issuer.certificate);
			writeFileSync(join(folder, "leaf.pem"), pem);
		});
		after(() => {
			if (folder !== undefined) rmSync(folder, { recursive: true });
		});
		const openssl = (...words: readonly string[]): string =>
			execFileSync("openssl", words, {
				cwd: folder,
				encoding: "utf8",
				stdio: "pipe",
			});

		it("is verified strictly, for servers and for clients", () => {
			for (const purpose of ["sslserver", "sslclient"]) {
				const said = openssl(
					...["verify", "-x509_strict", "-purpose", purpose],
					...[
						"-attime",
						String(now / 1000 + 60),
						"-CAfile",
						"ca.pem",
						"leaf.pem",
					],
				);
				expect(said).to.contain("leaf.pem: OK");
			}
		});

		it("has its constraints and names marked as critical", () => {
			const text = openssl("x509", "-in", "leaf.pem", "-noout", "-text");
			expect(text).to.match(/Basic Constraints: critical\s+CA:FALSE/);
			expect(text).to.match(/Key Usage: critical\s+Digital Signature\n/);
			expect(text).to.match(/Alternative Name: critical/);
			expect(text).to.match(
				/Extended Key Usage: \s+TLS Web Server Authentication, TLS Web Client Authentication/,
			);
			expect(text).to.contain("Signature Algorithm: ecdsa-with-SHA256");
			const ca = openssl("x509", "-in", "ca.pem", "-noout", "-text");
			expect(ca).to.match(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
			expect(ca).to.match(/Key Usage: critical\s+Certificate Sign, CRL Sign/);
		});

		it("is read when openssl has made it, with an RSA key and a long subject", () => {
			openssl(
				...[
					"req",
					"-x509",
					"-newkey",
					"rsa:2048",
					"-nodes",
					"-keyout",
					"rsa.key",
				],
				...[
					"-out",
					"rsa.pem",
					"-days",
					"10",
					"-subj",
					"/C=NL/O=Lateen/CN=Test",
				],
				...["-addext", "subjectAltName=DNS:A.example,IP:10.0.0.1,email:x@y.z"],
			);
			const text = openssl("x509", "-in", "rsa.pem", "-text");
			const facts = factsOf(text);
			expect(facts.names).to.deep.equal({
				dns: ["a.example"],
				ips: ["10.0.0.1"],
				uris: [],
			});
			expect(facts.commonName).to.equal("Test");
			expect(facts.isAuthority).to.equal(true);
			const { validToDate } = new X509Certificate(text);
			expect(facts.notAfterMs).to.equal(validToDate.getTime());
		});
	});
});

describe("parseCertificate", () => {
	const { pem } = leaf(authority());
	const [der = Buffer.alloc(0)] = readPemBundle(pem);

	it("says what is wrong with a text without a certificate", () => {
		expect(parseCertificate("hello")).to.deep.equal({
			refusal: "It holds no certificate in PEM (-----BEGIN CERTIFICATE-----).",
		});
	});

	it("refuses every beginning of a certificate", () => {
		for (let end = 0; end < der.length; end += 1) {
			const parsed = parseCertificate(printPem(der.subarray(0, end)));
			expect(parsed, `cut at ${end}`).to.have.property("refusal");
		}
	});

	it("answers for a certificate in which any byte was changed", () => {
		fc.assert(
			fc.property(
				fc.nat({ max: der.length - 1 }),
				fc.integer({ min: 1, max: 255 }),
				(at, by) => {
					const changed = Buffer.from(der);
					changed[at] = (changed[at] ?? 0) ^ by;
					const parsed = parseCertificate(printPem(changed));
					expect("facts" in parsed || "refusal" in parsed).to.equal(true);
				},
			),
			{ numRuns: 2_000 },
		);
	});

	it("answers for random bytes", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
				expect(parseCertificate(printPem(bytes))).to.have.property("refusal");
			}),
		);
	});
});

describe("keyMatches", () => {
	it("tells a certificate's own key from another", () => {
		const { pem, keys } = leaf(authority());
		expect(keyMatches(pem, keys.privateKey)).to.equal(true);
		expect(keyMatches(pem, generateKey().privateKey)).to.equal(false);
		expect(keyMatches("nothing", keys.privateKey)).to.equal(false);
	});
});

describe("a private key", () => {
	it("is read as it was printed, and printed by nothing else", () => {
		const { privateKey } = generateKey();
		const printed = printPrivateKey(privateKey);
		const parsed = parsePrivateKey(printed);
		if ("refusal" in parsed) throw new Error(parsed.refusal);
		expect(parsed.keys.privateKey.equals(privateKey)).to.equal(true);
		expect(`${printed} ${JSON.stringify({ printed, privateKey })}`).to.equal(
			'[private] {"printed":"[private]","privateKey":{}}',
		);
	});

	it("that is none is refused without being repeated", () => {
		const parsed = parsePrivateKey(new PrivateBytes("hunter2"));
		expect(parsed).to.have.property("refusal").that.does.not.contain("hunter2");
	});
});

describe("PEM bundles", () => {
	const first = authority().certificate;
	const second = authority().certificate;

	it("are split into certificates, whatever stands between and at the end of lines", () => {
		const windows = first.replaceAll("\n", "\r\n");
		expect(splitPemBundle(`# the first\n${windows}${second}`)).to.deep.equal([
			first,
			second,
		]);
		expect(splitPemBundle("nothing")).to.deep.equal([]);
	});
});

describe("IP addresses", () => {
	it("are read from the bytes that they were printed to", () => {
		fc.assert(
			fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
				const bytes = parseIp(text);
				if (bytes === undefined) throw new Error(`${text} was refused.`);
				const printed = printIp(bytes);
				expect(parseIp(printed ?? "")).to.deep.equal(bytes);
			}),
		);
		expect(printIp(parseIp("2001:DB8:0:0::1") ?? Buffer.of())).to.equal(
			"2001:db8::1",
		);
		expect(parseIp("::ffff:10.0.0.1")).to.deep.equal(
			Buffer.from("00000000000000000000ffff0a000001", "hex"),
		);
	});

	it("are none with a zone, a port or too few bytes", () => {
		expect(parseIp("fe80::1%eth0")).to.equal(undefined);
		expect(parseIp("10.0.0.1:80")).to.equal(undefined);
		expect(printIp(Buffer.of(1, 2, 3))).to.equal(undefined);
	});
});
