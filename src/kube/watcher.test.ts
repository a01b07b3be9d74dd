import { expect } from "chai";
import { eventually } from "../../test/testkit/eventually.ts";
import type { Fault } from "../../test/testkit/scripted-api-server.ts";
import {
	rule,
	truth,
	type WatchedServer,
	watchServer,
} from "../../test/testkit/watched-server.ts";

const three = [rule("a"), rule("b"), rule("c")];

/** Waits until the watch follows its list and has heard all there is. */
async function settled(watched: WatchedServer): Promise<void> {
	await eventually(() => {
		expect(watched.watcher.status.value.isListed).to.equal(true);
		expect(watched.heard).to.deep.equal(truth(watched.server));
		expect(watched.server.watching).to.equal(1);
	});
}

function problem({ watcher }: WatchedServer) {
	return watcher.status.value.problem;
}

/** Kinds of the problems so far, those that are over included. */
function kinds({ problems }: WatchedServer): readonly string[] {
	return problems.map(({ kind }) => kind);
}

describe("watch", () => {
	it("reads a list as a stream of one request, and follows it on the same", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		watched.server.put(rule("a", "new"));
		watched.server.remove("RouteRule", "b");
		await settled(watched);
		expect(watched.lists()).to.equal(1);
		expect(watched.changes()).to.equal(2);
		expect(watched.server.requests).to.have.length(1);
		expect(watched.server.requests[0]?.query).to.include({
			watch: "true",
			sendInitialEvents: "true",
			resourceVersionMatch: "NotOlderThan",
			allowWatchBookmarks: "true",
		});
	});

	it("reads pages where streams are refused, and does not ask for one again", async () => {
		const many = Array.from({ length: 1201 }, (_, n) => rule(`r${n}`));
		await using watched = await watchServer({ objects: many, streams: "no" });
		await settled(watched);
		expect(watched.asked("stream")).to.equal(1);
		expect(watched.asked("list")).to.equal(3);
		watched.server.compact();
		watched.server.put(rule("late"));
		watched.server.failWatches(410, "Expired");
		await eventually(() => expect(watched.lists()).to.equal(2));
		await settled(watched);
		expect(watched.asked("stream")).to.equal(1);
	});

	it("reads pages from a server that takes a streamed list for a watch", async () => {
		await using watched = await watchServer({
			objects: three,
			streams: "ignored",
		});
		await eventually(() => expect(watched.server.watching).to.equal(1));
		expect(watched.lists()).to.equal(0);
		watched.server.bookmark();
		await settled(watched);
		expect(watched.asked("list")).to.equal(1);
	});

	it("reads pages when streamed lists break again and again", async () => {
		await using watched = await watchServer({
			objects: three,
			prepare: (server) =>
				server.fault({ what: "stream", fault: "cut", times: 1000 }),
		});
		await settled(watched);
		expect(watched.asked("stream")).to.equal(2);
		expect(watched.asked("list")).to.equal(1);
	});

	it("tells nothing of a list that breaks off", async () => {
		await using watched = await watchServer({
			objects: three,
			prepare: (server) =>
				server.fault({
					what: "stream",
					fault: {
						raw: `${JSON.stringify({ type: "ADDED", object: rule("half") })}\n`,
					},
				}),
		});
		await settled(watched);
		expect(watched.lists()).to.equal(1);
		expect([...watched.heard.keys()]).to.not.include("default/half");
	});

	it("takes back what is removed before the list is complete", async () => {
		const lines = [
			{ type: "ADDED", object: rule("a") },
			{ type: "ADDED", object: rule("b") },
			{ type: "DELETED", object: rule("a") },
			{
				type: "BOOKMARK",
				object: {
					metadata: {
						resourceVersion: "100",
						annotations: { "k8s.io/initial-events-end": "true" },
					},
				},
			},
		];
		const raw = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
		await using watched = await watchServer({
			prepare: (server) => server.fault({ fault: { raw, open: true } }),
		});
		await eventually(() => expect(watched.lists()).to.equal(1));
		expect([...watched.heard.keys()]).to.deep.equal(["default/b"]);
	});

	it("reads bodies that are split at every byte, inside characters too", async () => {
		await using watched = await watchServer({
			objects: [rule("a", "ein Segel, 帆, ⛵"), rule("b", "\\n\n\u2028")],
			pieceBytes: 1,
		});
		await settled(watched);
		watched.server.put(rule("a", "二つの帆 ⛵⛵"));
		await settled(watched);
		expect(watched.heard.get("default/a")).to.deep.equal({
			text: "二つの帆 ⛵⛵",
		});
	});

	it("resumes where it was when its connection is cut, and lists nothing again", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		watched.server.put(rule("d"));
		await settled(watched);
		watched.server.writeRaw('{"type":"MODIFIED","object":{"meta');
		watched.server.cutWatches();
		watched.server.put(rule("a", "meanwhile"));
		watched.server.remove("RouteRule", "c");
		await settled(watched);
		expect(watched.lists()).to.equal(1);
		expect(watched.changes()).to.equal(3);
	});

	it("resumes from a bookmark when all older versions are gone", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		// Something else changes, so that the versions move on.
		watched.server.put({
			apiVersion: "v1",
			kind: "Pod",
			metadata: { name: "p", namespace: "default" },
		});
		const beforeMs = watched.watcher.lastEventMs ?? Number.NaN;
		watched.server.bookmark();
		await eventually(() =>
			expect(watched.watcher.lastEventMs).to.be.greaterThan(beforeMs),
		);
		watched.server.compact();
		watched.server.endWatches();
		await eventually(() => expect(watched.asked("watch")).to.be.greaterThan(0));
		watched.server.put(rule("d"));
		await settled(watched);
		expect(watched.lists()).to.equal(1);
	});

	it("asks again when the server ends the watch in order", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		for (const name of ["d", "e"]) {
			watched.server.endWatches();
			watched.server.put(rule(name));
			await settled(watched);
		}
		expect(watched.lists()).to.equal(1);
		expect(problem(watched)).to.equal(undefined);
	});

	it("lists again when the server says 410 to a watch that resumes", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		watched.server.cutWatches();
		watched.server.remove("RouteRule", "a");
		watched.server.compact();
		await settled(watched);
		expect(watched.lists()).to.equal(2);
	});

	it("lists again when the server says 410 within a watch", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		watched.server.failWatches(410, "Expired");
		watched.server.remove("RouteRule", "a");
		await eventually(() => expect(watched.lists()).to.equal(2));
		await settled(watched);
	});

	it("survives a storm of 410, waiting longer each time", async () => {
		await using watched = await watchServer({
			objects: three,
			streams: "no",
			haste: 50,
			prepare: (server) =>
				server.fault({
					what: "watch",
					times: 4,
					fault: { status: 410, reason: "Expired" },
				}),
		});
		const startMs = performance.now();
		await settled(watched);
		expect(watched.asked("watch")).to.equal(5);
		expect(watched.lists()).to.equal(5);
		// 0.4 + 0.8 + 1.6 + 3.2 s at the least.
		expect((performance.now() - startMs) * 50).to.be.greaterThan(6000);
		expect(problem(watched)).to.equal(undefined);
	});

	it("starts a list over when its pages expire, and loses nothing to the token it is offered", async () => {
		const many = Array.from({ length: 1201 }, (_, n) => rule(`r${n}`));
		await using watched = await watchServer({
			objects: many,
			streams: "no",
			prepare: (server) =>
				server.fault({
					what: "list",
					laterPage: true,
					fault: {
						status: 410,
						reason: "Expired",
						more: { metadata: { continue: "999999-500" } },
					},
				}),
		});
		await eventually(() => expect(watched.asked("list")).to.equal(2));
		watched.server.put(rule("r0", "changed amid the list"));
		await settled(watched);
		expect(watched.heard.get("default/r0")).to.deep.equal({
			text: "changed amid the list",
		});
	});

	for (const { name, fault, kind } of [
		{
			name: "429 with Retry-After",
			fault: {
				status: 429,
				reason: "TooManyRequests",
				headers: { "retry-after": "1" },
			},
			kind: "KUBE_BUSY",
		},
		{
			name: "500",
			fault: { status: 500, reason: "InternalError" },
			kind: "KUBE_FAILED",
		},
		{ name: "503 of a proxy", fault: { status: 503 }, kind: "KUBE_FAILED" },
		{
			name: "403",
			fault: { status: 403, reason: "Forbidden" },
			kind: "KUBE_FORBIDDEN",
		},
		{
			name: "401",
			fault: { status: 401, reason: "Unauthorized" },
			kind: "KUBE_UNAUTHENTICATED",
		},
		{ name: "a cut connection", fault: "cut", kind: "KUBE_UNREACHABLE" },
		{
			name: "an answer that is no JSON",
			fault: { raw: "<html>It works!</html>\n" },
			kind: "KUBE_FAILED",
		},
		{
			name: "a line that is no event",
			fault: { raw: '{"type":"BOOKMARK"}\n' },
			kind: "KUBE_FAILED",
		},
	] satisfies readonly {
		name: string;
		fault: Fault;
		kind: string;
	}[]) {
		it(`waits and says so on ${name}, and goes on by itself`, async () => {
			await using watched = await watchServer({
				objects: three,
				haste: 50,
				prepare: (server) => server.fault({ fault, times: 1000 }),
			});
			const seen = await eventually(() => {
				expect(problem(watched)?.kind).to.equal(kind);
				return problem(watched)?.message;
			});
			expect(seen).to.match(/^[A-Z].*[.]$/s);
			watched.server.heal();
			await settled(watched);
			expect(problem(watched)).to.equal(undefined);
			expect(watched.lists()).to.equal(1);
		});
	}

	it("keeps what it has through a storm of 429 and 500, and asks seldom", async () => {
		await using watched = await watchServer({ objects: three, haste: 100 });
		await settled(watched);
		const before = watched.server.requests.length;
		watched.server.fault({
			times: 3,
			fault: { status: 429, headers: { "retry-after": "2" } },
		});
		watched.server.fault({ times: 3, fault: { status: 500 } });
		watched.server.cutWatches();
		watched.server.put(rule("d"));
		await eventually(() => expect(watched.problems).to.not.be.empty);
		await settled(watched);
		expect(watched.server.requests.length - before).to.equal(7);
		expect(watched.lists()).to.equal(1);
	});

	it("notices a connection that went silent, and resumes", async () => {
		await using watched = await watchServer({ objects: three, haste: 500 });
		await settled(watched);
		watched.server.fault({ what: "watch", fault: "silent" });
		watched.server.cutWatches();
		watched.server.put(rule("d"));
		await settled(watched);
		expect(watched.asked("watch")).to.equal(2);
		expect(watched.lists()).to.equal(1);
	});

	it("reads pages when a streamed list falls silent before its end", async () => {
		const raw = `${JSON.stringify({ type: "ADDED", object: rule("half") })}\n`;
		await using watched = await watchServer({
			objects: three,
			prepare: (server) => server.fault({ fault: { raw, open: true } }),
		});
		await settled(watched);
		expect([watched.asked("stream"), watched.asked("list")]).to.deep.equal([
			1, 1,
		]);
	});

	it("notices a server that takes requests and does not answer", async () => {
		await using watched = await watchServer({
			objects: three,
			haste: 500,
			prepare: (server) => server.fault({ what: "stream", fault: "mute" }),
		});
		await eventually(() => expect(kinds(watched)).to.include("KUBE_SILENT"));
		await settled(watched);
	});

	it("goes on when the server was away, with what changed meanwhile", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		await watched.server.stop();
		watched.server.put(rule("d"));
		await eventually(() =>
			expect(problem(watched)?.kind).to.equal("KUBE_UNREACHABLE"),
		);
		expect(watched.heard.size).to.equal(3);
		await watched.server.listen();
		await settled(watched);
		expect(watched.lists()).to.equal(1);
	});

	it("lists again when the server was restored to an older version", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		watched.server.fault({
			what: "watch",
			fault: {
				status: 504,
				reason: "Timeout",
				more: {
					details: { causes: [{ reason: "ResourceVersionTooLarge" }] },
				},
			},
		});
		watched.server.cutWatches();
		await eventually(() => expect(watched.lists()).to.equal(2));
		await settled(watched);
	});

	it("waits for a kind that is missing, and reads it as soon as it is there", async () => {
		await using watched = await watchServer({
			objects: three,
			prepare: (server) => server.offer("RouteRule", undefined),
		});
		await eventually(() =>
			expect(watched.watcher.status.value.isMissing).to.equal(true),
		);
		expect(problem(watched)?.message).to.include("Apply the CRDs");
		expect(watched.lists()).to.equal(0);
		watched.server.offer("RouteRule", "v1alpha1");
		await settled(watched);
		expect(watched.watcher.status.value).to.deep.equal({
			isListed: true,
			isMissing: false,
			problem: undefined,
		});
	});

	it("keeps what it has when the kind goes away under it", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		watched.server.offer("RouteRule", undefined);
		await eventually(() => expect(problem(watched)?.kind).to.equal("missing"));
		expect(watched.heard.size).to.equal(3);
	});

	it("follows a kind to another version, and says so as long as it must", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		watched.server.offer("RouteRule", "v1");
		watched.server.put(rule("d"));
		await settled(watched);
		expect(problem(watched)?.message).to.include(
			"v1 and no longer at v1alpha1",
		);
		expect(watched.watcher.items().get("default/d")?.["apiVersion"]).to.equal(
			"lateen.dev/v1alpha1",
		);
		watched.server.offer("RouteRule", "v1alpha1");
		watched.server.put(rule("e"));
		await settled(watched);
		expect(problem(watched)).to.equal(undefined);
	});

	it("asks for smaller pages when one is too large, and reads them all", async () => {
		const large = "x".repeat(1000);
		const objects = Array.from({ length: 40 }, (_, n) => rule(`r${n}`, large));
		await using watched = await watchServer({
			objects,
			streams: "no",
			maxPageBytes: 32_000,
		});
		await settled(watched);
		const limits = watched.server.requests
			.filter(({ what }) => what === "list")
			.map(({ query }) => Number(query["limit"]));
		expect(limits.slice(0, 4)).to.deep.equal([500, 125, 32, 8]);
	});

	it("refuses more than may be kept, keeps what it has and says so", async () => {
		await using watched = await watchServer({
			objects: three,
			limits: { maxObjects: 5, maxBytes: 1024 * 1024 },
		});
		await settled(watched);
		for (let n = 0; n < 10; n++) watched.server.put(rule(`more${n}`));
		await eventually(() =>
			expect(problem(watched)?.message).to.include("at most 5 objects"),
		);
		expect(watched.heard.size).to.be.within(3, 5);
		for (let n = 0; n < 10; n++) watched.server.remove("RouteRule", `more${n}`);
		await settled(watched);
		expect(problem(watched)).to.equal(undefined);
	});

	it("does not take a list of hostile size for a list", async () => {
		const objects = Array.from({ length: 50 }, (_, n) =>
			rule(`r${n}`, "x".repeat(10_000)),
		);
		for (const streams of ["yes", "no"] as const) {
			await using watched = await watchServer({
				objects,
				streams,
				limits: { maxObjects: 1000, maxBytes: 100_000 },
			});
			await eventually(() =>
				expect(problem(watched)?.message).to.include("more routerules"),
			);
			expect(watched.watcher.status.value.isListed).to.equal(false);
			expect(watched.lists()).to.equal(0);
		}
	});

	it("ends a line that has no end", async () => {
		await using watched = await watchServer({ objects: three, haste: 3 });
		await settled(watched);
		watched.server.writeRaw(
			`{"type":"ADDED","object":{"x":"${"y".repeat(9e6)}`,
		);
		await eventually(() =>
			expect(watched.problems.map(({ message }) => message).join()).to.include(
				"larger than 8 MiB",
			),
		);
		await settled(watched);
	});

	it("tells nothing of an object that is as it was", async () => {
		await using watched = await watchServer({ objects: three });
		await settled(watched);
		watched.server.put({ ...rule("a"), status: { conditions: [] } });
		watched.server.put(rule("b", "new"));
		await settled(watched);
		expect(watched.changes()).to.equal(1);
	});

	it("ends when it is told to, whatever it does", async () => {
		for (const fault of ["mute", "silent", { status: 500 }] as const) {
			const watched = await watchServer({
				haste: 1,
				prepare: (server) => server.fault({ fault, times: 1000 }),
			});
			await eventually(() =>
				expect(watched.server.requests.length).to.be.greaterThan(0),
			);
			await watched.stop();
			await watched[Symbol.asyncDispose]();
		}
	});
});
