/*
 * What the server says of itself about a change: a real directory, real streams of
 * proxies, and a collector that takes traces.
 */
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { readOrCreateTokenKey } from "../../src/app/embedded/token-key.ts";
import type { RunningServer } from "../../src/app/lifecycle/running-server.ts";
import { startServer } from "../../src/app/start-server.ts";
import { printAddress } from "../../src/net/address.ts";
import { request } from "../../src/net/http-client.ts";
import { LogControl } from "../../src/observability/log-control.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { mintToken } from "../../src/xds/proxy-token.ts";
import { eventually } from "../testkit/eventually.ts";
import { OtlpCollector } from "../testkit/otlp-collector.ts";
import { serveSettings } from "../testkit/serve-settings.ts";
import { WireProxy } from "../testkit/wire-proxy.ts";

const services = ["reviews", "ratings"]
	.map(
		(name, at) => `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: {clusterIP: 10.0.0.${at + 1}, ports: [{name: http, port: 9080}]}
`,
	)
	.join("---\n");

function rule(mark: string): string {
	return `apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: reviews, namespace: default}
spec:
  destination: {name: reviews}
  match: [{path: {prefix: /}}]
  headers: {response: {set: {x-mark: ${mark}}}}
`;
}

/** A server on a folder, with proxies. */
class World implements AsyncDisposable {
	readonly #folder: string;
	readonly #server: RunningServer;
	readonly proxies: readonly WireProxy[];

	private constructor(
		folder: string,
		server: RunningServer,
		proxies: readonly WireProxy[],
	) {
		this.#folder = folder;
		this.#server = server;
		this.proxies = proxies;
	}

	static async start(
		flags: Readonly<Record<string, string>>,
		environment: Readonly<Record<string, string>> = {},
		count = 3,
	): Promise<World> {
		const folder = await mkdtemp(join(tmpdir(), "lateen-traces-"));
		await mkdir(join(folder, "mesh"));
		await writeFile(join(folder, "mesh/services.yaml"), services);
		await writeFile(join(folder, "mesh/rule.yaml"), rule("first"));
		const stateDir = join(folder, "state");
		const server = await startServer(
			serveSettings({
				source: `directory:${join(folder, "mesh")}`,
				stateDir,
				xdsListen: "127.0.0.1:0",
				...flags,
			}),
			{
				logger: silentLogger,
				logs: new LogControl("info"),
				environment,
				signal: new AbortController().signal,
				onFailure: () => undefined,
			},
		);
		const key = await readOrCreateTokenKey(stateDir);
		const served = {
			address: printAddress(server.xds),
			tokenOf: (workload: string) =>
				mintToken(
					{ workload, kind: "sidecar", expiresMs: Date.now() + 3_600_000 },
					key,
				),
		};
		const proxies = Array.from(
			{ length: count },
			(_, at) => new WireProxy(served, `default/p${at}`),
		);
		const world = new World(folder, server, proxies);
		for (const proxy of proxies) proxy.connect();
		for (const proxy of proxies) await proxy.until((one) => one.isKnown);
		await eventually(async () => {
			const text = await world.ask("/v1/status/RouteRule/default/reviews");
			expect(text).to.include(`"total":${count},"acknowledged":${count}`);
		});
		return world;
	}

	async change(mark: string): Promise<void> {
		const file = join(this.#folder, "new.yaml");
		await writeFile(file, rule(mark));
		await rename(file, join(this.#folder, "mesh/rule.yaml"));
	}

	async ask(path: string): Promise<string> {
		const { admin } = this.#server;
		const server =
			"path" in admin ? admin : { url: `http://${admin.host}:${admin.port}` };
		return (await request({ server, method: "GET", path })).text();
	}

	/** The value of a metric by its name and labels as printed. */
	async figure(name: string): Promise<number> {
		const line = (await this.ask("/metrics"))
			.split("\n")
			.find((one) => one.startsWith(`${name} `));
		if (line === undefined) throw new Error(`There is no ${name}.`);
		return Number(line.slice(name.length + 1));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const proxy of this.proxies) proxy.cut();
		await this.#server[Symbol.asyncDispose]();
		await rm(this.#folder, { recursive: true, force: true });
	}
}

const stages = ["built", "sent", "acknowledged", "written"] as const;

describe("what is known about a change", () => {
	it("is measured in stages whose times grow, and traced from file to status", async () => {
		await using collector = await OtlpCollector.start();
		await using world = await World.start(
			{ otlpEndpoint: collector.url },
			{
				OTEL_EXPORTER_OTLP_HEADERS: "api-key=secret",
				OTEL_SERVICE_NAME: "mesh",
			},
		);
		await world.change("second");
		await eventually(async () =>
			expect(
				await world.figure('lateen_change_seconds_count{stage="written"}'),
			).to.equal(1),
		);
		const times = await Promise.all(
			stages.map((stage) =>
				world.figure(`lateen_change_seconds_sum{stage="${stage}"}`),
			),
		);
		expect(times).to.deep.equal(times.toSorted((a, b) => a - b));
		expect(times[0]).to.be.greaterThan(0);
		expect(
			await world.figure('lateen_changes_total{result="acknowledged"}'),
		).to.equal(1);
		expect(await world.figure("lateen_changes_pending")).to.equal(0);

		const trace = await eventually(() => {
			const [one] = collector.traces;
			if (one === undefined) throw new Error("no trace yet");
			return one;
		});
		expect(collector.problems).to.deep.equal([]);
		expect(collector.requests[0]).to.include({
			path: "/v1/traces",
			"api-key": "secret",
			"content-type": "application/json",
		});
		const [root, ...parts] = trace;
		expect(root?.name).to.equal("change");
		expect(root?.attributes).to.deep.include({
			"lateen.result": "acknowledged",
			"lateen.objects": ["RouteRule default/reviews"],
			"lateen.objects.count": 1,
			"lateen.object.generation": 2,
			"lateen.proxies": 3,
		});
		expect(root?.attributes["lateen.resources"]).to.be.greaterThan(0);
		expect(root?.resource).to.include({ "service.name": "mesh" });
		expect(parts.map(({ name }) => name)).to.deep.equal([
			...["hold off", "build mesh", "generate resources", "send"],
			...["acknowledge", "wait for status", "write status"],
		]);
		for (const part of parts) {
			expect(part.parentSpanId).to.equal(root?.spanId);
			expect(part.start >= (root?.start ?? 0n), part.name).to.equal(true);
			expect(part.end >= part.start, part.name).to.equal(true);
			expect(part.end <= (root?.end ?? 0n), part.name).to.equal(true);
		}
	});

	it("waits for the slowest proxy, and a newer change takes the place of an older one", async () => {
		await using world = await World.start({});
		const [slow] = world.proxies;
		if (slow === undefined) throw new Error("no proxy");
		slow.manner = "silent";
		await world.change("second");
		await eventually(() => expect(slow.unanswered).to.equal(1));
		expect(await world.figure("lateen_changes_pending")).to.equal(1);
		expect(
			await world.figure('lateen_changes_total{result="acknowledged"}'),
		).to.equal(0);
		await world.change("third");
		await eventually(async () =>
			expect(
				await world.figure('lateen_changes_total{result="superseded"}'),
			).to.equal(1),
		);
		slow.speak();
		await eventually(async () =>
			expect(
				await world.figure('lateen_changes_total{result="acknowledged"}'),
			).to.equal(1),
		);
		expect(await world.figure("lateen_changes_pending")).to.equal(0);
	});

	it("is not lost when the collector is dead: the change is live as soon, and the server stops as soon", async () => {
		await using collector = await OtlpCollector.start();
		collector.answer = "never";
		{
			await using world = await World.start({ otlpEndpoint: collector.url });
			await world.change("second");
			await eventually(async () =>
				expect(
					await world.figure('lateen_change_seconds_count{stage="written"}'),
				).to.equal(1),
			);
			expect(await world.figure("lateen_trace_spans_exported_total")).to.equal(
				0,
			);
		}
		expect(collector.spans).to.deep.equal([]);
	});

	it("is traced no more often than the setting allows while objects keep changing", async () => {
		await using collector = await OtlpCollector.start();
		await using world = await World.start({
			otlpEndpoint: collector.url,
			tracesPerMinute: "2",
		});
		const changes = 6;
		for (let at = 1; at <= changes; at++) {
			await world.change(`mark-${at}`);
			await eventually(async () =>
				expect(
					await world.figure('lateen_changes_total{result="acknowledged"}'),
				).to.equal(at),
			);
		}
		await eventually(() => expect(collector.traces).to.have.length(2));
	});
});
