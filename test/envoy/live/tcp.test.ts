import { once } from "node:events";
import { connect, createServer as createTlsServer } from "node:tls";
import { expect } from "chai";
import { freePorts } from "../../../hack/programs/free-ports.ts";
import { apiCertificate } from "../../testkit/certificates.ts";
import { eventually } from "../../testkit/eventually.ts";
import { inParallel, LiveMesh } from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";
import { expectShare } from "../../testkit/share.ts";
import {
	dial,
	exchange,
	heard,
	say,
	tcpApplication,
} from "../../testkit/tcp.ts";

const destination = { name: "db" };
const v1 = { labels: { version: "v1" } };
const v2 = { labels: { version: "v2" } };

describe("a TCP service", () => {
	let mesh: LiveMesh;
	/** The sidecar's local listeners. */
	let plain: string;
	let secure: string;
	let nowhere: string;

	before(async () => {
		mesh = await LiveMesh.start(
			serviceYaml("db", [
				{ name: "tcp", port: 5432 },
				{ name: "tls", port: 5433 },
			]),
		);
		for (const version of ["v1", "v2"]) {
			const tls = createTlsServer(apiCertificate(), (socket) => {
				socket.on("error", () => socket.destroy());
				socket.write(`${version} as ${String(socket.servername)}`);
			});
			mesh.workload({
				name: `db-${version}`,
				service: "db",
				labels: { version },
				ports: {
					tcp: await tcpApplication(mesh, version),
					tls: await mesh.listen(tls),
				},
			});
		}
		const ports = await freePorts(3);
		[plain = "", secure = "", nowhere = ""] = ports.map(
			(port) => `127.0.0.1:${port}`,
		);
		await mesh.caller("default/caller", {
			flags: [
				...["--tcp", `db.default.svc.cluster.local:5432=${plain}`],
				...["--tcp", `db.default:5433=${secure}`],
				...["--tcp", `nowhere.default:1=${nowhere}`],
			],
			marked: false,
		});
	});

	after(() => mesh[Symbol.asyncDispose]());

	/** Replaces the rules and waits until `inForce` says so of a new connection. */
	async function rules(
		inForce: () => Promise<unknown>,
		...yaml: readonly string[]
	): Promise<void> {
		mesh.write("rules.yaml", yaml.join(""));
		await eventually(inForce);
	}

	async function tally(
		count: number,
		localAddress?: string,
	): Promise<Record<string, number>> {
		const all: Record<string, number> = {};
		await inParallel(count, 16, async () => {
			const back = (await say(plain, "x", localAddress)).split(":")[0] ?? "";
			all[back] = (all[back] ?? 0) + 1;
		});
		return all;
	}

	it("is reached by a local listener, over the whole service", async () => {
		expect(await tally(60)).to.have.all.keys("v1", "v2");
	});

	it("closes connections to a service that does not exist, and carries on", async () => {
		const socket = await dial(nowhere);
		expect(await heard(socket)).to.equal("");
		socket.destroy();
	});

	it("follows a rule for one version", async () => {
		await rules(
			async () => expect(await tally(20)).to.have.all.keys("v2"),
			ruleYaml("only", { destination, route: [v2], match: [{ port: 5432 }] }),
		);
		expect(await tally(100)).to.deep.equal({ v2: 100 });
	});

	it("splits connections by weight", async () => {
		// Envoy's listener is drained and replaced; a rule that both know tells them apart.
		await rules(
			async () => {
				expect(await say(plain, "x", "127.0.0.9")).to.equal("v1:x");
				expect(await tally(60)).to.have.all.keys("v1", "v2");
			},
			ruleYaml("sure", {
				destination,
				match: [{ tcp: { sourceSubnets: ["127.0.0.9"] } }],
				route: [v1],
			}),
			ruleYaml("shift", {
				destination: { ...destination, port: "tcp" },
				route: [
					{ ...v2, weight: 1 },
					{ ...v1, weight: 9 },
				],
			}),
		);
		const all = await tally(1_500);
		expectShare(all["v2"] ?? 0, 1_500, 0.1);
	});

	it("keeps a connection on its version when the rule changes", async () => {
		await rules(
			async () => expect(await tally(20)).to.have.all.keys("v1"),
			ruleYaml("only", { destination, route: [v1], match: [{ port: 5432 }] }),
		);
		const socket = await dial(plain);
		expect(await exchange(socket, "a")).to.equal("v1:a");
		await rules(
			async () => expect(await tally(20)).to.have.all.keys("v2"),
			ruleYaml("only", { destination, route: [v2], match: [{ port: 5432 }] }),
		);
		expect(await exchange(socket, "b")).to.equal("v1:b");
		socket.destroy();
	});

	it("sorts connections by the caller's subnet, the earlier rule first", async () => {
		const subnets = (name: string, subnet: string, version: object) =>
			ruleYaml(name, {
				destination: { ...destination, port: 5432 },
				match: [{ tcp: { sourceSubnets: [subnet] } }],
				route: [version],
			});
		const answers = async (): Promise<string[]> => [
			await say(plain, "x", "127.0.0.9"),
			await say(plain, "x", "127.0.0.1"),
		];
		await rules(
			async () => expect(await answers()).to.deep.equal(["v2:x", "v1:x"]),
			subnets("a", "127.0.0.8/30", v2),
			subnets("b", "127.0.0.0/8", v1),
		);
		expect(await tally(30, "127.0.0.10")).to.deep.equal({ v2: 30 });
		await rules(
			async () => expect(await answers()).to.deep.equal(["v1:x", "v1:x"]),
			subnets("a", "127.0.0.0/8", v1),
			subnets("b", "127.0.0.8/30", v2),
		);
	});

	it("closes connections whose rule names nothing that exists", async () => {
		await rules(
			async () => expect(await tally(3)).to.deep.equal({ "": 3 }),
			ruleYaml("lost", {
				destination: { ...destination, port: 5432 },
				route: [{ destination: { name: "nowhere", port: 1 } }],
			}),
		);
	});

	it("sorts connections by the server name of their TLS hello", async () => {
		const hello = async (servername: string): Promise<string> => {
			const [host = "", port] = secure.split(":");
			const socket = connect({
				host,
				port: Number(port),
				servername,
				rejectUnauthorized: false,
			});
			await once(socket, "secureConnect");
			const said = await heard(socket);
			socket.destroy();
			return said;
		};
		await rules(
			async () =>
				expect([
					await hello("api.example.com"),
					await hello("a.example.net"),
					await hello("A.Example.NET"),
				]).to.deep.equal([
					"v1 as api.example.com",
					"v2 as a.example.net",
					"v2 as A.Example.NET",
				]),
			ruleYaml("exact", {
				destination: { ...destination, port: "tls" },
				match: [{ tcp: { sni: ["api.example.com"] } }],
				route: [v1],
			}),
			ruleYaml("below", {
				destination: { ...destination, port: "tls" },
				match: [{ tcp: { sni: ["*.example.net"] } }],
				route: [v2],
			}),
		);
		// What no rule takes goes to the whole service.
		const others = new Set<string>();
		for (let i = 0; others.size < 2 && i < 100; i++)
			others.add(await hello("other.example.org"));
		expect([...others].sort()).to.deep.equal([
			"v1 as other.example.org",
			"v2 as other.example.org",
		]);
	});
});
