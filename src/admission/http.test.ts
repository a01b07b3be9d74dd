import { expect } from "chai";
import fc from "fast-check";
import {
	admissionRequest,
	admissionReview,
} from "../../test/testkit/admission-request.ts";
import { recordingLogger } from "../../test/testkit/recording-logger.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { parseObject } from "../api/parse-object.ts";
import type { HttpHandler } from "../lib/handler.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { maxReviewBytes } from "./answer-reviews.ts";
import { admissionApi } from "./http.ts";
import type { MeshPreview, PreviewedFinding } from "./mesh-preview.ts";

const nothingFound: MeshPreview = { findingsOf: () => [] };

const good = {
	apiVersion: "lateen.dev/v1alpha1",
	kind: "RouteRule",
	metadata: { name: "reviews", namespace: "shop" },
	spec: { destination: { name: "reviews" }, timeout: "3s" },
};

const bad = {
	...good,
	spec: { ...good.spec, timeout: "5", match: [{ path: { regex: "(?=a)" } }] },
};

interface Answer {
	readonly uid: string;
	readonly allowed: boolean;
	readonly warnings?: readonly string[];
	readonly status?: {
		readonly code: number;
		readonly reason: string;
		readonly message: string;
		readonly details: {
			readonly kind: string;
			readonly name: string;
			readonly causes: readonly {
				readonly field: string;
				readonly message: string;
			}[];
		};
	};
}

/** The webhook, and everything it logs. */
function webhook(preview: MeshPreview = nothingFound): {
	readonly api: HttpHandler;
	readonly logged: readonly unknown[];
} {
	const logged: unknown[] = [];
	const logger = recordingLogger(logged);
	const metrics = new MetricsRegistry();
	const clock = new TestClock();
	return { api: admissionApi({ preview, clock, logger, metrics }), logged };
}

async function post(
	api: HttpHandler,
	body: string | Uint8Array,
	to: { readonly method?: string; readonly path?: string } = {},
): Promise<{ readonly status: number; readonly body: string }> {
	const { path = "/validate", method } = to;
	const answer = await api(
		admissionRequest(path, body, method),
		new AbortController().signal,
	);
	return { status: answer.status, body: String(answer.body) };
}

async function ask(
	request: Readonly<Record<string, unknown>>,
	preview?: MeshPreview,
): Promise<Answer> {
	const { status, body } = await post(
		webhook(preview).api,
		admissionReview({ name: "reviews", ...request }),
	);
	expect(status).to.equal(200);
	const review = JSON.parse(body);
	expect(review).to.include({
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
	});
	expect(review.response.uid).to.equal("u-1");
	return review.response;
}

function finding(fields: Partial<PreviewedFinding> = {}): PreviewedFinding {
	return {
		about: { kind: "RouteRule", namespace: "shop", name: "reviews" },
		reason: "Shadowed",
		path: "spec.match",
		message: "The rule can never be reached.",
		isNew: true,
		...fields,
	};
}

describe("the validating webhook", () => {
	it("lets a good object through without a word", async () => {
		expect(await ask({ object: good })).to.deep.equal({
			uid: "u-1",
			allowed: true,
		});
	});

	it("refuses with the words of `lateen validate`, one cause for each violation", async () => {
		const answer = await ask({ object: bad });
		const parsed = parseObject(bad);
		if (parsed.kind !== "invalid") throw new Error("the object must be bad");
		expect(answer.allowed).to.equal(false);
		expect(answer.status).to.include({ code: 422, reason: "Invalid" });
		expect(answer.status?.details).to.include({
			kind: "RouteRule",
			name: "reviews",
		});
		expect(
			answer.status?.details.causes.map(({ field, message }) => ({
				path: field,
				message,
			})),
		).to.deep.equal(parsed.invalid.violations);
		for (const { path, message } of parsed.invalid.violations)
			expect(answer.status?.message).to.include(`${path}: ${message}`);
	});

	it("bounds what it says about an object with very many violations", async () => {
		const match = Array.from({ length: 16 }, () => ({
			path: { regex: "(?=a)" },
			method: { regex: "(?=b)" },
			scheme: { regex: "(?=c)" },
		}));
		const answer = await ask({
			object: { ...good, spec: { ...good.spec, match } },
		});
		expect(answer.status?.details.causes).to.have.length(33);
		expect(answer.status?.message).to.match(/ And \d+ more\.$/);
		expect(answer.status?.message.length).to.be.below(64 * 1024);
	});

	it("takes the namespace from the request when the object has none", async () => {
		const { metadata, ...rest } = bad;
		const answer = await ask({
			object: { ...rest, metadata: { name: metadata.name } },
		});
		expect(answer.status?.message).to.match(/^RouteRule shop\/reviews: /);
	});

	it("does not miss a name that the API server is to make up", async () => {
		expect(
			await ask({
				name: "",
				object: { ...good, metadata: { generateName: "reviews-" } },
			}),
		).to.include({ allowed: true });
	});

	it("looks at a dry run like at any other request", async () => {
		expect(await ask({ object: bad, dryRun: true })).to.include({
			allowed: false,
		});
	});

	it("lets deletions through, whose object is null", async () => {
		expect(
			await ask({ operation: "DELETE", object: null, oldObject: bad }),
		).to.include({ allowed: true });
	});

	it("lets a bad object through that is being deleted, or finalizers would hold it for ever", async () => {
		const going = {
			...bad,
			metadata: { ...bad.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" },
		};
		expect(
			await ask({ operation: "UPDATE", object: going, oldObject: bad }),
		).to.include({ allowed: true });
	});

	it("lets an update through that does not touch spec, and warns of what is wrong there", async () => {
		const labelled = {
			...bad,
			metadata: { ...bad.metadata, labels: { a: "b" } },
		};
		const answer = await ask({
			operation: "UPDATE",
			object: labelled,
			oldObject: bad,
		});
		expect(answer.allowed).to.equal(true);
		expect(answer.warnings).to.have.length(2);
	});

	it("refuses an update that leaves one violation in a changed spec", async () => {
		const object = { ...bad, spec: { ...bad.spec, timeout: "5s" } };
		const answer = await ask({ operation: "UPDATE", object, oldObject: bad });
		expect(answer.status?.details.causes).to.have.length(1);
	});

	it("lets statuses through, which users do not write", async () => {
		expect(
			await ask({ operation: "UPDATE", subResource: "status", object: bad }),
		).to.include({ allowed: true });
	});

	it("lets objects of other groups through, and says who should not have asked", async () => {
		const answer = await ask({
			object: { apiVersion: "v1", kind: "Pod", metadata: { name: "a" } },
		});
		expect(answer.allowed).to.equal(true);
		expect(answer.warnings?.[0]).to.match(/^Lateen does not check/);
	});

	it("lets a good object through before everything was read, and says what it did not look at", async () => {
		const answer = await ask({ object: good }, { findingsOf: () => undefined });
		expect(answer.allowed).to.equal(true);
		expect(answer.warnings?.[0]).to.match(/^Lateen has just started/);
	});

	it("warns of findings about the object, and names other objects that it would change", async () => {
		const other = { kind: "RouteRule", namespace: "shop", name: "old" };
		const answer = await ask(
			{ object: good },
			{ findingsOf: () => [finding(), finding({ about: other })] },
		);
		expect(answer.warnings).to.deep.equal([
			"spec.match: The rule can never be reached.",
			"RouteRule shop/old: spec.match: The rule can never be reached.",
		]);
	});

	it("refuses a new claim on what another object owns, but not one that stands already", async () => {
		const conflict = finding({ reason: "Conflict", path: "spec.hosts[0]" });
		const fresh = await ask({ object: good }, { findingsOf: () => [conflict] });
		expect(fresh.status?.details.causes[0]?.field).to.equal("spec.hosts[0]");
		const standing = await ask(
			{ object: good },
			{ findingsOf: () => [{ ...conflict, isNew: false }] },
		);
		expect(standing).to.include({ allowed: true });
	});

	it("does not refuse an object because another one then loses", async () => {
		const other = { kind: "RouteRule", namespace: "shop", name: "old" };
		expect(
			await ask(
				{ object: good },
				{ findingsOf: () => [finding({ reason: "Conflict", about: other })] },
			),
		).to.include({ allowed: true });
	});

	it("keeps warnings short, whole sentences where it can, and few", async () => {
		const long = finding({
			message: `Nobody comes here. ${"Because of that and of this. ".repeat(20)}`,
		});
		const unbroken = finding({ path: "", message: "x".repeat(500) });
		const { warnings = [] } = await ask(
			{ object: good },
			{
				findingsOf: () => [
					long,
					unbroken,
					...Array.from({ length: 50 }, () => finding()),
				],
			},
		);
		expect(warnings).to.have.length(16);
		expect(warnings[0]).to.match(/^spec\.match: Nobody comes here\. .*\.$/);
		expect(warnings[1]).to.match(/^x+…$/);
		expect(warnings.at(-1)).to.match(/^And 37 more;/);
		for (const one of warnings) expect(one.length).to.be.at.most(120);
	});

	const malformed = [
		{ name: "an empty body", body: "" },
		{ name: "what is not JSON", body: "{" },
		{ name: "text that is not UTF-8", body: Uint8Array.of(0x22, 0xff, 0x22) },
		{ name: "another kind", body: '{"kind":"Status"}' },
		{
			name: "another version",
			body: '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{}}',
		},
		{ name: "no request", body: review(undefined) },
		{ name: "no uid", body: review({ operation: "CREATE", object: {} }) },
		{ name: "an odd operation", body: review({ uid: "u", operation: "EAT" }) },
		{
			name: "a creation of nothing",
			body: review({ uid: "u", operation: "CREATE", object: null }),
		},
	] as const;
	for (const { name, body } of malformed)
		it(`answers 400 and a sentence to ${name}`, async () => {
			const answer = await post(webhook().api, body);
			expect(answer.status).to.equal(400);
			expect(answer.body).to.match(/^[A-Z].*\.\n$/);
		});

	it("answers 413 to what is too large, 405 to GET and 404 elsewhere", async () => {
		const { api } = webhook();
		const large = Buffer.alloc(maxReviewBytes + 1, " ");
		expect((await post(api, large)).status).to.equal(413);
		expect((await post(api, "", { method: "GET" })).status).to.equal(405);
		expect((await post(api, "", { path: "/" })).status).to.equal(404);
	});

	it("answers something to whatever it is sent, and logs nothing of it", async () => {
		const request = fc.record({
			uid: fc.constant("u"),
			operation: fc.constantFrom("CREATE", "UPDATE", "DELETE", "CONNECT"),
			object: fc.oneof(
				fc.jsonValue(),
				fc.record({
					apiVersion: fc.constant("lateen.dev/v1alpha1"),
					kind: fc.constantFrom("RouteRule", "ExternalService", "Mesh"),
					metadata: fc.jsonValue(),
					spec: fc.jsonValue(),
				}),
			),
			oldObject: fc.jsonValue(),
		});
		await fc.assert(
			fc.asyncProperty(request, async (asked) => {
				const { api, logged } = webhook();
				const { status } = await post(api, review(asked));
				expect(status).to.be.oneOf([200, 400]);
				expect(logged.length).to.be.at.most(2);
			}),
		);
		const { api, logged } = webhook();
		const secret = "swordfish";
		await post(
			api,
			review({
				uid: "u",
				operation: "CREATE",
				object: { ...bad, spec: { [secret]: secret, timeout: secret } },
			}),
		);
		await post(api, `{"kind":"${secret}`);
		expect(logged).to.not.be.empty;
		expect(JSON.stringify(logged)).to.not.include(secret);
	});
});

function review(request: unknown): string {
	return JSON.stringify({
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		request,
	});
}
