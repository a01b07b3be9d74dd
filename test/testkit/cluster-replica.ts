import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { request } from "../../src/net/http-client.ts";
import { programPath } from "../cli/run-lateen.ts";
import { type KubeCluster, kubectl } from "./kube-cluster.ts";
import type { ServedProxies } from "./wire-proxy.ts";

/** How a replica is started. */
export interface ReplicaOptions {
	readonly cluster: KubeCluster;
	/** Namespace of Lateen itself; it must exist. */
	readonly namespace: string;
	readonly name: string;
	/** Instead of the cluster's own, such as one that goes through a proxy which a test cuts. */
	readonly kubeconfig?: string;
	/** Where its webhook listens, and its admin API for readers; by default a free port of this machine alone. */
	readonly webhookListen?: string;
	/** Flags of Node, such as one that loads a module which jumps the clock. */
	readonly nodeFlags?: readonly string[];
}

/** A `lateen serve --source=kubernetes` of its own process; disposing of it ends it. */
export class ClusterReplica implements ServedProxies, AsyncDisposable {
	readonly #options: ReplicaOptions;
	readonly #folder: string;
	readonly #tokens = new Map<string, string>();
	/** What it logged, each line as it was read. */
	readonly log: Record<string, unknown>[] = [];
	authorities: string | undefined;
	address = "127.0.0.1:0";
	/** Where its webhook listens. */
	webhook: string;
	#child: ChildProcess | undefined;

	private constructor(options: ReplicaOptions, folder: string) {
		this.#options = options;
		this.#folder = folder;
		this.webhook = options.webhookListen ?? "127.0.0.1:0";
	}

	/** Starts a replica and waits until it is ready. */
	static async start(options: ReplicaOptions): Promise<ClusterReplica> {
		const folder = await mkdtemp(join(tmpdir(), "lateen-replica-"));
		const replica = new ClusterReplica(options, folder);
		await replica.run();
		return replica;
	}

	/** State directory of the process. */
	get stateDir(): string {
		return join(this.#folder, "state");
	}

	/** Starts the process, at the first time or again at the same address, and waits until it is ready. */
	async run(): Promise<void> {
		const { cluster, namespace, name, kubeconfig, nodeFlags } = this.#options;
		const child = spawn(
			process.execPath,
			[
				...(nodeFlags ?? []),
				...[programPath, "serve", "--source=kubernetes"],
				...["--kubeconfig", kubeconfig ?? cluster.kubeconfig],
				...["--namespace", namespace, "--pod-name", name],
				...["--state-dir", this.stateDir],
				...["--xds-listen", this.address, "--webhook-listen", this.webhook],
			],
			{
				env: { HOME: "/nonexistent", PATH: process.env["PATH"] },
				stdio: ["ignore", "ignore", "pipe"],
			},
		);
		this.#child = child;
		const begin = this.log.length;
		await new Promise<void>((resolve, reject) => {
			createInterface({ input: child.stderr }).on("line", (line) => {
				const entry = parseLine(line);
				this.log.push(entry);
				if (entry["message"] !== "The server is ready.") return;
				this.address = String(entry["xds"]);
				this.webhook = String(entry["webhook"]);
				resolve();
			});
			child.once("exit", () =>
				reject(
					new Error(
						`The replica ${name} did not start:\n${this.log
							.slice(begin)
							.map((entry) => JSON.stringify(entry))
							.join("\n")}`,
					),
				),
			);
		});
		this.authorities = await kubectl(cluster, [
			...["-n", namespace, "get", "configmap", "lateen-ca"],
			...["-o", "jsonpath={.data.ca\\.crt}"],
		]);
	}

	/** Gets a token that is bound to a pod, for `tokenOf`. */
	async admit(...workloads: readonly string[]): Promise<void> {
		for (const workload of workloads) {
			const [namespace = "", name = ""] = workload.split("/");
			const token = await kubectl(this.#options.cluster, [
				...["-n", namespace, "create", "token", "default"],
				...["--audience", "lateen.dev"],
				...["--bound-object-kind", "Pod", "--bound-object-name", name],
			]);
			this.#tokens.set(workload, token.trim());
		}
	}

	tokenOf(workload: string): string {
		return this.#tokens.get(workload) ?? "";
	}

	/** What its admin API answers. */
	async ask(path: string): Promise<unknown> {
		const answer = await request({
			server: { path: join(this.stateDir, "admin.sock") },
			method: "GET",
			path,
		});
		return JSON.parse(await answer.text());
	}

	/** What a figure of its metrics is, over all labels. */
	async figure(name: string): Promise<number> {
		const answer = await request({
			server: { path: join(this.stateDir, "admin.sock") },
			method: "GET",
			path: "/metrics",
		});
		const lines = (await answer.text()).split("\n");
		const values = lines
			.filter(
				(line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`),
			)
			.map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
		if (values.length === 0) throw new Error(`There is no figure ${name}.`);
		return values.reduce((sum, value) => sum + value, 0);
	}

	/** The most memory that the process has had at any time, in bytes. */
	async peakMemory(): Promise<number> {
		const status = await readFile(`/proc/${this.#child?.pid}/status`, "utf8");
		const kib = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
		return Number(kib) * 1024;
	}

	/** Messages of the warnings and errors among the lines from this one on, each once. */
	complaints(begin: number): ReadonlySet<string> {
		return new Set(
			this.log
				.slice(begin)
				.filter(({ level }) => level === "warn" || level === "error")
				.map(({ message }) => String(message)),
		);
	}

	/** Stops it where it stands, lets it go on, or tells the module that a test has loaded into it. */
	signal(name: "SIGSTOP" | "SIGCONT" | "SIGUSR2"): void {
		this.#child?.kill(name);
	}

	/** Ends it in order. */
	stop(): Promise<void> {
		return this.#end("SIGTERM");
	}

	/** Ends it as a crash would. */
	kill(): Promise<void> {
		return this.#end("SIGKILL");
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
		await rm(this.#folder, { recursive: true, force: true });
	}

	async #end(signal: NodeJS.Signals): Promise<void> {
		const child = this.#child;
		if (child === undefined || child.exitCode !== null) return;
		if (child.signalCode !== null) return;
		const ended = once(child, "exit");
		child.kill(signal);
		await ended;
	}
}

function parseLine(line: string): Record<string, unknown> {
	try {
		return JSON.parse(line) as Record<string, unknown>;
	} catch {
		return { message: line };
	}
}
