import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { NodePrograms } from "../../ensure-kubernetes.ts";
import type { NodePackages } from "../../ensure-node-packages.ts";
import { freePorts } from "../../programs/free-ports.ts";
import { ClusterError, type ControlPlaneOptions } from "../control-plane.ts";
import type { ClusterWithNode, NodeRef } from "./cluster-with-node.ts";
import {
	cleanLeftovers,
	type NodeRecord,
	processId,
	removeRecorded,
	writeRecord,
} from "./leftovers.ts";
import type { HostAnswer, HostRequest } from "./messages.ts";

const HOST = join(import.meta.dirname, "host.ts");
const POLL_MS = 10;

/** What starts a cluster with a node. */
export interface NodeClusterParts {
	readonly programs: NodePrograms;
	readonly packages: NodePackages;
	readonly options?: Omit<ControlPlaneOptions, "node">;
	/** Ends the start. */
	readonly signal?: AbortSignal | undefined;
}

/**
 * A control plane with one node on this machine, in namespaces of its own.
 *
 * Everything, the API server too, is in network, mount, process, IPC and host
 * name namespaces that nobody else is in: pods, rules of iptables, interfaces and
 * mounts are not seen outside. Outside there is one port on loopback, whose
 * connections are passed to the API server.
 *
 * Guarantees: nothing of it is left when it has been disposed. After this
 *   process was killed nothing of it runs, and `cleanLeftovers`, which every
 *   start does first, removes the rest.
 */
export class NodeCluster implements ClusterWithNode {
	/** Base address of the API, `https://127.0.0.1:PORT`. */
	readonly server: string;
	/** Path of a kubeconfig of a cluster administrator. */
	readonly kubeconfig: string;
	/** Path of the audit log: one JSON event per line. */
	readonly auditLog: string;
	/** Path of the kubectl of the same version. */
	readonly kubectl: string;
	/** When a part ends although nobody asked it to: what happened. */
	readonly crash: Promise<string>;
	readonly node: NodeRef;
	readonly #host: Host;

	private constructor(host: Host, ready: Ready, kubectl: string) {
		this.server = ready.server;
		this.kubeconfig = ready.kubeconfig;
		this.auditLog = ready.auditLog;
		this.kubectl = kubectl;
		this.crash = host.crash;
		this.node = { sort: "namespaces", pid: host.init };
		this.#host = host;
	}

	/** Starts an empty one in a folder. Throws `ClusterError`. */
	static async start(
		dir: string,
		parts: NodeClusterParts,
	): Promise<NodeCluster> {
		await cleanLeftovers();
		const { programs, packages, options = {}, signal } = parts;
		const host = await Host.create(dir, parts);
		try {
			const [apiPort = 0] = await freePorts(1);
			const server = createServer();
			server.listen({ port: apiPort, host: "127.0.0.1", exclusive: true });
			await once(server, "listening");
			const { name } = host;
			const { plugins } = packages;
			const ready = await host.start(
				{ kind: "start", dir, apiPort, name, programs, plugins, options },
				server,
				signal,
			);
			return new NodeCluster(host, ready, programs.kubectl);
		} catch (error) {
			await host[Symbol.asyncDispose]();
			throw error;
		}
	}

	/** Ends everything at once; cgroups and files remain for `cleanLeftovers`. */
	killAll(): void {
		this.#host.kill();
	}

	/** Ends everything and removes it; only logs remain. */
	async [Symbol.asyncDispose](): Promise<void> {
		await this.#host[Symbol.asyncDispose]();
	}
}

type Ready = HostAnswer & { readonly kind: "ready" };

/** The process in the namespaces, seen from outside. */
class Host implements AsyncDisposable {
	readonly name: string;
	readonly init: number;
	readonly crash: Promise<string>;
	readonly #child: ChildProcess;
	readonly #record: NodeRecord;
	readonly #tellCrash: (why: string) => void;
	readonly #relaying = Promise.withResolvers<void>();
	readonly #ready = Promise.withResolvers<Ready>();
	#ending = false;

	private constructor(child: ChildProcess, record: NodeRecord, init: number) {
		this.name = record.name;
		this.init = init;
		this.#child = child;
		this.#record = record;
		const { promise, resolve } = Promise.withResolvers<string>();
		this.crash = promise;
		this.#tellCrash = resolve;
		child.on("message", (answer: HostAnswer) => this.#take(answer));
		child.on("exit", (code, signal) => {
			if (this.#ending) return;
			this.#tellCrash(
				`The node ended by itself (${signal ?? `exit code ${code}`}). What it said: ${join(record.dir, "logs", "node.log")}`,
			);
		});
	}

	static async create(dir: string, parts: NodeClusterParts): Promise<Host> {
		const { programs, packages } = parts;
		const holder = processId(process.pid);
		if (holder === undefined) throw new ClusterError("There is no /proc here.");
		const record: NodeRecord = {
			name: `lateen-${randomBytes(4).toString("hex")}`,
			sort: "namespaces",
			...{ dir, holder },
		};
		await writeRecord(record);
		await rm(join(dir, "logs"), { recursive: true, force: true });
		await mkdir(join(dir, "logs"), { recursive: true });
		const log = openSync(join(dir, "logs", "node.log"), "a");
		const { npm_lifecycle_event: _, ...env } = process.env;
		const child = spawn(
			"unshare",
			[
				...["--mount", "--net", "--pid", "--ipc", "--uts", "--mount-proc"],
				...["--fork", "--kill-child", programs.pause],
				...[process.execPath, "--no-warnings", HOST],
			],
			{
				// What ends us with Ctrl-C is to be ended in order.
				detached: true,
				stdio: ["ignore", log, log, "ipc"],
				env: { ...env, PATH: packages.path },
			},
		);
		await once(child, "spawn");
		const init = await firstChild(child);
		const started = processId(init);
		const full = { ...record, ...(started && { init: started }) };
		await writeRecord(full);
		return new Host(child, full, init);
	}

	async start(
		request: HostRequest & { readonly kind: "start" },
		server: Server,
		signal: AbortSignal | undefined,
	): Promise<Ready> {
		this.#child.send(request, server);
		const crash = this.crash.then((why) => {
			throw new ClusterError(why);
		});
		const stopped = new Promise<never>((_, reject) => {
			const stop = (): void => reject(signal?.reason);
			if (signal?.aborted === true) stop();
			signal?.addEventListener("abort", stop, { once: true });
		});
		try {
			await Promise.race([this.#relaying.promise, crash, stopped]);
		} finally {
			// It has a copy; ours would take connections that nobody serves.
			server.close();
		}
		return await Promise.race([this.#ready.promise, crash, stopped]);
	}

	kill(): void {
		this.#ending = true;
		this.#child.kill("SIGKILL");
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#ending = true;
		if (isRunning(this.#child)) {
			const gone = once(this.#child, "exit");
			this.#tell({ kind: "stop" });
			await gone;
		}
		await removeRecorded(this.#record);
	}

	#tell(request: HostRequest): void {
		// Whoever is gone is noticed by its end.
		this.#child.send(request, () => {});
	}

	#take(answer: HostAnswer): void {
		switch (answer.kind) {
			case "relaying":
				this.#relaying.resolve();
				return;
			case "ready":
				this.#ready.resolve(answer);
				return;
			case "crashed":
				this.#tellCrash(answer.why);
				return;
		}
	}
}

/** The process that `unshare` has begun, which is the first of its namespaces. */
async function firstChild(child: ChildProcess): Promise<number> {
	while (isRunning(child)) {
		const children = await readFile(
			`/proc/${child.pid}/task/${child.pid}/children`,
			"utf8",
		).catch(() => "");
		if (children.trim() !== "") return Number(children.trim().split(" ")[0]);
		await setTimeout(POLL_MS);
	}
	throw new ClusterError(
		"unshare could not make namespaces for a node: root of this machine may not, or its kernel has them not.",
	);
}

function isRunning(child: ChildProcess): boolean {
	return child.exitCode === null && child.signalCode === null;
}
