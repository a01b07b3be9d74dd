// What validation lets through and this Envoy refuses, by an option that only
// the test gives it: a smaller limit, or an extension that it is to lack.

import { spawnSync } from "node:child_process";
import {
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { freePorts } from "../../../hack/programs/free-ports.ts";
import { readOrCreateTokenKey } from "../../../src/app/embedded/token-key.ts";
import { mintToken } from "../../../src/xds/proxy-token.ts";
import { eventually } from "../../testkit/eventually.ts";
import { type Caller, LiveMesh } from "../../testkit/live-mesh.ts";
import {
	externalYaml,
	ruleYaml,
	serviceYaml,
} from "../../testkit/mesh-yaml.ts";
import { send } from "../../testkit/send.ts";
import { say, tcpApplication } from "../../testkit/tcp.ts";
import { WireProxy } from "../../testkit/wire-proxy.ts";

/** Makes Envoy refuse regular expressions that become larger than this. */
const shortRegexes = [
	"--config-yaml",
	JSON.stringify({
		layered_runtime: {
			layers: [
				{
					name: "test",
					static_layer: { "re2.max_program_size.error_level": 60 },
				},
			],
		},
	}),
];

/** Valid, and more than such an Envoy takes. */
const longRegex = "/(abc|def|ghi|jkl|mno|pqr|stu|vwx){2,9}/[0-9a-f]{20,40}";

/** Answers with a word, for everything or for what matches. */
function saying(name: string, word: string, path?: object): string {
	return ruleYaml(name, {
		destination: { name: name.split("-")[0] ?? name },
		...(path && { match: [{ path }] }),
		respond: { status: 200, body: word },
	});
}

/**
 * A command that runs another one as on a machine without IPv6, where the
 * kernel refuses to make such sockets.
 */
const withoutIpv6 = [
	"perl",
	join(import.meta.dirname, "../../testkit/without-ipv6.pl"),
];

interface Told {
	readonly programmed: string;
	readonly reason: string;
	readonly message: string;
}

async function toldOf(mesh: LiveMesh, path: string): Promise<Told> {
	const { status } = JSON.parse(await mesh.admin(`/v1/status/${path}`)) as {
		status: {
			conditions: readonly {
				type: string;
				status: string;
				reason: string;
				message: string;
			}[];
		};
	};
	const found = status.conditions.find(({ type }) => type === "Programmed");
	return {
		programmed: found?.status ?? "",
		reason: found?.reason ?? "",
		message: found?.message ?? "",
	};
}

/** How many responses an Envoy has refused so far, of all types. */
async function refusals({ envoy }: Caller): Promise<number> {
	const { body } = await send(
		`http://${envoy.admin}/stats?filter=update_rejected$`,
	);
	return body
		.split("\n")
		.map((line) => Number(line.split(": ")[1] ?? 0))
		.reduce((sum, one) => sum + one, 0);
}

/** One type of resource, and an object that this Envoy refuses there. */
interface Case {
	/** Arguments of the Envoy that refuses. */
	readonly args?: readonly string[];
	/** What `LiveMesh.startEnvoy` says. */
	readonly launcher?: readonly string[];
	readonly flags?: readonly string[];
	/** `Kind/namespace/name` of the object. */
	readonly path: string;
	readonly good: string;
	readonly bad: string;
	readonly mended: string;
	/** Another object that changes together with it, `name` in its content. */
	readonly other: (word: string) => string;
	readonly otherPath: string;
	/** What Envoy says. */
	readonly words: RegExp;
	/** What its traffic gets while the good form is in force, and when it is mended. */
	readonly askGood: (caller: Caller) => Promise<void>;
	readonly askMended: (caller: Caller) => Promise<void>;
	readonly askOther: (caller: Caller, word: string) => Promise<void>;
}

/** The whole life of a bad object: refused, blamed alone, across a restart, seen by a new proxy, mended. */
async function expectQuarantine(mesh: LiveMesh, one: Case): Promise<void> {
	mesh.write("object.yaml", one.good);
	mesh.write("other.yaml", one.other("first"));
	const { args = [], launcher = [], flags = [] } = one;
	const caller = await mesh.caller("default/caller", { args, launcher, flags });
	await eventually(async () => {
		await one.askGood(caller);
		await one.askOther(caller, "first");
		expect((await toldOf(mesh, one.path)).programmed).to.equal("True");
	});
	// Kept behind everything else's back.
	await eventually(() => expect(kept(mesh)).to.include(one.path));

	mesh.write("object.yaml", one.bad);
	mesh.write("other.yaml", one.other("second"));
	await eventually(async () => {
		await one.askGood(caller);
		const told = await toldOf(mesh, one.path);
		expect(told.reason, told.message).to.equal("Rejected");
		expect(told.programmed).to.equal("False");
		expect(told.message).to.include("default/caller");
		expect(told.message).to.match(one.words);
		expect(told.message).to.include("Generation 1 of the object stays");
	});
	await eventually(async () => {
		await one.askGood(caller);
		await one.askOther(caller, "second");
		const other = await toldOf(mesh, one.otherPath);
		expect(other.programmed, other.message).to.equal("True");
		expect(other.message).to.include("Generation 2");
	});

	await eventually(() => expect(kept(mesh)).to.match(one.words));
	expect(kept(mesh)).to.match(/"software":"envoy \d+[.]\d+[.]\d+"/);
	await mesh.stopServer();
	await one.askGood(caller);
	const before = await refusals(caller);
	await mesh.startServer();
	const late = await mesh.caller("default/late", { args, launcher });
	await one.askGood(late);
	await one.askOther(late, "second");
	await eventually(async () => {
		const told = await toldOf(mesh, one.path);
		expect(told.reason, told.message).to.equal("Rejected");
		expect((await toldOf(mesh, one.otherPath)).message).to.include("2 of 2");
	});
	await one.askGood(caller);
	expect(await refusals(caller)).to.equal(before);
	expect(await refusals(late)).to.equal(0);

	mesh.write("object.yaml", one.mended);
	await eventually(async () => {
		await one.askMended(caller);
		await one.askMended(late);
		const told = await toldOf(mesh, one.path);
		expect(told.programmed, told.message).to.equal("True");
	});
	await eventually(() => expect(kept(mesh)).not.to.match(one.words));
}

/** Everything that is kept about objects that have a file. */
function kept(mesh: LiveMesh): string {
	const folder = join(mesh.stateDir, "last-good");
	return readdirSync(folder)
		.map((name) => {
			const path = join(folder, name);
			expect(statSync(path).mode & 0o077).to.equal(0);
			const text = readFileSync(path, "utf8");
			const { ref, proven } = JSON.parse(text) as {
				ref: { kind: string; namespace: string; name: string };
				proven?: unknown;
			};
			return proven === undefined
				? ""
				: `${ref.kind}/${ref.namespace}/${ref.name} ${text}`;
		})
		.join("\n");
}

/** A proxy that says it is of a later version than any Envoy here, and accepts everything. */
async function newerProxy(
	mesh: LiveMesh,
	workload: string,
): Promise<WireProxy> {
	const { xds } = JSON.parse(
		readFileSync(join(mesh.stateDir, "serve.json"), "utf8"),
	) as { xds: string };
	const key = await readOrCreateTokenKey(mesh.stateDir);
	const expiresMs = Date.now() + 3_600_000;
	const proxy = new WireProxy(
		{
			address: xds,
			tokenOf: (workload) =>
				mintToken({ workload, kind: "sidecar", expiresMs }, key),
		},
		workload,
		"99.0.0",
	);
	mesh.atEnd(() => proxy.cut());
	proxy.connect();
	return proxy;
}

function expectBody(url: string, body: string) {
	return async (caller: Caller): Promise<void> => {
		expect((await caller.ask(url)).body).to.equal(body);
	};
}

describe("an object that a real Envoy refuses", function () {
	this.timeout(60_000);
	let mesh: LiveMesh;

	afterEach(() => mesh[Symbol.asyncDispose]());

	it("hurts only itself in a virtual host", async () => {
		mesh = await LiveMesh.start(serviceYaml("echo") + serviceYaml("other"));
		await expectQuarantine(mesh, {
			args: shortRegexes,
			path: "RouteRule/default/echo",
			good: saying("echo", "good"),
			bad: saying("echo", "bad", { regex: longRegex }),
			mended: saying("echo", "mended"),
			other: (word) => saying("other", word),
			otherPath: "RouteRule/default/other",
			words: /program size/,
			askGood: expectBody("http://echo/", "good"),
			askMended: expectBody("http://echo/", "mended"),
			askOther: (caller, word) => expectBody("http://other/", word)(caller),
		});
	});

	it("hurts only itself beside other rules of the same virtual host, whether they changed with it or not", async () => {
		mesh = await LiveMesh.start(serviceYaml("echo"));
		mesh.write(
			"third.yaml",
			saying("echo-third", "third", { exact: "/third" }),
		);
		await expectQuarantine(mesh, {
			args: shortRegexes,
			path: "RouteRule/default/echo",
			good: saying("echo", "good", { exact: "/one" }),
			bad: saying("echo", "bad", { regex: longRegex }),
			mended: saying("echo", "mended", { exact: "/one" }),
			other: (word) => saying("echo-other", word, { exact: "/two" }),
			otherPath: "RouteRule/default/echo-other",
			words: /program size/,
			askGood: async (caller) => {
				await expectBody("http://echo/one", "good")(caller);
				await expectBody("http://echo/third", "third")(caller);
			},
			askMended: expectBody("http://echo/one", "mended"),
			askOther: (caller, word) => expectBody("http://echo/two", word)(caller),
		});
	});

	it("hurts only itself in a listener", async () => {
		mesh = await LiveMesh.start(
			serviceYaml("db", [{ name: "tcp", port: 5432 }]) +
				serviceYaml("other", [{ name: "tcp", port: 5432 }]),
		);
		for (const name of ["db-v1", "db-v2", "other-v1", "other-v2"]) {
			const [service = "", version = ""] = name.split("-");
			mesh.workload({
				name,
				service,
				labels: { version },
				ports: { tcp: await tcpApplication(mesh, name) },
			});
		}
		const local = (await freePorts(4)).map((port) => `127.0.0.1:${port}`);
		const [db = "", other = ""] = local;
		const rule = (name: string, version: string, match?: object) =>
			ruleYaml(name, {
				destination: { name },
				...(match && { match: [{ tcp: match }] }),
				route: [{ labels: { version } }],
			});
		const said = (address: string, from: string) => async () =>
			expect(await say(address, "x")).to.equal(`${from}:x`);
		await expectQuarantine(mesh, {
			args: [
				"--disable-extensions",
				"envoy.filters.listener/envoy.filters.listener.tls_inspector",
			],
			flags: [
				...["--tcp", `db.default:5432=${db}`],
				...["--tcp", `other.default:5432=${other}`],
			],
			path: "RouteRule/default/db",
			good: rule("db", "v1"),
			bad: rule("db", "v1", { sni: ["db.example.com"] }),
			mended: rule("db", "v2"),
			other: (word) => rule("other", word === "first" ? "v1" : "v2"),
			otherPath: "RouteRule/default/other",
			words: /tls_inspector/,
			askGood: async () => void (await said(db, "db-v1")()),
			askMended: async () => void (await said(db, "db-v2")()),
			askOther: async (_, word) =>
				void (await said(other, word === "first" ? "other-v1" : "other-v2")()),
		});
	});

	it("hurts only itself in the routes of a gateway", async () => {
		mesh = await LiveMesh.start(serviceYaml("echo"));
		const [port] = await freePorts(1);
		const listen = `127.0.0.1:${port}`;
		const rule = (name: string, word: string, path: object) =>
			ruleYaml(name, {
				destination: { name: "echo" },
				gateways: ["edge"],
				match: [{ path }],
				respond: { status: 200, body: word },
			});
		const from = (path: string, body: string) => async () => {
			const answer = await send(`http://${listen}${path}`);
			expect(answer.body).to.equal(body);
		};
		mesh.write("object.yaml", rule("bad", "good", { exact: "/one" }));
		mesh.write("other.yaml", rule("other", "first", { exact: "/two" }));
		await mesh.envoy(
			"edge",
			["--gateway", "edge", "--listen", listen],
			shortRegexes,
		);
		await eventually(from("/one", "good"));
		await eventually(async () =>
			expect((await toldOf(mesh, "RouteRule/default/bad")).programmed).to.equal(
				"True",
			),
		);
		mesh.write("object.yaml", rule("bad", "bad", { regex: longRegex }));
		mesh.write("other.yaml", rule("other", "second", { exact: "/two" }));
		await eventually(async () => {
			await from("/one", "good")();
			await from("/two", "second")();
			const told = await toldOf(mesh, "RouteRule/default/bad");
			expect(told.reason, told.message).to.equal("Rejected");
			const other = await toldOf(mesh, "RouteRule/default/other");
			expect(other.programmed, other.message).to.equal("True");
		});
		mesh.write("object.yaml", rule("bad", "mended", { exact: "/one" }));
		await eventually(from("/one", "mended"));
	});

	it("hurts only itself among clusters", async () => {
		mesh = await LiveMesh.start(serviceYaml("echo"));
		const [one, two] = await Promise.all(
			["one", "two"].map(
				async (name) =>
					(await mesh.application({ name, service: "nobody" })).port,
			),
		);
		const external = (name: string, port: number | undefined, tls?: object) =>
			externalYaml(name, {
				hosts: [`${name}.example.com`],
				resolution: "Static",
				ports: [
					{ number: 80, name: "http", protocol: "HTTP", ...(tls && { tls }) },
				],
				endpoints: [{ address: "127.0.0.1", ports: { http: port } }],
			});
		const from = (name: string, wanted: string) => async (caller: Caller) => {
			const answer = await caller.ask(`http://${name}.example.com/`);
			expect(answer.from, answer.body).to.equal(wanted);
		};
		await expectQuarantine(mesh, {
			args: [
				"--disable-extensions",
				"envoy.transport_sockets.upstream/envoy.transport_sockets.tls",
			],
			path: "ExternalService/default/good",
			good: external("good", one),
			bad: external("good", two, { sni: "good.example.com" }),
			mended: external("good", two),
			other: (word) => external("other", word === "first" ? one : two),
			otherPath: "ExternalService/default/other",
			words: /transport_sockets[.]tls|UpstreamTlsContext/,
			askGood: from("good", "one"),
			askMended: from("good", "two"),
			askOther: (caller, word) =>
				from("other", word === "first" ? "one" : "two")(caller),
		});
	});

	it("hurts only itself among endpoints", async function () {
		if (spawnSync(withoutIpv6[0] ?? "", ["-e", "1"]).status !== 0) this.skip();
		mesh = await LiveMesh.start(serviceYaml("echo"));
		const [one, two] = await Promise.all(
			["one", "two"].map(
				async (name) =>
					(await mesh.application({ name, service: "nobody" })).port,
			),
		);
		const external = (name: string, address: string, port?: number) =>
			externalYaml(name, {
				hosts: [`${name}.example.com`],
				resolution: "Static",
				ports: [{ number: 80, name: "http", protocol: "HTTP" }],
				endpoints: [{ address, ports: { http: port } }],
			});
		const from = (name: string, wanted: string) => async (caller: Caller) => {
			const answer = await caller.ask(`http://${name}.example.com/`);
			expect(answer.from, answer.body).to.equal(wanted);
		};
		await expectQuarantine(mesh, {
			launcher: withoutIpv6,
			path: "ExternalService/default/good",
			good: external("good", "127.0.0.1", one),
			bad: external("good", "::1", two),
			mended: external("good", "127.0.0.1", two),
			other: (word) =>
				external("other", "127.0.0.1", word === "first" ? one : two),
			otherPath: "ExternalService/default/other",
			words: /malformed IP address: ::1/,
			askGood: from("good", "one"),
			askMended: from("good", "two"),
			askOther: (caller, word) =>
				from("other", word === "first" ? "one" : "two")(caller),
		});
	});

	it("is not held back from the others when one alone refuses it, and is reported for that one", async () => {
		mesh = await LiveMesh.start(serviceYaml("echo") + serviceYaml("other"));
		mesh.write("object.yaml", saying("echo", "good"));
		const strict = await mesh.caller("default/strict", { args: shortRegexes });
		const usual = await mesh.caller("default/usual");
		const sayEach = async (callers: readonly Caller[], body: string) => {
			for (const caller of callers) {
				const { body: said } = await caller.ask(
					`http://echo/abcdef/${"0".repeat(20)}`,
				);
				expect(said).to.equal(body);
			}
		};
		await eventually(() => sayEach([strict, usual], "good"));
		mesh.write("object.yaml", saying("echo", "new", { regex: longRegex }));
		mesh.write("other.yaml", saying("other", "good"));
		await eventually(async () => {
			await sayEach([usual], "new");
			await sayEach([strict], "good");
			await expectBody("http://other/", "good")(strict);
			const told = await toldOf(mesh, "RouteRule/default/echo");
			expect(told.reason, told.message).to.equal("Rejected");
			expect(told.message).to.include("1 of 2 proxies");
			expect(told.message).to.include("default/strict");
		});
		mesh.write("object.yaml", saying("echo", "mended"));
		await eventually(() => sayEach([strict, usual], "mended"));
	});

	it("is held back for one that is ill only until another comes that takes it", async () => {
		mesh = await LiveMesh.start(serviceYaml("echo"));
		mesh.write("object.yaml", saying("echo", "good", { regex: longRegex }));
		const ill = await mesh.caller("default/ill", { args: shortRegexes });
		await eventually(async () => {
			const told = await toldOf(mesh, "RouteRule/default/echo");
			expect(told.message).to.include("nothing of it is in force");
		});
		const before = await refusals(ill);
		const well = await mesh.caller("default/well");
		await eventually(
			() => expectBody(`http://echo/abcdef/${"0".repeat(20)}`, "good")(well),
			20_000,
		);
		await eventually(async () => {
			const told = await toldOf(mesh, "RouteRule/default/echo");
			expect(told.message).to.include("1 of 2 proxies");
			expect(told.message).to.include("default/ill");
		});
		expect(await refusals(ill)).to.be.at.most(before + 1);
	});

	it("is kept from the version that refuses it, which gets everything else that changes beside it", async () => {
		mesh = await LiveMesh.start(serviceYaml("echo"));
		mesh.write("object.yaml", saying("echo", "good", { exact: "/one" }));
		mesh.write("other.yaml", saying("echo-other", "first", { exact: "/two" }));
		const strict = await mesh.caller("default/strict", { args: shortRegexes });
		const newer = await newerProxy(mesh, "default/newer");
		await eventually(async () => {
			await expectBody("http://echo/one", "good")(strict);
			await expectBody("http://echo/two", "first")(strict);
			const told = await toldOf(mesh, "RouteRule/default/echo");
			expect(told.message).to.include("2 of 2 proxies");
		});

		mesh.write("object.yaml", saying("echo", "not-good", { regex: longRegex }));
		await eventually(async () => {
			const told = await toldOf(mesh, "RouteRule/default/echo");
			expect(told.reason, told.message).to.equal("Rejected");
			expect(told.message).to.match(/^1 of 2 proxies .*default\/strict says/);
			expect(newer.has("not-good")).to.equal(true);
		});
		mesh.write("other.yaml", saying("echo-other", "second", { exact: "/two" }));
		await eventually(async () => {
			await expectBody("http://echo/two", "second")(strict);
			await expectBody("http://echo/one", "good")(strict);
			const told = await toldOf(mesh, "RouteRule/default/echo-other");
			expect(told.programmed, told.message).to.equal("True");
			expect(told.message).to.include("2 of 2 proxies");
		});
		expect((await toldOf(mesh, "RouteRule/default/echo")).reason).to.equal(
			"Rejected",
		);
		// What the server says that the proxy is to have is what it has, and it refuses nothing.
		const { resources } = JSON.parse(
			await mesh.admin("/v1/resources?proxy=default/strict&bytes=false"),
		) as {
			resources: readonly {
				name: string;
				wanted: { version: string } | null;
				acknowledged: { version: string } | null;
				rejected: string | null;
			}[];
		};
		expect(resources).not.to.deep.equal([]);
		for (const { name, wanted, acknowledged, rejected } of resources) {
			expect(acknowledged?.version, name).to.equal(wanted?.version);
			expect(rejected, name).to.equal(null);
		}

		mesh.write("object.yaml", saying("echo", "mended", { exact: "/one" }));
		await eventually(async () => {
			await expectBody("http://echo/one", "mended")(strict);
			const told = await toldOf(mesh, "RouteRule/default/echo");
			expect(told.programmed, told.message).to.equal("True");
		});
	});

	it("does not keep a new proxy from its first configuration, even when nobody has proven anything", async () => {
		mesh = await LiveMesh.start(
			serviceYaml("echo") + serviceYaml("other") + serviceYaml("plain"),
		);
		await mesh.application({ name: "plain-v1", service: "plain" });
		mesh.write("object.yaml", saying("echo", "bad", { regex: longRegex }));
		mesh.write("other.yaml", saying("other", "good"));
		const caller = await mesh.caller("default/caller", { args: shortRegexes });
		expect((await caller.ask("http://plain/")).from).to.equal("plain-v1");
		await eventually(expectBody("http://other/", "good").bind(0, caller));
		await eventually(async () => {
			const told = await toldOf(mesh, "RouteRule/default/echo");
			expect(told.reason, told.message).to.equal("Rejected");
			expect(told.message).to.include("nothing of it is in force");
		});
	});
});

describe("an object that is refused by validation when the server starts", function () {
	this.timeout(60_000);

	it("is served in its last good form", async () => {
		await using mesh = await LiveMesh.start(serviceYaml("echo"));
		mesh.write("object.yaml", saying("echo", "good"));
		await eventually(() =>
			expect(readdirSync(join(mesh.stateDir, "last-good"))).to.have.length(1),
		);
		await mesh.stopServer();
		mesh.write("object.yaml", saying("echo", "bad").replace("200", "2000"));
		await mesh.startServer();
		const caller = await mesh.caller("default/caller");
		await eventually(expectBody("http://echo/", "good").bind(0, caller));
		const { status } = JSON.parse(
			await mesh.admin("/v1/status/RouteRule/default/echo"),
		) as { status: { conditions: readonly { message: string }[] } };
		expect(status.conditions[0]?.message).to.include(
			"The last good form of the object, from before the server started, stays in force",
		);
		mesh.write("object.yaml", saying("echo", "mended"));
		await eventually(expectBody("http://echo/", "mended").bind(0, caller));
	});
});

describe("a disk on which last good forms cannot be written", function () {
	this.timeout(60_000);

	it("holds up nothing, is reported, and is tried again", async () => {
		await using mesh = await LiveMesh.start(serviceYaml("echo"));
		const caller = await mesh.caller("default/caller");
		// Not even the system's administrator can write into what is no folder.
		const folder = join(mesh.stateDir, "last-good");
		rmSync(folder, { recursive: true, force: true });
		writeFileSync(folder, "");
		mesh.write("object.yaml", saying("echo", "good"));
		await eventually(expectBody("http://echo/", "good").bind(0, caller));
		await eventually(async () =>
			expect(await mesh.admin("/metrics")).to.match(
				/^lateen_last_good_write_failures_total [1-9]/m,
			),
		);
		expect(await mesh.admin("/metrics")).to.match(
			/^lateen_last_good_unwritten 1$/m,
		);
		mesh.write("object.yaml", saying("echo", "better"));
		await eventually(expectBody("http://echo/", "better").bind(0, caller));
		rmSync(folder);
		await eventually(async () => {
			expect(await mesh.admin("/metrics")).to.match(
				/^lateen_last_good_unwritten 0$/m,
			);
			expect(kept(mesh)).to.include("better");
		}, 40_000);
	});
});
