import { expect } from "chai";
import { parse } from "yaml";
import { adminApi } from "../../src/admin/http.ts";
import type { ProxyState } from "../../src/admin/readers.ts";
import { WritableSignal } from "../../src/lib/signal.ts";
import { printAddress } from "../../src/net/address.ts";
import { type HttpServer, serveHttp } from "../../src/net/http-server.ts";
import { LogControl } from "../../src/observability/log-control.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { runLateen } from "./run-lateen.ts";

function proxy(name: string, acknowledged: number): ProxyState {
	return {
		id: `sidecar~default/${name}`,
		workload: `default/${name}`,
		kind: "sidecar",
		attachment: "explicit",
		variant: "delta",
		address: "127.0.0.1:4711",
		connectedMs: 0,
		counts: new Map([["clusters", { sent: 12, acknowledged, rejected: 0 }]]),
	};
}

describe("lateen proxies", () => {
	let server: HttpServer;
	let where: string;

	before(async () => {
		server = await serveHttp({
			listen: { host: "127.0.0.1", port: 0 },
			log: silentLogger,
			handler: adminApi({
				version: "0.0.0",
				readiness: () => ({ ready: true, waitingFor: [] }),
				metrics: () => "",
				logs: new LogControl("info"),
				objects: {
					objects: () => [],
					fileProblems: () => [],
					buildFailure: () => undefined,
				},
				status: {
					statuses: () => [],
					of: () => undefined,
					subscribe: () => () => undefined,
					events: () => [],
					isComplete: new WritableSignal(true),
				},
				snapshots: { snapshot: () => undefined, carrying: async () => [] },
				proxies: {
					proxies: () => [proxy("productpage-v1", 12), proxy("b", 11)],
					resources: async () => [
						{
							name: "outbound|9080||reviews",
							sent: "v2",
							acknowledged: "v1",
							rejected: "no such thing",
							config: { name: "reviews" },
						},
						{
							name: "a",
							sent: "v1",
							acknowledged: "v1",
							rejected: undefined,
							config: { name: "a" },
						},
					],
				},
			}),
		});
		where = `--server=${printAddress(server.address)}`;
	});

	after(() => server[Symbol.asyncDispose]());

	it("prints an aligned table that says who lags behind", async () => {
		const { code, out } = await runLateen(["proxies", where]);
		expect(code).to.equal(0);
		const lines = out.trimEnd().split("\n");
		expect(lines).to.have.length(3);
		const column = lines[0]?.indexOf("UP TO DATE") ?? -1;
		expect(
			lines.slice(1).map((line) => line.slice(column, column + 3).trim()),
		).to.deep.equal(["yes", "no"]);
		expect(out).not.to.include("\u001b");
	});

	it("shows those of a namespace", async () => {
		const all = await runLateen(["proxies", where, "-n", "default"]);
		expect(all.out.trimEnd().split("\n")).to.have.length(3);
		const none = await runLateen(["proxies", where, "-n", "shop"]);
		expect(none).to.deep.equal({
			code: 0,
			out: "",
			err: "No proxy of the namespace shop is connected. -n names another one, and -A shows all.\n",
		});
	});

	it("prints the same as JSON and as YAML", async () => {
		const [json, yaml] = await Promise.all([
			runLateen(["proxies", where, "-o", "json"]),
			runLateen(["proxies", where, "-o", "yaml"]),
		]);
		expect(JSON.parse(json.out)).to.have.nested.property(
			"proxies[1].upToDate",
			false,
		);
		expect(parse(yaml.out)).to.deep.equal(JSON.parse(json.out));
	});

	it("shows one proxy with counts by type", async () => {
		const { code, out } = await runLateen(["proxy", "default/b", where]);
		expect(code).to.equal(0);
		expect(out).to.match(/^clusters +12 +11 +0$/m);
	});

	it("shows sent and acknowledged versions and why one is refused", async () => {
		const { out } = await runLateen(["proxy", "default/b", "clusters", where]);
		expect(out).to.match(
			/^outbound\|9080\|\|reviews +v2 +v1 +rejected: no such thing$/m,
		);
		expect(out).to.match(/^a +v1 +v1 +up to date$/m);
	});

	it("adds the Envoy configuration in JSON", async () => {
		const { out } = await runLateen([
			...["proxy", "default/b", "clusters", where, "-o", "json"],
		]);
		expect(JSON.parse(out)).to.have.deep.nested.property(
			"resources[0].config",
			{
				name: "reviews",
			},
		);
	});
});
