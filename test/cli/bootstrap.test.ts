import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { runLateen } from "./run-lateen.ts";
import { withFolder } from "./temporary-folder.ts";

const sidecar = [
	"bootstrap",
	...["--proxy", "default/reviews-v1"],
	...["--outbound", "127.0.0.1:15001"],
	...["--inbound", "127.0.0.1:9081=127.0.0.1:9080=http"],
];

async function mode(path: string): Promise<number> {
	return (await stat(path)).mode & 0o777;
}

describe("lateen bootstrap", () => {
	it("writes the bootstrap, and the token for its owner only", () =>
		withFolder({}, async (folder) => {
			const out = join(folder, "out");
			const ran = await runLateen([
				...sidecar,
				...["--state-dir", join(folder, "state"), "--out", out],
			]);
			expect(ran.code, ran.err).to.equal(0);
			const token = await readFile(join(out, "token"), "utf8");
			expect(token).not.to.match(/\s/);
			expect(await mode(join(out, "token"))).to.equal(0o600);
			expect(await mode(out)).to.equal(0o700);
			const bootstrap = await readFile(join(out, "envoy.json"), "utf8");
			expect(bootstrap).not.to.include(token);
			expect(ran.out + ran.err).not.to.include(token);
			expect(JSON.parse(bootstrap)).to.have.nested.property(
				"node.id",
				"sidecar~default/reviews-v1",
			);
			expect(bootstrap).to.include(join(out, "token-sds.json"));
			expect(bootstrap).to.include("15010");
		}));

	it("prints the bootstrap when no folder is named, and keeps the token in the state directory", () =>
		withFolder({}, async (folder) => {
			const state = join(folder, "state");
			const ran = await runLateen([...sidecar, "--state-dir", state]);
			expect(ran.code, ran.err).to.equal(0);
			expect(JSON.parse(ran.out)).to.have.property("dynamic_resources");
			const token = join(state, "proxies/sidecar~default~reviews-v1/token");
			expect(ran.out).to.include(token);
			expect(await mode(token)).to.equal(0o600);
		}));

	it("takes the address of the server that runs with the state directory", () =>
		withFolder(
			{
				"serve.json": JSON.stringify({
					pid: 1,
					xds: "127.0.0.1:4321",
					admin: "unix:x",
				}),
			},
			async (folder) => {
				const ran = await runLateen([...sidecar, "--state-dir", folder]);
				expect(ran.out).to.include("4321");
			},
		));

	it("makes the bootstrap of a gRPC client readable by its owner only, as it holds the token", () =>
		withFolder({}, async (folder) => {
			const ran = await runLateen([
				...["bootstrap", "--grpc", "--proxy", "default/client"],
				...["--state-dir", join(folder, "state"), "--out", folder],
			]);
			expect(ran.code, ran.err).to.equal(0);
			const file = join(folder, "xds.json");
			expect(await mode(file)).to.equal(0o600);
			expect(JSON.parse(await readFile(file, "utf8"))).to.have.property(
				"xds_servers",
			);
		}));

	it("makes the files of a proxy in a Kubernetes cluster without a token of its own", () =>
		withFolder({}, async (folder) => {
			const state = join(folder, "state");
			const out = join(folder, "out");
			const ran = await runLateen([
				...[...sidecar, "--state-dir", state, "--out", out],
				...["--token-file", "/var/run/secrets/lateen/token"],
				...["--ca-file", "/etc/lateen/ca.crt"],
			]);
			expect(ran.code, ran.err).to.equal(0);
			const bootstrap = await readFile(join(out, "envoy.json"), "utf8");
			expect(bootstrap).to.include("lateen.lateen-system.svc");
			expect(bootstrap).to.include("15012");
			expect(bootstrap).to.include('"exact": "lateen.lateen-system.svc"');
			expect(bootstrap).to.include(join(out, "ca-sds.json"));
			expect(await readFile(join(out, "ca-sds.json"), "utf8")).to.include(
				"/etc/lateen/ca.crt",
			);
			expect(await readFile(join(out, "token-sds.json"), "utf8")).to.include(
				"/var/run/secrets/lateen/token",
			);
			expect((await readdir(out)).sort()).to.deep.equal([
				"ca-sds.json",
				"envoy.json",
				"token-sds.json",
			]);
			expect(existsSync(state)).to.equal(false);
		}));

	it("puts the token of its pod into the bootstrap of a gRPC client in a cluster", () =>
		withFolder({ token: "abc.def.ghi" }, async (folder) => {
			const ran = await runLateen([
				...["bootstrap", "--grpc", "--proxy", "default/client-1"],
				...["--xds", "127.0.0.1:15012", "--ca-file", "/etc/lateen/ca.crt"],
				...["--token-file", join(folder, "token"), "--out", folder],
			]);
			expect(ran.code, ran.err).to.equal(0);
			const file = join(folder, "xds.json");
			expect(await mode(file)).to.equal(0o600);
			const text = await readFile(file, "utf8");
			expect(text).to.include('"token": "abc.def.ghi"');
			expect(text).to.include(join(folder, "token"));
			expect(text).to.include("ca_certificate_file");
		}));

	const usage = [
		{
			name: "a ServiceAccount token would go to whoever answers",
			words: ["--proxy", "a/b", "--token-file", "/token"],
			says: "--token-file needs --ca-file",
		},
		{
			name: "authorities are named without a ServiceAccount token",
			words: ["--proxy", "a/b", "--ca-file", "/ca.crt"],
			says: "go with --token-file",
		},
		{
			name: "the control plane is a socket without a name",
			words: [
				...["--proxy", "a/b", "--token-file", "/token"],
				...["--ca-file", "/ca.crt", "--xds", "unix:/x"],
			],
			says: "--server-name is needed",
		},
		{
			name: "the token of a gRPC client cannot be read",
			words: [
				...["--proxy", "a/b", "--grpc", "--token-file", "/nowhere/token"],
				...["--ca-file", "/ca.crt"],
			],
			says: "--token-file cannot be read",
		},
		{
			name: "neither workload nor gateway is named",
			words: [],
			says: "--proxy or a gateway",
		},
		{
			name: "an inbound listener has no application",
			words: ["--proxy", "a/b", "--inbound", "127.0.0.1:1"],
			says: "LISTEN=APPLICATION=PROTOCOL",
		},
		{
			name: "a listener is not at an IP address",
			words: ["--proxy", "a/b", "--inbound", "here:1=127.0.0.1:2=http"],
			says: "must be an IP address",
		},
		{
			name: "two listeners share an address",
			words: [
				"--proxy",
				"a/b",
				"--outbound",
				"127.0.0.1:1",
				"--inbound",
				"127.0.0.1:1=127.0.0.1:2=http",
			],
			says: "used twice",
		},
		{
			name: "Envoy's admin interface would be open to others",
			words: ["--proxy", "a/b", "--admin", "0.0.0.0:9901"],
			says: "must be on 127.0.0.1",
		},
	];
	for (const { name, words, says } of usage)
		it(`exits 2 when ${name}`, () =>
			withFolder({}, async (folder) => {
				const { code, err } = await runLateen([
					...["bootstrap", "--state-dir", join(folder, "state")],
					...words,
				]);
				expect(code).to.equal(2);
				expect(err).to.include(says);
			}));
});
