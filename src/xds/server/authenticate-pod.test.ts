import { expect } from "chai";
import { TestClock } from "../../../test/testkit/test-clock.ts";
import { grpcStatus } from "../../lib/grpc-error.ts";
import { parseNode } from "../parse-node.ts";
import type { Authentication, Refusal } from "./authenticate.ts";
import { PodAuthenticator } from "./authenticate-pod.ts";
import type { KnownPod } from "./pod-directory.ts";
import type { ReadToken } from "./token-reader.ts";

const nowMs = Date.UTC(2026, 0, 1);
const hourMs = 3_600_000;

const owned = (
	podName: string,
	podUid = "uid-1",
	namespace = "default",
): ReadToken => ({
	owner: { namespace, serviceAccount: "default", podName, podUid },
	expiresMs: nowMs + hourMs,
});

/** A cluster with two pods, the tokens of some, and time that passes when it is told to. */
function cluster() {
	const pods = new Map<string, KnownPod>([
		["default/reviews-v1", { uid: "uid-1", labels: {} }],
		["default/ingress", { uid: "uid-1", labels: {} }],
		[
			"default/ingress-abc",
			{ uid: "uid-1", labels: { "lateen.dev/gateway": "ingress" } },
		],
	]);
	const tokens = new Map<string, ReadToken>([
		["reviews", owned("reviews-v1")],
		["ingress", owned("ingress")],
		["ingress-abc", owned("ingress-abc")],
		["ghost", owned("ghost")],
		["earlier", owned("reviews-v1", "uid-0")],
		["elsewhere", owned("reviews-v1", "uid-1", "other")],
		["bad", { refusal: "The token is bad." }],
		["unclear", { unavailable: "Nobody knows." }],
	]);
	const asked: string[] = [];
	const listeners = new Set<() => void>();
	const clock = new TestClock(nowMs);
	const authenticator = new PodAuthenticator({
		tokens: {
			review: async (token) => {
				asked.push(token);
				return tokens.get(token) ?? { refusal: "unknown" };
			},
		},
		pods: {
			find: (key) => pods.get(key),
			subscribe: (listener) => {
				listeners.add(listener);
				return () => listeners.delete(listener);
			},
		},
		clock,
		random: () => 0.5,
	});
	return {
		...{ pods, tokens, asked, clock, listeners },
		changed: () => {
			for (const listener of listeners) listener();
		},
		enter: (
			id: string,
			given: { readonly header?: string; readonly metadata?: string },
		): Promise<Authentication> => {
			const parsed = parseNode({
				id,
				metadata: {
					lateen: {
						...(id.startsWith("gateway")
							? { gateway: [{ listen: "0.0.0.0:80" }] }
							: {}),
						...(given.metadata === undefined ? {} : { token: given.metadata }),
					},
				},
			});
			if ("violations" in parsed) throw new Error(JSON.stringify(parsed));
			return authenticator.authenticate(
				{ address: "10.0.0.1:1", bearerToken: given.header },
				parsed.claims,
			);
		},
	};
}

describe("PodAuthenticator", () => {
	const cases = [
		{
			name: "lets a sidecar in with the token of its pod",
			id: "sidecar~default/reviews-v1",
			header: "reviews",
		},
		{
			name: "lets two proxies of one pod in",
			id: "sidecar~default/reviews-v1~second",
			header: "reviews",
		},
		{
			name: "lets a gRPC client in with its token in the metadata",
			id: "grpc~default/reviews-v1",
			metadata: "reviews",
		},
		{
			name: "lets a gRPC client in with its token in the header",
			id: "grpc~default/reviews-v1",
			header: "reviews",
		},
		{
			name: "lets the pod of a gateway's name in as the gateway",
			id: "gateway~default/ingress",
			header: "ingress",
		},
		{
			name: "lets a pod in as the gateway that its label names",
			id: "gateway~default/ingress~ingress-abc",
			header: "ingress-abc",
		},
		{
			name: "refuses a proxy without a token",
			id: "sidecar~default/reviews-v1",
			want: grpcStatus.unauthenticated,
			says: "--token-file",
		},
		{
			name: "refuses a sidecar with its token in the metadata only",
			id: "sidecar~default/reviews-v1",
			metadata: "reviews",
			want: grpcStatus.unauthenticated,
			says: "sends no token",
		},
		{
			name: "refuses the token of another pod",
			id: "sidecar~default/ratings-v1",
			header: "reviews",
			want: grpcStatus.permissionDenied,
			says: "The token is of the pod default/reviews-v1, but the proxy claims to be the sidecar of default/ratings-v1",
		},
		{
			name: "refuses the token of a pod of that name in another namespace",
			id: "sidecar~default/reviews-v1",
			header: "elsewhere",
			want: grpcStatus.permissionDenied,
			says: "other/reviews-v1",
		},
		{
			name: "refuses a token that the API server refuses",
			id: "sidecar~default/reviews-v1",
			header: "bad",
			want: grpcStatus.unauthenticated,
			says: "The token is bad.",
		},
		{
			name: "refuses a bad token in the header beside a good one in the metadata",
			id: "grpc~default/reviews-v1",
			header: "bad",
			metadata: "reviews",
			want: grpcStatus.unauthenticated,
			says: "The token is bad.",
		},
		{
			name: "puts off a token that cannot be checked",
			id: "sidecar~default/reviews-v1",
			header: "unclear",
			want: grpcStatus.unavailable,
			says: "Nobody knows.",
		},
		{
			name: "puts off a pod that it has not seen",
			id: "sidecar~default/ghost",
			header: "ghost",
			want: grpcStatus.unavailable,
			says: "default/ghost",
		},
		{
			name: "refuses the token of an earlier pod of that name",
			id: "sidecar~default/reviews-v1",
			header: "earlier",
			want: grpcStatus.unauthenticated,
			says: "earlier pod",
		},
		{
			name: "refuses a pod as a gateway that its label does not name",
			id: "gateway~default/egress~ingress-abc",
			header: "ingress-abc",
			want: grpcStatus.permissionDenied,
			says: "lateen.dev/gateway: egress",
		},
		{
			name: "refuses a pod without the label as a gateway",
			id: "gateway~default/ingress~reviews-v1",
			header: "reviews",
			want: grpcStatus.permissionDenied,
			says: "lateen.dev/gateway: ingress",
		},
		{
			name: "refuses a gateway whose suffix is not the token's pod",
			id: "gateway~default/ingress~ingress-xyz",
			header: "ingress-abc",
			want: grpcStatus.permissionDenied,
			says: "default/ingress-xyz",
		},
	] as const;
	for (const { name, id, ...given } of cases) {
		it(name, async () => {
			const answer = await cluster().enter(id, {
				...("header" in given && { header: given.header }),
				...("metadata" in given && { metadata: given.metadata }),
			});
			if ("want" in given) {
				expect(answer).to.have.property("status", given.want);
				expect(answer).to.have.property("refusal").that.contains(given.says);
			} else {
				expect(answer).to.have.nested.property("proxy.id", id);
			}
		});
	}

	/** A stream of a sidecar that was let in, and why it ended. */
	async function admitted(
		id = "sidecar~default/reviews-v1",
		header = "reviews",
	) {
		const mesh = cluster();
		const answer = await mesh.enter(id, { header });
		if (!("proxy" in answer) || answer.watch === undefined)
			throw new Error("It was refused.");
		const ends: Refusal[] = [];
		const stop = answer.watch((refusal) => ends.push(refusal));
		mesh.asked.length = 0;
		return { ...mesh, ends, stop };
	}

	/** Lets what is under way come to its end. */
	const settled = (): Promise<void> =>
		new Promise((resolve) => setImmediate(resolve));

	it("ends the stream of a pod that is deleted", async () => {
		const { pods, changed, ends, listeners, clock } = await admitted();
		pods.delete("default/ingress");
		changed();
		expect(ends).to.deep.equal([]);
		pods.delete("default/reviews-v1");
		changed();
		expect(ends).to.deep.equal([
			{
				status: grpcStatus.unauthenticated,
				refusal: "The pod default/reviews-v1 is gone, and its token with it.",
			},
		]);
		expect(listeners.size).to.equal(0);
		expect(clock.waiting).to.equal(0);
	});

	it("ends the stream of a pod in whose place stands another of its name", async () => {
		const { pods, changed, ends } = await admitted();
		pods.set("default/reviews-v1", { uid: "uid-2", labels: {} });
		changed();
		changed();
		expect(ends).to.have.length(1);
		expect(ends[0]?.refusal).to.contain("earlier pod");
	});

	it("ends the stream of a gateway whose pod is no longer a part of it", async () => {
		const { pods, changed, ends } = await admitted(
			"gateway~default/ingress~ingress-abc",
			"ingress-abc",
		);
		changed();
		expect(ends).to.deep.equal([]);
		pods.set("default/ingress-abc", { uid: "uid-1", labels: {} });
		changed();
		expect(ends).to.have.length(1);
		expect(ends[0]).to.have.property("status", grpcStatus.permissionDenied);
	});

	it("ends the stream of a pod that went while its proxy was let in", async () => {
		const mesh = cluster();
		const answer = await mesh.enter("sidecar~default/reviews-v1", {
			header: "reviews",
		});
		if (!("proxy" in answer)) throw new Error("It was refused.");
		mesh.pods.delete("default/reviews-v1");
		const ends: Refusal[] = [];
		answer.watch?.((refusal) => ends.push(refusal));
		await settled();
		expect(ends).to.have.length(1);
		expect(mesh.clock.waiting).to.equal(0);
	});

	it("looks at the token again every ten minutes, and ends the stream when it is refused", async () => {
		const { tokens, clock, asked, ends } = await admitted();
		clock.pass(600_000);
		await settled();
		expect(asked).to.have.length(1);
		expect(ends).to.deep.equal([]);
		tokens.set("reviews", { refusal: "The ServiceAccount is gone." });
		clock.pass(600_000);
		await settled();
		expect(ends).to.deep.equal([
			{
				status: grpcStatus.unauthenticated,
				refusal: "The ServiceAccount is gone.",
			},
		]);
		expect(clock.waiting).to.equal(0);
	});

	it("looks at the token for the last time a minute before it expires, and goes on for a day", async () => {
		const { tokens, clock, asked, ends } = await admitted();
		for (let minute = 0; minute < 59; minute += 1) {
			clock.pass(60_000);
			await settled();
		}
		expect(asked).to.have.length(6);
		tokens.set("reviews", { refusal: "It has expired." });
		clock.pass(24 * hourMs - 1);
		await settled();
		expect(asked).to.have.length(6);
		expect(ends).to.deep.equal([]);
		clock.pass(1);
		expect(ends).to.have.length(1);
		expect(ends[0]?.refusal).to.contain("expired long ago");
		expect(clock.waiting).to.equal(0);
	});

	it("goes on with a token that expires while the API server cannot be asked", async () => {
		const { tokens, clock, ends } = await admitted();
		tokens.set("reviews", { unavailable: "Nobody knows." });
		for (let minute = 0; minute < 120; minute += 1) {
			clock.pass(60_000);
			await settled();
		}
		expect(ends).to.deep.equal([]);
		expect(clock.waiting).to.equal(1);
	});

	it("does not look again at a token that has expired to our clock and not to the API server's", async () => {
		const mesh = cluster();
		mesh.tokens.set("reviews", {
			...owned("reviews-v1"),
			expiresMs: nowMs - 1_000,
		});
		const answer = await mesh.enter("sidecar~default/reviews-v1", {
			header: "reviews",
		});
		if (!("proxy" in answer)) throw new Error("It was refused.");
		answer.watch?.(() => undefined);
		mesh.clock.pass(hourMs);
		await settled();
		expect(mesh.asked).to.have.length(1);
	});

	it("goes on while the API server cannot be asked, and asks again soon", async () => {
		const { tokens, clock, asked, ends } = await admitted();
		tokens.set("reviews", { unavailable: "Nobody knows." });
		clock.pass(600_000);
		await settled();
		clock.pass(30_000);
		await settled();
		expect(asked).to.have.length(2);
		expect(ends).to.deep.equal([]);
		tokens.set("reviews", { refusal: "no" });
		clock.pass(30_000);
		await settled();
		expect(ends).to.have.length(1);
	});

	it("watches nothing once the stream has ended", async () => {
		const { pods, changed, ends, stop, listeners, clock } = await admitted();
		stop();
		expect(listeners.size).to.equal(0);
		expect(clock.waiting).to.equal(0);
		pods.delete("default/reviews-v1");
		changed();
		expect(ends).to.deep.equal([]);
	});

	it("says nothing of a token that is refused after the stream has ended", async () => {
		const { tokens, clock, ends, stop } = await admitted();
		tokens.set("reviews", { refusal: "no" });
		clock.pass(600_000);
		stop();
		await settled();
		expect(ends).to.deep.equal([]);
		expect(clock.waiting).to.equal(0);
	});
});
