import { inspect } from "node:util";
import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import type { HttpResponse } from "../lib/handler.ts";
import { systemClock } from "../lib/system-clock.ts";
import { type HttpServer, serveHttp } from "../net/http-server.ts";
import { type Logger, silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { openConnection } from "./open-connection.ts";
import { TokenReviewer, type TokenReviewLimits } from "./token-review.ts";

const audience = "lateen.dev";
const nowMs = Date.UTC(2026, 0, 1);

interface Claims {
	readonly aud?: unknown;
	readonly exp?: unknown;
	readonly sub?: string;
}

/** The form of a token of Kubernetes; nobody signed it. */
function token(claims: Claims = {}): string {
	const part = (value: unknown): string =>
		Buffer.from(JSON.stringify(value)).toString("base64url");
	const whole = { aud: [audience], exp: nowMs / 1000 + 3600, ...claims };
	return `${part({ alg: "RS256" })}.${part(whole)}.c2lnbmF0dXJl`;
}

const owner = {
	namespace: "default",
	serviceAccount: "reviews",
	podName: "reviews-v1",
	podUid: "uid-1",
};

const accepted = {
	authenticated: true,
	audiences: [audience],
	user: {
		username: "system:serviceaccount:default:reviews",
		extra: {
			"authentication.kubernetes.io/pod-name": ["reviews-v1"],
			"authentication.kubernetes.io/pod-uid": ["uid-1"],
		},
	},
};

function saying(status: unknown): HttpResponse {
	return { status: 201, body: JSON.stringify({ kind: "TokenReview", status }) };
}

describe("TokenReviewer", () => {
	const owned: AsyncDisposable[] = [];
	afterEach(async () => {
		for (const one of owned.splice(0)) await one[Symbol.asyncDispose]();
	});

	/** A reviewer whose API server answers by a function. */
	async function start(
		answer: (body: string) => HttpResponse | Promise<HttpResponse>,
		limits: Partial<TokenReviewLimits> = {},
	) {
		const asked: string[] = [];
		const server: HttpServer = await serveHttp({
			listen: { host: "127.0.0.1", port: 0 },
			limits: { stopMs: 10 },
			log: silentLogger,
			handler: async ({ method, path, body }) => {
				expect(`${method} ${path}`).to.equal(
					"POST /apis/authentication.k8s.io/v1/tokenreviews",
				);
				const text = Buffer.from(body).toString();
				asked.push(text);
				return await answer(text);
			},
		});
		if ("path" in server.address) throw new Error("It is a port.");
		const { port } = server.address;
		const connection = openConnection(
			{
				server: `http://127.0.0.1:${port}`,
				serverName: undefined,
				insecure: false,
				namespace: "default",
				headers: {},
				load: async () => ({
					ca: undefined,
					authorization: undefined,
					certificate: undefined,
				}),
			},
			{ clock: systemClock, userAgent: "test" },
		);
		owned.push(connection, server);
		const clock = new TestClock(nowMs);
		const metrics = new MetricsRegistry();
		const lines: string[] = [];
		const log: Logger = {
			...silentLogger,
			warn: (message, fields) =>
				lines.push(inspect([message, fields], { depth: 9 })),
		};
		const reviewer = new TokenReviewer({
			connection,
			audience,
			clock,
			log,
			metrics,
			limits,
		});
		return { reviewer, asked, clock, metrics, lines, server };
	}

	it("asks for our audience and answers whose token it is", async () => {
		const { reviewer, asked } = await start(() => saying(accepted));
		const given = token();
		expect(await reviewer.review(given)).to.deep.equal({
			owner,
			expiresMs: nowMs + 3_600_000,
		});
		expect(JSON.parse(asked[0] ?? "")).to.deep.equal({
			apiVersion: "authentication.k8s.io/v1",
			kind: "TokenReview",
			spec: { token: given, audiences: [audience] },
		});
	});

	const refusals = [
		{
			name: "that the API server does not accept",
			status: {
				authenticated: false,
				error: "service account token has expired",
			},
			says: "service account token has expired",
		},
		{
			name: "that the API server does not accept and says nothing about",
			status: { authenticated: false },
			says: "does not accept the token. Give",
		},
		{
			name: "for which another audience is confirmed",
			status: { ...accepted, audiences: ["https://kubernetes.default.svc"] },
			says: "not meant for the audience lateen.dev",
		},
		{
			name: "for which no audience is confirmed",
			status: { ...accepted, audiences: undefined },
			says: "not meant for the audience lateen.dev",
		},
		{
			name: "of a user",
			status: { ...accepted, user: { ...accepted.user, username: "admin" } },
			says: "not one of a ServiceAccount",
		},
		{
			name: "that is bound to no pod",
			status: { ...accepted, user: { ...accepted.user, extra: {} } },
			says: "default/reviews is not bound to a pod",
		},
		{
			name: "that is bound to two pods",
			status: {
				...accepted,
				user: {
					...accepted.user,
					extra: {
						...accepted.user.extra,
						"authentication.kubernetes.io/pod-name": ["one", "two"],
					},
				},
			},
			says: "not bound to a pod",
		},
	];
	for (const { name, status, says } of refusals) {
		it(`refuses a token ${name}`, async () => {
			const { reviewer } = await start(() => saying(status));
			const verdict = await reviewer.review(token());
			expect(verdict).to.have.property("refusal").that.contains(says);
		});
	}

	const unasked = [
		{
			name: "is no JSON Web Token",
			given: "lt1.abc.def",
			says: "not one of Kubernetes",
		},
		{ name: "has no claims", given: "a.b.c", says: "not one of Kubernetes" },
		{ name: "is empty", given: "", says: "not one of Kubernetes" },
		{
			name: "is longer than any token",
			given: token({ sub: "x".repeat(20_000) }),
			says: "not one of Kubernetes",
		},
		{
			name: "is for the API server",
			given: token({ aud: ["https://kubernetes.default.svc"] }),
			says: "`audience: lateen.dev`",
		},
		{
			name: "has no audience",
			given: token({ aud: 7 }),
			says: "`audience: lateen.dev`",
		},
	];
	for (const { name, given, says } of unasked) {
		it(`refuses a token that ${name} without asking`, async () => {
			const { reviewer, asked } = await start(() => saying(accepted));
			const verdict = await reviewer.review(given);
			expect(verdict).to.have.property("refusal").that.contains(says);
			expect(asked).to.have.length(0);
		});
	}

	it("asks once about a token that comes many times at once, and not again for a minute", async () => {
		const { reviewer, asked, clock } = await start(() => saying(accepted));
		const given = token();
		await Promise.all(Array.from({ length: 50 }, () => reviewer.review(given)));
		clock.pass(59_000);
		await reviewer.review(given);
		expect(asked).to.have.length(1);
		clock.pass(2_000);
		await reviewer.review(given);
		expect(asked).to.have.length(2);
	});

	it("asks again at the moment at which the token expires", async () => {
		let status: unknown = accepted;
		const { reviewer, clock } = await start(() => saying(status));
		const given = token({ exp: nowMs / 1000 + 30 });
		expect(await reviewer.review(given)).to.have.property("owner");
		status = { authenticated: false, error: "expired" };
		clock.pass(29_000);
		expect(await reviewer.review(given)).to.have.property("owner");
		clock.pass(1_000);
		expect(await reviewer.review(given)).to.have.property("refusal");
	});

	it("asks about a refused token again after ten seconds", async () => {
		let status: unknown = { authenticated: false };
		const { reviewer, asked, clock } = await start(() => saying(status));
		const given = token();
		await reviewer.review(given);
		clock.pass(9_000);
		await reviewer.review(given);
		expect(asked).to.have.length(1);
		status = accepted;
		clock.pass(1_000);
		expect(await reviewer.review(given)).to.have.property("owner");
	});

	describe("while the API server cannot be asked", () => {
		async function thenFailing(
			failure: () => HttpResponse | Promise<HttpResponse>,
		) {
			let isUp = true;
			const started = await start(() => (isUp ? saying(accepted) : failure()));
			const known = token();
			await started.reviewer.review(known);
			isUp = false;
			return {
				...started,
				known,
				recover: () => {
					isUp = true;
				},
			};
		}
		const failures: readonly { name: string; failure: () => HttpResponse }[] = [
			{ name: "fails", failure: () => ({ status: 500, body: "{}" }) },
			{
				name: "has too much to do",
				failure: () => ({ status: 429, body: "" }),
			},
			{
				name: "does not allow it",
				failure: () => ({
					status: 403,
					body: JSON.stringify({
						kind: "Status",
						reason: "Forbidden",
						message: "no",
					}),
				}),
			},
			{
				name: "answers nonsense",
				failure: () => ({ status: 201, body: "hello" }),
			},
			{
				name: "answers without end",
				failure: () => ({ status: 201, body: "x".repeat(1_000_000) }),
			},
		];
		for (const { name, failure } of failures) {
			it(`goes on with a token that it knows and puts off others when it ${name}`, async () => {
				const { reviewer, clock, known, recover } = await thenFailing(failure);
				clock.pass(120_000);
				expect(await reviewer.review(known)).to.have.property("owner");
				const fresh = token({ sub: "new" });
				expect(await reviewer.review(fresh)).to.have.property("unavailable");
				recover();
				expect(await reviewer.review(fresh)).to.have.property("owner");
			});
		}

		it("is told by a connection that nobody takes", async () => {
			const { reviewer, clock, known, server } = await thenFailing(() => ({
				status: 500,
			}));
			await server[Symbol.asyncDispose]();
			clock.pass(120_000);
			expect(await reviewer.review(known)).to.have.property("owner");
			expect(await reviewer.review(token({ sub: "new" }))).to.have.property(
				"unavailable",
			);
		});

		it("forgets what it knows after an hour, and at the token's end", async () => {
			const { reviewer, clock, known } = await thenFailing(() => ({
				status: 500,
			}));
			clock.pass(3_599_000);
			expect(await reviewer.review(known)).to.have.property("owner");
			clock.pass(1_000);
			expect(await reviewer.review(known)).to.have.property("unavailable");
		});

		it("says so once in a while, without the token", async () => {
			const { reviewer, clock, lines } = await thenFailing(() => ({
				status: 422,
				body: JSON.stringify({
					kind: "Status",
					message: `bad: ${token({ sub: "new" })}`,
				}),
			}));
			for (let round = 0; round < 5; round += 1)
				await reviewer.review(token({ sub: "new" }));
			expect(lines).to.have.length(1);
			expect(lines[0])
				.to.contain("[token]")
				.and.not.contain(token({ sub: "new" }).slice(0, 60));
			clock.pass(30_000);
			await reviewer.review(token({ sub: "new" }));
			expect(lines).to.have.length(2);
		});
	});

	describe("with many tokens", () => {
		it("asks about a few at a time", async () => {
			let open = 0;
			let most = 0;
			const { reviewer } = await start(
				async () => {
					open += 1;
					most = Math.max(most, open);
					await new Promise((resolve) => setImmediate(resolve));
					open -= 1;
					return saying(accepted);
				},
				{ maxAtOnce: 3 },
			);
			const verdicts = await Promise.all(
				Array.from({ length: 40 }, (_, n) =>
					reviewer.review(token({ sub: `${n}` })),
				),
			);
			expect(verdicts.every((verdict) => "owner" in verdict)).to.equal(true);
			expect(most).to.be.within(2, 3);
		});

		it("asks for patience when too many wait, and goes on with those it knows", async () => {
			const held = Promise.withResolvers<HttpResponse>();
			let isHeld = false;
			const { reviewer, clock } = await start(
				() => (isHeld ? held.promise : saying(accepted)),
				{ maxAtOnce: 1, maxWaiting: 2 },
			);
			const known = token();
			await reviewer.review(known);
			clock.pass(61_000);
			isHeld = true;
			const waiting = ["a", "b", "c"].map((sub) =>
				reviewer.review(token({ sub })),
			);
			expect(await reviewer.review(token({ sub: "d" }))).to.have.property(
				"unavailable",
			);
			expect(await reviewer.review(known)).to.have.property("owner");
			held.resolve(saying(accepted));
			for (const one of waiting) expect(await one).to.have.property("owner");
		});

		it("asks at its pace once the burst is spent", async () => {
			const { reviewer, asked, clock } = await start(() => saying(accepted), {
				burst: 3,
				maxPerSecond: 10,
				maxAtOnce: 100,
			});
			const all = Array.from({ length: 5 }, (_, n) =>
				reviewer.review(token({ sub: `${n}` })),
			);
			await Promise.all(all.slice(0, 3));
			expect(asked).to.have.length(3);
			expect(clock.waiting).to.equal(2);
			clock.pass(100);
			await all[3];
			expect(asked).to.have.length(4);
			clock.pass(100);
			await all[4];
			expect(asked).to.have.length(5);
		});

		it("remembers a bounded number, and longest those that come", async () => {
			const { reviewer, asked } = await start(() => saying(accepted), {
				maxKnown: 2,
			});
			const [a, b, c] = ["a", "b", "c"].map((sub) => token({ sub }));
			for (const one of [a, b, a, c]) await reviewer.review(one ?? "");
			expect(asked).to.have.length(3);
			await reviewer.review(a ?? "");
			expect(asked).to.have.length(3);
			await reviewer.review(b ?? "");
			expect(asked).to.have.length(4);
		});
	});

	it("keeps no token, only its hash", async () => {
		const { reviewer } = await start(() => saying(accepted));
		const given = token();
		await reviewer.review(given);
		expect(inspect(reviewer, { depth: 9, showHidden: true })).not.to.contain(
			given,
		);
	});

	it("counts what became of the tokens", async () => {
		const { reviewer, metrics } = await start(() => saying(accepted));
		await reviewer.review(token());
		await reviewer.review(token());
		await reviewer.review("nonsense");
		const text = metrics.print();
		for (const outcome of ["accepted", "known", "malformed"]) {
			expect(text).to.contain(
				`lateen_token_reviews_total{of="proxies",outcome="${outcome}"} 1`,
			);
		}
	});

	it("lets go of those who wait when it is disposed of", async () => {
		const held = Promise.withResolvers<HttpResponse>();
		const arrived = Promise.withResolvers<void>();
		const { reviewer, lines } = await start(() => {
			arrived.resolve();
			return held.promise;
		});
		const review = reviewer.review(token());
		await arrived.promise;
		reviewer[Symbol.dispose]();
		expect(await review).to.have.property("unavailable");
		expect(lines).to.deep.equal([]);
		held.resolve({ status: 500 });
	});
});
