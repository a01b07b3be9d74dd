import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
	mkdirSync,
	mkdtempSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import {
	Agent,
	createServer,
	type IncomingMessage,
	type ServerResponse,
} from "node:http";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect, promisify } from "node:util";
import { ensureEnvoy } from "../../hack/ensure-envoy.ts";
import { freePorts } from "../../hack/programs/free-ports.ts";
import type { RunningServer } from "../../src/app/lifecycle/running-server.ts";
import { startServer } from "../../src/app/start-server.ts";
import { request } from "../../src/net/http-client.ts";
import { LogControl } from "../../src/observability/log-control.ts";
import { type Logger, silentLogger } from "../../src/observability/logger.ts";
import { eventually } from "./eventually.ts";
import {
	podYaml,
	ruleYaml,
	workloadYaml,
	type YamlWorkload,
} from "./mesh-yaml.ts";
import { type Answer, type Ask, type Seen, send } from "./send.ts";
import { serveSettings } from "./serve-settings.ts";

const run = promisify(execFile);
const main = join(import.meta.dirname, "../../src/main.ts");

/** What a test's application does with a request; true when it answered it. */
export type Behaviour = (
	request: IncomingMessage,
	response: ServerResponse,
) => boolean;

/** A workload to start: an HTTP application on loopback. */
export interface ApplicationOptions
	extends Pick<YamlWorkload, "name" | "service" | "namespace" | "labels"> {
	/** Comes first; what it does not answer is answered with what was seen. */
	readonly behaviour?: Behaviour;
	/** Names of the Service's ports that lead to it. */
	readonly ports?: readonly string[];
}

/** A started application. */
export interface Application {
	readonly port: number;
	/** Requests so far, oldest first. */
	readonly seen: Seen[];
}

/** A running Envoy. */
export interface EnvoyProcess {
	readonly child: ChildProcess;
	/** `address:port` of its admin interface. */
	readonly admin: string;
	readonly folder: string;
}

/** A sidecar whose forward proxy takes a test's requests. */
export interface Caller {
	readonly envoy: EnvoyProcess;
	/** `address:port` of the forward proxy. */
	readonly proxy: string;
	/** Asks for an absolute URL through the proxy. */
	ask(url: string, ask?: Ask): Promise<Answer>;
	/** Asks many times and counts the answers by `from`. */
	tally(
		count: number,
		url: string,
		ask?: Ask,
	): Promise<Readonly<Record<string, number>>>;
}

/**
 * A running mesh for a test: the embedded control plane on a folder, real
 * Envoys, and small applications. Disposing of it ends everything it started.
 */
export class LiveMesh implements AsyncDisposable {
	readonly root = mkdtempSync(join(tmpdir(), "lateen-live-"));
	readonly objects = join(this.root, "objects");
	readonly stateDir = join(this.root, "state");
	readonly #children: ChildProcess[] = [];
	readonly #servers: Server[] = [];
	readonly #closers: (() => void | Promise<void>)[] = [];
	readonly #callers: Caller[] = [];
	#embedded: RunningServer | undefined;
	#xds = "127.0.0.1:0";
	#files = 0;
	#failure: unknown;
	/** What the control plane logged as errors, for whoever wonders why a test failed. */
	readonly errors: unknown[] = [];
	readonly #logger: Logger = {
		...silentLogger,
		error: (message, fields) => void this.errors.push({ message, ...fields }),
		child: () => this.#logger,
	};

	/** Starts the control plane on these objects and waits until it is ready. */
	static async start(yaml: string): Promise<LiveMesh> {
		const mesh = new LiveMesh();
		mkdirSync(mesh.objects);
		mesh.write("mesh.yaml", yaml);
		await mesh.startServer();
		return mesh;
	}

	/** Starts the control plane; after `stopServer` on the same address. */
	async startServer(): Promise<void> {
		this.#embedded = await startServer(
			serveSettings({
				source: `directory:${this.objects}`,
				stateDir: this.stateDir,
				xdsListen: this.#xds,
			}),
			{
				logger: this.#logger,
				logs: new LogControl("info"),
				environment: {},
				signal: AbortSignal.timeout(30_000),
				onFailure: (error) => {
					this.#failure = error;
				},
			},
		);
		const { xds } = this.#embedded;
		if (!("port" in xds)) throw new Error("xDS listens on TCP here.");
		this.#xds = `127.0.0.1:${xds.port}`;
	}

	/** Stops the control plane as SIGTERM does. */
	async stopServer(): Promise<void> {
		await this.#embedded?.[Symbol.asyncDispose]();
		this.#embedded = undefined;
	}

	/** Starts the control plane as a process of its own, where `stopServer` stopped it; to be ended by `killed`. */
	async startServerProcess(): Promise<ChildProcess> {
		const child = spawn(
			process.execPath,
			[
				...[main, "serve", "--source", `directory:${this.objects}`],
				...["--state-dir", this.stateDir, "--xds-listen", this.#xds],
			],
			{ stdio: "ignore" },
		);
		this.#children.push(child);
		await eventually(async () => {
			const { status } = await request({
				server: { path: join(this.stateDir, "admin.sock") },
				method: "GET",
				path: "/readyz",
			});
			if (status !== 200) throw new Error(`not ready: ${status}`);
		}, 30_000);
		return child;
	}

	/** The text at a path of the control plane's admin API. */
	async admin(path: string): Promise<string> {
		const admin = this.#embedded?.admin;
		if (admin === undefined || !("path" in admin))
			throw new Error("The control plane is not running.");
		return (await request({ server: admin, method: "GET", path })).text();
	}

	/** Writes a file of objects in one step. */
	write(name: string, yaml: string | Uint8Array): void {
		const draft = join(this.root, `draft-${this.#files++}`);
		writeFileSync(draft, yaml);
		renameSync(draft, join(this.objects, name));
	}

	/** Removes a file of objects. */
	remove(name: string): void {
		rmSync(join(this.objects, name));
	}

	/**
	 * Replaces the rules of the test and waits until all callers have them: a
	 * further rule for the Service `echo` answers with a number, new each time.
	 */
	async rules(...yaml: readonly string[]): Promise<void> {
		const text = yaml.join("");
		this.write("rules.yaml", text);
		const wanted = ruleNames(text).sort();
		// What is gone from a file stays in force for a moment.
		await eventually(async () => {
			const { objects } = JSON.parse(
				await this.admin("/v1/objects?kind=RouteRule"),
			) as { objects: readonly { namespace: string; name: string }[] };
			const found = objects
				.map(({ namespace, name }) => `${namespace}/${name}`)
				.filter((name) => name !== "default/marker");
			if (found.sort().join() !== wanted.join())
				throw new Error(`rules are ${found.join()}, not ${wanted.join()}`);
		});
		const mark = String(this.#files);
		this.write(
			"marker.yaml",
			ruleYaml("marker", {
				destination: { name: "echo" },
				precedence: 1_000_000,
				match: [{ path: "/~marker" }],
				respond: { status: 200, body: mark },
			}),
		);
		await this.#settled(mark);
	}

	/** Waits until every caller answers with the mark and has no cluster that waits for its endpoints. */
	async #settled(mark: string): Promise<void> {
		for (const { ask, envoy } of this.#callers) {
			await eventually(async () => {
				const { body } = await ask("http://echo.default/~marker");
				if (body !== mark) throw new Error(`not in force yet: ${body}`);
				await noWarmingClusters(envoy);
			}, 20_000);
		}
	}

	/** Starts an application and writes its Pod and EndpointSlice. */
	async application(options: ApplicationOptions): Promise<Application> {
		const { name, behaviour, ports = ["http"] } = options;
		const seen: Seen[] = [];
		const server = createServer((request, response) => {
			const one: Seen = {
				workload: name,
				method: request.method ?? "",
				url: request.url ?? "",
				headers: request.headers as Seen["headers"],
			};
			if (one.url !== "/~marker") seen.push(one);
			if (behaviour?.(request, response)) return;
			request.resume().on("end", () => {
				response.setHeader("content-type", "application/json");
				response.end(JSON.stringify(one));
			});
		});
		const port = await this.listen(server);
		this.workload({
			...options,
			ports: Object.fromEntries(ports.map((name) => [name, port])),
		});
		return { port, seen };
	}

	/** Lets a server listen on loopback until the mesh is disposed of; returns its port. */
	async listen(server: Server): Promise<number> {
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		this.#servers.push(server);
		return (server.address() as AddressInfo).port;
	}

	/** Writes the Pod and the EndpointSlice of a workload that listens already. */
	workload(workload: YamlWorkload): void {
		this.write(`workload-${workload.name}.yaml`, workloadYaml(workload));
	}

	/** Takes the objects of a workload away. */
	removeWorkload(name: string): void {
		this.remove(`workload-${name}.yaml`);
	}

	/** Runs something when the mesh is disposed of. */
	atEnd(close: () => void | Promise<void>): void {
		this.#closers.push(close);
	}

	/** Starts an Envoy by `lateen bootstrap` with these flags, and with these arguments of its own, and waits until it is ready. */
	async envoy(
		name: string,
		flags: readonly string[],
		args: readonly string[] = [],
		launcher: readonly string[] = [],
	): Promise<EnvoyProcess> {
		const folder = join(this.root, name);
		await run(process.execPath, [
			main,
			"bootstrap",
			...["--state-dir", this.stateDir, "--out", folder],
			...flags,
		]);
		return this.startEnvoy(folder, args, launcher);
	}

	/** The path of a bootstrap for a gRPC client without a proxy. */
	async grpcBootstrap(workload: string): Promise<string> {
		const folder = join(this.root, workload.replace("/", "-"));
		await run(process.execPath, [
			...[main, "bootstrap", "--state-dir", this.stateDir, "--out", folder],
			...["--proxy", workload, "--grpc"],
		]);
		return join(folder, "xds.json");
	}

	/**
	 * Starts an Envoy on a folder that `bootstrap` wrote.
	 *
	 * @param launcher a command that becomes Envoy when its command line follows
	 */
	async startEnvoy(
		folder: string,
		args: readonly string[] = [],
		launcher: readonly string[] = [],
	): Promise<EnvoyProcess> {
		const adminFile = join(folder, "admin");
		const log = join(folder, "envoy.log");
		rmSync(adminFile, { force: true });
		const [command = "", ...before] = [...launcher, await ensureEnvoy()];
		const child = spawn(
			command,
			[
				...before,
				...["-c", join(folder, "envoy.json"), "--use-dynamic-base-id"],
				...["--concurrency", "1", "--admin-address-path", adminFile],
				...["--log-path", log, "-l", "warning"],
				...args,
			],
			{ stdio: "ignore" },
		);
		this.#children.push(child);
		const admin = await eventually(async () => {
			const address = readFileSync(adminFile, "utf8").trim();
			const { status } = await send(`http://${address}/ready`);
			if (status !== 200)
				throw new Error(
					`${readFileSync(log, "utf8")}${inspect(this.errors.slice(0, 3))}`,
				);
			return address;
		}, 40_000);
		return { child, admin, folder };
	}

	/**
	 * A sidecar without an application behind it, for calling others.
	 *
	 * @param workload `namespace/name`; its Pod is written where there is none.
	 */
	async caller(
		workload = "default/caller",
		options: {
			readonly flags?: readonly string[];
			/** Further arguments of Envoy itself. */
			readonly args?: readonly string[];
			/** What `startEnvoy` says. */
			readonly launcher?: readonly string[];
			readonly labels?: Readonly<Record<string, string>>;
			readonly service?: string;
			/** Whether `rules` waits for it, too. */
			readonly marked?: boolean;
		} = {},
	): Promise<Caller> {
		const { flags = [], args, launcher, labels, service } = options;
		const { marked = true } = options;
		const [namespace = "", name = ""] = workload.split("/");
		this.write(
			`pod-${namespace}-${name}.yaml`,
			podYaml({
				name,
				namespace,
				service: service ?? name,
				...(labels && { labels }),
			}),
		);
		const [port] = await freePorts(1);
		const proxy = `127.0.0.1:${port}`;
		const envoy = await this.envoy(
			`${namespace}-${name}`,
			["--proxy", workload, "--outbound", proxy, ...flags],
			args,
			launcher,
		);
		const agent = new Agent({ keepAlive: true, maxSockets: 32 });
		this.atEnd(() => agent.destroy());
		const ask = (url: string, what?: Ask): Promise<Answer> =>
			send(url, what, { proxy, agent });
		const caller: Caller = {
			envoy,
			proxy,
			ask,
			tally: async (count, url, what) => {
				const tally: Record<string, number> = {};
				await inParallel(count, 16, async () => {
					const { from } = await ask(url, what);
					tally[from] = (tally[from] ?? 0) + 1;
				});
				return tally;
			},
		};
		if (marked) this.#callers.push(caller);
		return caller;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all(this.#children.map(killed));
		for (const close of this.#closers) await close();
		await this.stopServer();
		for (const server of this.#servers) {
			if ("closeAllConnections" in server)
				(server as ReturnType<typeof createServer>).closeAllConnections();
			server.close();
		}
		rmSync(this.root, { recursive: true, force: true });
		if (this.#failure !== undefined) throw this.#failure;
	}
}

function ruleNames(yaml: string): string[] {
	return yaml
		.split("\n---\n")
		.filter((text) => text !== "")
		.map((text) => {
			const { metadata } = JSON.parse(text) as {
				metadata: { namespace: string; name: string };
			};
			return `${metadata.namespace}/${metadata.name}`;
		});
}

/** Does something many times, so many at a time. */
export async function inParallel(
	count: number,
	atATime: number,
	once: (index: number) => Promise<void>,
): Promise<void> {
	let next = 0;
	const worker = async (): Promise<void> => {
		while (next < count) await once(next++);
	};
	await Promise.all(Array.from({ length: atATime }, worker));
}

/** Ends a process that the test started, at once. */
export async function killed(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGKILL");
	await ended;
}

async function noWarmingClusters({ admin }: EnvoyProcess): Promise<void> {
	const { body } = await send(
		`http://${admin}/config_dump?resource=dynamic_warming_clusters&mask=cluster.name`,
	);
	const { configs = [] } = JSON.parse(body) as { configs?: unknown[] };
	if (configs.length > 0) throw new Error(`clusters still warm: ${body}`);
}
