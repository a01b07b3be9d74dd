import { type ChildProcess, spawn } from "node:child_process";
import { createSecretKey, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureEnvoy } from "../../hack/ensure-envoy.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { type GrpcServer, serveGrpc } from "../../src/net/grpc-server.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { generateBootstrap } from "../../src/xds/bootstrap.ts";
import { mintToken } from "../../src/xds/proxy-token.ts";
import type { ResourceType } from "../../src/xds/resource-type.ts";
import { adsMethods } from "../../src/xds/server/ads.ts";
import { authenticate } from "../../src/xds/server/authenticate.ts";
import {
	ConnectedProxies,
	type ProxyEvent,
} from "../../src/xds/server/connected-proxies.ts";
import { MemoryResources } from "./memory-resources.ts";
import { get, until } from "./small-http.ts";

const workload = "default/client";

/** A real Envoy whose configuration comes from resources in memory, over the real discovery service. */
export class EnvoyUnderAds implements AsyncDisposable {
	readonly resources = new MemoryResources();
	readonly connected = new ConnectedProxies();
	/** What the proxy has said, since this was last emptied. */
	readonly events: ProxyEvent[] = [];
	/** `type count` of every response, since this was last emptied. */
	readonly responses: string[] = [];
	/** What Envoy has logged. */
	log = "";
	readonly #key = createSecretKey(randomBytes(32));
	#server: GrpcServer | undefined;
	#envoy: ChildProcess | undefined;
	#folder: string | undefined;
	#adminPort = 0;

	/** Starts server and Envoy, and waits until it is ready. */
	async start(apiType: "DELTA_GRPC" | "GRPC"): Promise<void> {
		this.connected.subscribe((event) => this.events.push(event));
		this.#server = await this.#serve(0);
		const { address } = this.#server;
		this.#folder = await mkdtemp(join(tmpdir(), "lateen-ads-"));
		const inFolder = (name: string) => join(this.#folder ?? "", name);
		const { bootstrap, tokenSds } = generateBootstrap({
			workload,
			kind: "sidecar",
			attachment: "explicit",
			addresses: { inbound: [], tcp: [], gateway: [] },
			server: address,
			adminPort: 0,
			tokenFile: inFolder("token"),
			tokenSdsFile: inFolder("token.json"),
		});
		const expiresMs = Date.now() + 3_600_000;
		await writeFile(
			inFolder("token"),
			mintToken({ workload, kind: "sidecar", expiresMs }, this.#key),
		);
		await writeFile(inFolder("token.json"), JSON.stringify(tokenSds));
		await writeFile(
			inFolder("bootstrap.json"),
			JSON.stringify(bootstrap).replace("DELTA_GRPC", apiType),
		);
		const envoy = spawn(
			await ensureEnvoy(),
			[
				...["-c", inFolder("bootstrap.json")],
				...["--admin-address-path", inFolder("admin")],
				...["--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"],
			],
			{ stdio: ["ignore", "ignore", "pipe"] },
		);
		this.#envoy = envoy;
		envoy.stderr.on("data", (text) => {
			this.log += text;
		});
		this.#adminPort = await until(async () => {
			if (envoy.exitCode !== null) throw new Error(this.log);
			// Not there yet.
			const text = await readFile(inFolder("admin"), "utf8").catch(() => "");
			const port = Number(text.slice(text.lastIndexOf(":") + 1));
			return port > 0 ? port : undefined;
		});
		await until(async () => {
			const { status } = await get(this.#adminPort, "/ready");
			return status === 200 ? true : undefined;
		});
	}

	/** Puts a new server, which knows of no proxy, in the place of the old one. */
	async replaceServer(): Promise<void> {
		const old = this.#server;
		if (old === undefined) throw new Error("There is no server.");
		const { address } = old;
		await old[Symbol.asyncDispose]();
		this.responses.length = 0;
		this.events.length = 0;
		this.#server = await this.#serve("port" in address ? address.port : 0);
	}

	/** Resolves when the proxy has acknowledged the current version of a resource. */
	live(type: ResourceType, name: string): Promise<void> {
		const version = this.resources.get(type, name)?.version;
		const isLive = (): boolean =>
			[...this.connected.all()].some((proxy) =>
				[...proxy.resources(type)].some(
					(sent) => sent.name === name && sent.acknowledged === version,
				),
			);
		return new Promise((resolve) => {
			const stop = this.connected.subscribe(() => look());
			const look = () => {
				if (!isLive()) return;
				stop();
				resolve();
			};
			look();
		});
	}

	/** The answer of Envoy's admin interface. */
	async admin(path: string): Promise<string> {
		return (await get(this.#adminPort, path)).body;
	}

	/** The port that Envoy has chosen for a listener, once it listens. */
	async listenerPort(name: string): Promise<number> {
		return await until(async () => {
			const { listener_statuses: statuses = [] } = JSON.parse(
				await this.admin("/listeners?format=json"),
			) as {
				listener_statuses?: {
					name: string;
					local_address: { socket_address: { port_value: number } };
				}[];
			};
			return statuses.find((status) => status.name === name)?.local_address
				.socket_address.port_value;
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#envoy?.kill("SIGKILL");
		await this.#server?.[Symbol.asyncDispose]();
		if (this.#folder !== undefined) await rm(this.#folder, { recursive: true });
	}

	#serve(port: number): Promise<GrpcServer> {
		return serveGrpc({
			listen: { host: "127.0.0.1", port },
			log: silentLogger,
			methods: adsMethods({
				directory: this.resources,
				authenticate: (peer, claims) =>
					authenticate({ peer, claims, key: this.#key, nowMs: Date.now() }),
				connected: this.connected,
				clock: systemClock,
				log: silentLogger,
				figures: {
					sent: (type, count) => this.responses.push(`${type} ${count}`),
					acknowledged: () => {},
					rejected: () => {},
				},
			}),
		});
	}
}
