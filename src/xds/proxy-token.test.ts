import { createSecretKey } from "node:crypto";
import { expect } from "chai";
import fc from "fast-check";
import {
	mintToken,
	type TokenClaims,
	type TokenVerdict,
	verifyToken,
} from "./proxy-token.ts";

const key = createSecretKey(Buffer.alloc(32, 1));
const otherKey = createSecretKey(Buffer.alloc(32, 2));
const claims: TokenClaims = {
	workload: "default/reviews-v1",
	kind: "sidecar",
	expiresMs: 1_000,
};

function refusalOf(verdict: TokenVerdict): string {
	return "refusal" in verdict ? verdict.refusal : "";
}

describe("verifyToken", () => {
	it("gives back what mintToken was told, whatever that is", () => {
		fc.assert(
			fc.property(
				fc.record({
					workload: fc.string(),
					kind: fc.constantFrom("sidecar", "gateway", "grpc"),
					expiresMs: fc.integer({ min: 1 }),
				}),
				(any) => {
					const token = mintToken(any, key);
					fc.pre(token.length <= 2_048);
					expect(verifyToken(token, key, 0)).to.deep.equal({ claims: any });
				},
			),
		);
	});

	const token = mintToken(claims, key);
	const [form, payload, signature] = token.split(".");
	const forged = Buffer.from(
		JSON.stringify({ w: "default/ratings-v1", k: "sidecar", e: 1_000 }),
	).toString("base64url");
	const cases = [
		{ name: "the last moment before it expires", token, nowMs: 999 },
		{ name: "the moment it expires", token, nowMs: 1_000, want: "expired at" },
		{
			name: "another key",
			token: mintToken(claims, otherKey),
			want: "another key",
		},
		{
			name: "another payload with the same signature",
			token: `${form}.${forged}.${signature}`,
			want: "another key",
		},
		{
			name: "a signature that was cut",
			token: `${form}.${payload}.${signature?.slice(0, -4)}`,
			want: "another key",
		},
		{
			name: "no signature",
			token: `${form}.${payload}.`,
			want: "another key",
		},
		{
			name: "an unknown version",
			token: `lt2.${payload}.${signature}`,
			want: "format",
		},
		{ name: "some other text", token: "abc", want: "not one that" },
		{ name: "no text", token: "", want: "not one that" },
		{
			name: "far too much text",
			token: `lt1.${"a".repeat(100_000)}.b`,
			want: "not one that",
		},
	] as const;
	for (const { name, token: given, ...rest } of cases) {
		const want = "want" in rest ? rest.want : undefined;
		it(`${want === undefined ? "accepts" : "refuses"} ${name}`, () => {
			const verdict = verifyToken(given, key, "nowMs" in rest ? rest.nowMs : 0);
			if (want === undefined) expect(verdict).to.deep.equal({ claims });
			else expect(refusalOf(verdict)).to.contain(want);
		});
	}

	it("never repeats the token in a refusal", () => {
		for (const { token: given } of cases) {
			const refusal = refusalOf(verifyToken(given, otherKey, 5_000));
			for (const part of given.split(".")) {
				if (part.length > 3) expect(refusal).not.to.contain(part);
			}
		}
	});
});
