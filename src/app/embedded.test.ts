import {
	chmod,
	mkdir,
	mkdtemp,
	readdir,
	readFile,
	rename,
	rm,
	stat,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { request } from "../net/http-client.ts";
import { LogControl } from "../observability/log-control.ts";
import { silentLogger } from "../observability/logger.ts";
import { readSettings } from "../settings/read-settings.ts";
import { serveSchema } from "../settings/schema.ts";
import type { RunningServer } from "./lifecycle/running-server.ts";
import type { ServeSettings } from "./lifecycle/serve-settings.ts";
import { startServer } from "./start-server.ts";

const service = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec:
  clusterIP: 10.0.0.1
  ports: [{name: http, port: 9080}]
`;

function rule(spec: string): string {
	return `apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: reviews, namespace: default}
spec: ${spec}
`;
}

function settingsFor(
	folder: string,
	flags: Readonly<Record<string, string>> = {},
): ServeSettings {
	const all = {
		source: `directory:${join(folder, "mesh")}`,
		stateDir: join(folder, "state"),
		xdsListen: "127.0.0.1:0",
		...flags,
	};
	const read = readSettings(serveSchema, {
		flags: new Map(Object.entries(all).map(([name, text]) => [name, [text]])),
		environment: {},
	});
	if (!read.ok) throw new Error(read.problems.join("\n"));
	return read.settings;
}

function tools(signal = new AbortController().signal) {
	const failures: unknown[] = [];
	return {
		logger: silentLogger,
		logs: new LogControl("info"),
		environment: {},
		signal,
		onFailure: (error: unknown) => void failures.push(error),
		failures,
	};
}

async function ask(server: RunningServer, path: string) {
	const { admin } = server;
	const answer = await request({
		server:
			"path" in admin ? admin : { url: `http://${admin.host}:${admin.port}` },
		method: "GET",
		path,
	});
	return { status: answer.status, text: await answer.text() };
}

/** Asks until the answer is as expected; the test's time limit ends it otherwise. */
async function askUntil(
	server: RunningServer,
	path: string,
	isRight: (text: string) => boolean,
): Promise<string> {
	for (;;) {
		const { text } = await ask(server, path);
		if (isRight(text)) return text;
		await new Promise((resolve) => setImmediate(resolve));
	}
}

async function thrownBy(promise: Promise<unknown>): Promise<unknown> {
	try {
		await promise;
	} catch (error) {
		return error;
	}
	throw new Error("Nothing was thrown.");
}

describe("startServer on a directory", () => {
	let folder: string;

	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "lateen-app-"));
		await mkdir(join(folder, "mesh"));
		await writeFile(join(folder, "mesh/service.yaml"), service);
	});

	afterEach(() => rm(folder, { recursive: true, force: true }));

	async function serving(
		flags: Readonly<Record<string, string>>,
		use: (server: RunningServer) => Promise<void>,
	): Promise<void> {
		const server = await startServer(settingsFor(folder, flags), tools());
		try {
			await use(server);
		} finally {
			await server[Symbol.asyncDispose]();
		}
	}

	it("is ready when it answers, and tells other commands how to reach it", () =>
		serving({}, async (server) => {
			expect((await ask(server, "/readyz")).status).to.equal(200);
			const file = join(folder, "state/serve.json");
			const said: unknown = JSON.parse(await readFile(file, "utf8"));
			expect(said).to.deep.equal({
				pid: process.pid,
				xds: "port" in server.xds ? `127.0.0.1:${server.xds.port}` : "",
				admin: `unix:${join(folder, "state/admin.sock")}`,
			});
			expect((await stat(join(folder, "state"))).mode & 0o777).to.equal(0o700);
			expect(
				(await stat(join(folder, "state/admin.sock"))).mode & 0o777,
			).to.equal(0o600);
		}));

	it("leaves nothing behind but its key, and can start again with it", async () => {
		let keyBefore = "";
		const keyFile = join(folder, "state/proxy-token.key");
		await serving({}, async () => {
			keyBefore = await readFile(keyFile, "utf8");
		});
		expect(await readdir(join(folder, "state"))).to.deep.equal([
			"proxy-token.key",
		]);
		await serving({}, async () => {
			expect(await readFile(keyFile, "utf8")).to.equal(keyBefore);
		});
	});

	it("refuses a state directory that another server has", () =>
		serving({}, async () => {
			const error = await thrownBy(startServer(settingsFor(folder), tools()));
			expect(error).to.have.property("code", "APP_STATE_DIR_IN_USE");
		}));

	it("frees everything when an address is taken", () =>
		serving({}, async (server) => {
			const taken = "port" in server.xds ? `127.0.0.1:${server.xds.port}` : "";
			const other = { stateDir: join(folder, "other") };
			const error = await thrownBy(
				startServer(
					settingsFor(folder, { ...other, xdsListen: taken }),
					tools(),
				),
			);
			expect(error).to.have.property("code", "NET_ADDRESS_IN_USE");
			await serving(other, async (second) => {
				expect((await ask(second, "/readyz")).status).to.equal(200);
			});
		}));

	it("refuses a state directory that others may write to", async () => {
		await mkdir(join(folder, "open"));
		await chmod(join(folder, "open"), 0o777);
		const error = await thrownBy(
			startServer(
				settingsFor(folder, { stateDir: join(folder, "open") }),
				tools(),
			),
		);
		expect(error).to.have.property("code", "APP_STATE_DIR_UNUSABLE");
	});

	for (const { name, flags, code } of [
		{
			name: "Kubernetes without a way to an API server",
			flags: { source: "kubernetes", kubeconfig: "/nonexistent/config" },
			code: "KUBE_CONFIG",
		},
		{
			name: "a source it does not know",
			flags: { source: "consul:x" },
			code: "APP_SOURCE_UNKNOWN",
		},
		{
			name: "an admin API that is open to the network",
			flags: { adminListen: "0.0.0.0:0" },
			code: "APP_LISTEN_REFUSED",
		},
	])
		it(`refuses ${name}`, async () => {
			const error = await thrownBy(
				startServer(settingsFor(folder, flags), tools()),
			);
			expect(error).to.have.property("code", code);
		});

	it("serves the admin API on loopback when it is told to", () =>
		serving({ adminListen: "127.0.0.1:0" }, async (server) => {
			expect(server.admin).to.have.property("host", "127.0.0.1");
			const { text } = await ask(server, "/metrics");
			expect(text).to.include('lateen_objects{kind="Service"} 1\n');
			expect(text).to.include('lateen_mesh_builds_total{result="ok"} 1\n');
			for (const line of text.trim().split("\n"))
				expect(line).to.match(
					/^(# (HELP|TYPE) .+|[a-z_]+(\{[^}]*\})? -?[0-9.e+-]+)$/,
				);
		}));

	it("shows a broken rule with its place, keeps the good one in force, and shows when it is mended", () =>
		serving({}, async (server) => {
			const file = join(folder, "mesh/rule.yaml");
			const put = async (spec: string): Promise<void> => {
				await writeFile(`${file}.tmp`, rule(spec));
				await rename(`${file}.tmp`, file);
			};
			await put("{destination: {name: reviews}, timeout: 3s}");
			await askUntil(server, "/v1/objects?kind=RouteRule", (text) =>
				text.includes('"name":"reviews"'),
			);
			await put("{destination: {name: reviews}, timeout: '5'}");
			const problems = await askUntil(server, "/v1/problems", (text) =>
				text.includes("spec.timeout"),
			);
			expect(JSON.parse(problems)).to.have.nested.property(
				"problems[0].line",
				4,
			);
			const { text } = await ask(server, "/v1/objects?kind=RouteRule");
			expect(JSON.parse(text)).to.have.nested.include({
				"objects[0].accepted": false,
				"objects[0].inForce": true,
			});
			await put("{destination: {name: reviews}, timeout: 4s}");
			await askUntil(
				server,
				"/v1/problems",
				(now) => now === '{"problems":[]}\n',
			);
		}));

	it("waits for a folder that is not there yet, unready and saying so, until it is aborted", async () => {
		const aborting = new AbortController();
		const start = startServer(
			settingsFor(folder, {
				source: `directory:${join(folder, "later")}`,
			}),
			tools(aborting.signal),
		);
		start.catch(() => undefined);
		for (;;) {
			const answer = await request({
				server: { path: join(folder, "state/admin.sock") },
				method: "GET",
				path: "/readyz",
			}).catch(() => undefined);
			if (answer === undefined) continue;
			expect(answer.status).to.equal(503);
			expect(await answer.text()).to.include(
				"the source has listed everything",
			);
			break;
		}
		aborting.abort();
		expect(await thrownBy(start)).to.have.property("name", "AbortError");
	});
});
