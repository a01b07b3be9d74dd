import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePorts } from "../../hack/programs/free-ports.ts";
import type { Proxy } from "../../src/xds/proxy.ts";
import { eventually } from "../testkit/eventually.ts";
import { killed, LiveMesh } from "../testkit/live-mesh.ts";
import { serviceYaml, workloadYaml } from "../testkit/mesh-yaml.ts";
import { Applications } from "./applications.ts";
import { RestartableEnvoy } from "./envoy-process.ts";
import { callers, type FileChange, frontService } from "./sequence.ts";

const main = join(import.meta.dirname, "../../src/main.ts");

/** An Envoy and who it is. */
export interface MeshProxy {
	readonly envoy: RestartableEnvoy;
	readonly proxy: Proxy;
}

/**
 * What a run uses: a `lateen serve` of its own on a folder, two sidecars that
 * call, one in front of an application, and the applications.
 */
export class ServedMesh implements AsyncDisposable {
	readonly live = new LiveMesh();
	readonly applications = new Applications();
	readonly #proxies = new Map<string, MeshProxy>();
	readonly #flags: readonly string[];
	/** By file: what was written last. */
	readonly #written = new Map<string, FileChange>();
	/** Responses that an Envoy refused, as the control plane logged it. */
	readonly rejections: string[] = [];
	#xds = "";
	#server: ChildProcess | undefined;

	/** @param flags further flags of `lateen serve` */
	constructor(flags: readonly string[]) {
		this.#flags = flags;
		mkdirSync(this.live.objects);
	}

	/** The Envoys by name of their workload. */
	get proxies(): ReadonlyMap<string, MeshProxy> {
		return this.#proxies;
	}

	/** Process id of the control plane. */
	get serverPid(): number {
		return this.#server?.pid ?? 0;
	}

	/** Starts the control plane, on the same address every time. */
	async startServer(): Promise<void> {
		if (this.#xds === "") {
			const [port] = await freePorts(1);
			this.#xds = `127.0.0.1:${port}`;
		}
		const { objects, stateDir } = this.live;
		const child = spawn(
			process.execPath,
			[
				main,
				"serve",
				...["--source", `directory:${objects}`, "--state-dir", stateDir],
				...["--xds-listen", this.#xds, "--log-format", "json"],
				...["--log-level", "warn", ...this.#flags],
			],
			{ stdio: ["ignore", "ignore", "pipe"] },
		);
		this.#server = child;
		createInterface({ input: child.stderr }).on("line", (line) =>
			this.#noteLog(line),
		);
		await eventually(() => {
			if (child.exitCode !== null) throw new Error("lateen serve has ended");
			const { pid } = JSON.parse(
				readFileSync(join(stateDir, "serve.json"), "utf8"),
			) as { pid: number };
			if (pid !== child.pid) throw new Error("lateen serve is not ready");
		}, 30_000);
	}

	/** Ends the control plane at once, as a crash does. */
	async killServer(): Promise<void> {
		if (this.#server) await killed(this.#server);
	}

	/** Starts the Envoys; answers with the forward proxies of the callers, by name. */
	async startProxies(): Promise<Readonly<Record<string, string>>> {
		const [inbound = 0, ...outbound] = await freePorts(1 + callers.length);
		const listening: Record<string, string> = {};
		for (const [index, workload] of callers.entries()) {
			const proxy = `127.0.0.1:${outbound[index]}`;
			listening[workload] = proxy;
			await this.#start(workload, ["--outbound", proxy], {
				outbound: proxy,
				inbound: [],
			});
		}
		await this.applications.start({
			name: "front",
			service: frontService,
			http2: false,
		});
		const application = `127.0.0.1:${this.applications.portOf("front")}`;
		const listen = `127.0.0.1:${inbound}`;
		await this.#start(
			`default/${frontService}`,
			["--inbound", `${listen}=${application}=http`],
			{ inbound: [{ listen, application, protocol: "http" }] },
		);
		this.live.write(
			"front.yaml",
			serviceYaml(frontService) +
				workloadYaml({
					name: frontService,
					service: frontService,
					ports: { http: inbound },
				}),
		);
		return listening;
	}

	/** Writes and removes files of objects, in this order. */
	write(files: readonly FileChange[]): void {
		for (const change of files) {
			const { file, yaml } = change;
			if (yaml === undefined) {
				this.#written.delete(file);
				this.live.remove(file);
			} else {
				this.#written.set(file, change);
				this.live.write(file, yaml(this.applications));
			}
		}
	}

	/** Writes the file of a workload again, with what its application says now. */
	rewrite(workload: string): void {
		const change = this.#written.get(`workload-${workload}.yaml`);
		if (change) this.write([change]);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.killServer();
		await this.live[Symbol.asyncDispose]();
		await this.applications[Symbol.asyncDispose]();
	}

	#noteLog(line: string): void {
		// A line that is no JSON is the last word of a process that failed.
		if (!line.startsWith("{") || line.includes('"level":"error"'))
			console.error(line);
		else if (line.includes("rejected a response")) this.rejections.push(line);
	}

	async #start(
		workload: string,
		flags: readonly string[],
		addresses: Pick<Proxy["addresses"], "outbound" | "inbound">,
	): Promise<void> {
		const { root, stateDir } = this.live;
		const envoy = new RestartableEnvoy(
			join(root, workload.replace("/", "-")),
			1 + Math.floor(Math.random() * 30_000),
		);
		this.live.atEnd(() => envoy[Symbol.asyncDispose]());
		await envoy.bootstrap(stateDir, ["--proxy", workload, ...flags]);
		await envoy.start();
		this.#proxies.set(workload, {
			envoy,
			proxy: {
				workload,
				id: `sidecar~${workload}`,
				kind: "sidecar",
				attachment: "explicit",
				addresses: { tcp: [], gateway: [], ...addresses },
			},
		});
	}
}
