import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { parse } from "yaml";
import {
	ControlPlane,
	type ControlPlaneOptions,
} from "../../hack/cluster/control-plane.ts";
import { installCrds } from "../../hack/cluster/install-crds.ts";
import { type KubectlTarget, runKubectl } from "../../hack/cluster/kubectl.ts";
import { ensureKubernetes } from "../../hack/ensure-kubernetes.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

/** A real API server with our CRDs. */
export interface KubeCluster {
	/** Path of a kubeconfig of a cluster administrator. */
	readonly kubeconfig: string;
	/** Base address of the API, `https://127.0.0.1:PORT`. */
	readonly server: string;
	/** Path of the audit log: one JSON event per line, level Metadata. */
	readonly auditLog: string;
	/** Path of kubectl. */
	readonly kubectl: string;
}

/** One that belongs to a test, which may break it. */
export interface OwnCluster extends KubeCluster, AsyncDisposable {
	/** Ends kube-apiserver in order; etcd and all objects stay. */
	stopApiserver(): Promise<void>;
	/** Takes kube-apiserver away in the middle of what it does. */
	killApiserver(): Promise<void>;
	/** Starts it again at the same address and waits until it is ready. */
	startApiserver(): Promise<void>;
	/**
	 * Makes etcd forget all older versions. What the API server still has in its
	 * watch cache it goes on serving: restart it too to have old versions refused.
	 */
	compactEtcd(): Promise<void>;
	/** A second kubeconfig, in which the server is reached at another address, such as a proxy that a test cuts; returns its path. */
	kubeconfigFor(server: string): Promise<string>;
}

/** How a cluster of one's own differs. */
export interface OwnClusterOptions extends ControlPlaneOptions {
	/** Whether our CRDs are there; they are unless this is false. */
	readonly crds?: boolean;
}

/**
 * The cluster that all files of a test run share: each makes a namespace of its
 * own in it, and none changes what others see. A file that is run alone starts
 * one for itself, which ends with the last test.
 */
export async function sharedCluster(): Promise<KubeCluster> {
	const given = process.env["LATEEN_TEST_CLUSTER"];
	if (given !== undefined) return JSON.parse(given) as KubeCluster;
	alone ??= ownCluster();
	return await alone;
}

let alone: Promise<OwnCluster> | undefined;
// Programs that are no tests use this module too.
if (typeof after === "function") {
	after(async () => {
		await (await alone)?.[Symbol.asyncDispose]();
		alone = undefined;
	});
}

/** Starts a cluster, which takes seconds; its owner disposes of it. */
export async function ownCluster(
	options: OwnClusterOptions = {},
): Promise<OwnCluster> {
	const programs = await ensureKubernetes();
	const folder = new TemporaryFolder();
	let plane: ControlPlane | undefined;
	let kubeconfigs = 0;
	const end = async (): Promise<void> => {
		await plane?.[Symbol.asyncDispose]();
		folder[Symbol.dispose]();
	};
	try {
		plane = await ControlPlane.start(folder.path, programs, options);
		if (options.crds !== false) await installCrds(plane);
	} catch (error) {
		await end();
		throw error;
	}
	const { kubeconfig, server, auditLog, kubectl } = plane;
	const started = plane;
	return {
		...{ kubeconfig, server, auditLog, kubectl },
		stopApiserver: () => started.stopApiserver(),
		killApiserver: () => started.stopApiserver("kill"),
		startApiserver: () => started.startApiserver(),
		compactEtcd: () => started.compactEtcd(),
		kubeconfigFor: (address) => {
			kubeconfigs += 1;
			return started.writeKubeconfig(`kubeconfig-${kubeconfigs}`, address);
		},
		[Symbol.asyncDispose]: end,
	};
}

/** Runs kubectl and returns what it printed. Throws `KubectlError` with what it complained of. */
export async function kubectl(
	cluster: KubectlTarget,
	args: readonly string[],
	input?: string,
): Promise<string> {
	return await runKubectl(cluster, args, input);
}

/** Makes a namespace that nobody else uses, and returns its name. */
export async function newNamespace(cluster: KubectlTarget): Promise<string> {
	const name = `t-${randomUUID().slice(0, 13)}`;
	await kubectl(cluster, ["create", "namespace", name]);
	return name;
}

/** What the API server answered. */
export interface ApiAnswer {
	readonly status: number;
	/** Parsed JSON; a text when it is none. */
	readonly body: unknown;
	/** The `Warning` headers, each without its code and agent. */
	readonly warnings: readonly string[];
}

/** One HTTP client of the cluster's administrator, for tests that look at answers themselves. */
export class ApiClient implements Disposable {
	readonly #server: string;
	readonly #agent: Agent;

	private constructor(server: string, agent: Agent) {
		this.#server = server;
		this.#agent = agent;
	}

	/** Reads the credentials. */
	static async of(cluster: KubeCluster): Promise<ApiClient> {
		const config = parse(await readFile(cluster.kubeconfig, "utf8")) as {
			clusters: [{ cluster: Record<string, string> }];
			users: [{ user: Record<string, string> }];
		};
		const decode = (base64 = ""): Buffer => Buffer.from(base64, "base64");
		const { cluster: place } = config.clusters[0];
		const { user } = config.users[0];
		return new ApiClient(
			cluster.server,
			new Agent({
				keepAlive: true,
				ca: decode(place["certificate-authority-data"]),
				cert: decode(user["client-certificate-data"]),
				key: decode(user["client-key-data"]),
			}),
		);
	}

	/** One request with a JSON body. `path` has the query. */
	async ask(
		method: string,
		path: string,
		body?: unknown,
		/** Instead of JSON's. */
		headers: Readonly<Record<string, string>> = {},
	): Promise<ApiAnswer> {
		const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>();
		const call = httpsRequest(`${this.#server}${path}`, {
			method,
			agent: this.#agent,
			headers: {
				"content-type": "application/json",
				accept: "application/json",
				...headers,
			},
		});
		call.on("error", reject);
		call.on("response", (response) => {
			const warnings = String(response.headers["warning"] ?? "");
			void text(response).then(
				(content) =>
					resolve({
						status: response.statusCode ?? 0,
						body: parseJson(content),
						warnings: [
							...warnings.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g),
						].map(([, warning = ""]) => warning.replaceAll(/\\(.)/g, "$1")),
					}),
				reject,
			);
		});
		call.end(body === undefined ? undefined : JSON.stringify(body));
		return await promise;
	}

	/** What a watch says, one event after the other, until the signal or the server ends it. */
	async *watch(
		path: string,
		signal: AbortSignal,
	): AsyncGenerator<{ readonly type: string; readonly object: unknown }> {
		const call = httpsRequest(`${this.#server}${path}`, {
			agent: this.#agent,
			headers: { accept: "application/json" },
			signal,
		});
		call.end();
		const [response] = (await once(call, "response")) as [IncomingMessage];
		for await (const line of createInterface(response)) yield JSON.parse(line);
	}

	[Symbol.dispose](): void {
		this.#agent.destroy();
	}
}

function parseJson(content: string): unknown {
	try {
		return JSON.parse(content) as unknown;
	} catch {
		return content;
	}
}
