import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	chownSync,
	closeSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ensureEnvoy } from "../../hack/ensure-envoy.ts";
import { inject } from "../../src/injector/inject.ts";
import {
	type Json,
	recordIn,
	recordsIn,
	textIn,
} from "../../src/injector/json.ts";
import { names } from "../../src/injector/names.ts";
import { eventually } from "./eventually.ts";
import { injectContext } from "./inject-context.ts";
import type { NetworkNamespace } from "./network-namespace.ts";
import { PodNetwork } from "./pod-network.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** User and group of the proxies; no application may be one of them. */
const PROXY_ID = 1337;
const ADMIN = { address: "127.0.0.1", port: 15000 };
const XDS = `${PodNetwork.gateway}:15010`;

/** A Pod whose traffic is captured: its namespace, and the real Envoy in it. */
export interface CapturedPod {
	readonly name: string;
	readonly address: string;
	readonly namespace: NetworkNamespace;
	/** What Envoy's admin interface answers. */
	admin(path: string): Promise<string>;
}

/**
 * The program as people run it, and Pods with captured sidecars, in namespaces
 * of their own. Disposing of it ends everything it started.
 */
export class CapturedMesh implements AsyncDisposable {
	readonly network: PodNetwork;
	readonly #folder: TemporaryFolder;

	private constructor(network: PodNetwork, folder: TemporaryFolder) {
		this.network = network;
		this.#folder = folder;
	}

	/** Starts the control plane on these objects. */
	static async start(yaml: string): Promise<CapturedMesh> {
		const folder = new TemporaryFolder();
		const mesh = new CapturedMesh(await PodNetwork.create(), folder);
		try {
			// The proxies are another user, who must get to their own folders below.
			chmodSync(folder.path, 0o711);
			mkdirSync(folder.at("objects"));
			mesh.write("mesh.yaml", yaml);
			await mesh.#startServer();
			return mesh;
		} catch (error) {
			await mesh[Symbol.asyncDispose]();
			throw error;
		}
	}

	/** Writes a file of objects as editors do. */
	write(name: string, yaml: string): void {
		this.#folder.replace(`objects/${name}`, yaml);
	}

	/** Removes a file of objects. */
	remove(name: string): void {
		this.#folder.remove(`objects/${name}`);
	}

	/** Starts the namespace of `default/NAME`, the capture rules in it and its Envoy, and waits until that is ready. */
	async pod(
		name: string,
		address: string,
		more: {
			readonly address6?: string;
			/** Of the Pod before it is injected. */
			readonly annotations?: Readonly<Record<string, string>>;
			/** Of its only container, `app`. */
			readonly container?: Json;
		} = {},
	): Promise<CapturedPod> {
		const folder = this.#folder.at(name);
		const [namespace] = await Promise.all([
			this.network.pod(address, more.address6),
			run(process.execPath, [
				...[MAIN, "bootstrap", "--proxy", `default/${name}`, "--captured"],
				...["--admin", `${ADMIN.address}:${ADMIN.port}`, "--xds", XDS],
				...["--state-dir", this.#folder.at("state"), "--out", folder],
			]),
		]);
		for (const entry of ["", ...readdirSync(folder)]) {
			chownSync(join(folder, entry), PROXY_ID, PROXY_ID);
		}
		const { annotations = {}, container = {} } = more;
		const injected = injectedPod({
			metadata: { annotations },
			spec: { containers: [{ ...container, name: "app" }] },
		});
		await capture(namespace, injected);
		addStatus(join(folder, "envoy.json"), injected, address);
		const envoy = await startEnvoy(namespace, folder);
		const admin = async (path: string): Promise<string> => {
			const { status, body } = await namespace.call("ask", { ...ADMIN, path });
			if (status !== 200) throw new Error(`${path}: ${status} ${body}`);
			return body;
		};
		await Promise.race([
			eventually(() => admin("/ready"), 20_000),
			once(envoy, "exit").then(() => {
				const log = readFileSync(join(folder, "envoy.log"), "utf8");
				throw new Error(`The Envoy of ${name} ended: ${log}`);
			}),
		]);
		return { name, address, namespace, admin };
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.network[Symbol.asyncDispose]();
		this.#folder[Symbol.dispose]();
	}

	async #startServer(): Promise<void> {
		const server = this.network.outside.start(
			process.execPath,
			[
				MAIN,
				"serve",
				...["--source", `directory:${this.#folder.at("objects")}`],
				...["--state-dir", this.#folder.at("state"), "--xds-listen", XDS],
			],
			{ stdio: ["ignore", "pipe", "pipe"] },
		);
		let output = "";
		for (const stream of [server.stdout, server.stderr]) {
			stream?.on("data", (data: Buffer) => {
				output += data;
			});
		}
		await Promise.race([
			eventually(
				() => void readFileSync(this.#folder.at("state", "serve.json")),
				20_000,
			),
			// "close" comes after the last of its output, "exit" may come before.
			once(server, "close").then(() => {
				throw new Error(`The control plane ended: ${output}`);
			}),
		]);
	}
}

function injectedPod(pod: Json): Json {
	const result = inject(pod, injectContext({ proxyUser: PROXY_ID }));
	if (result.kind !== "injected") throw new Error(JSON.stringify(result));
	return result.pod;
}

function containerOf(pod: Json, name: string): Json {
	const all = recordsIn(recordIn(pod, "spec"), "initContainers");
	return all.find((one) => textIn(one, "name") === name) ?? {};
}

/** Does in a namespace what the injected init container does in its pod. */
async function capture(namespace: NetworkNamespace, pod: Json): Promise<void> {
	const container = containerOf(pod, names.captureContainer);
	const variables = recordsIn(container, "env").map(
		(one) => `${textIn(one, "name")}=${textIn(one, "value")}`,
	);
	const command = container["command"] as readonly string[];
	await namespace.run("env", [...variables, ...command]);
}

/** Gives a bootstrap the static parts of the injected one, by which the kubelet asks. */
function addStatus(path: string, pod: Json, address: string): void {
	const args = containerOf(pod, names.proxyContainer)["args"];
	const [, text = ""] = args as readonly string[];
	const injected: unknown = JSON.parse(
		text.replaceAll("$(POD_IP)", address).replaceAll("$$", "$"),
	);
	const { listeners, clusters } = recordIn(injected, "static_resources");
	const bootstrap = JSON.parse(readFileSync(path, "utf8"));
	// The first is the control plane, which is another one here.
	bootstrap.static_resources.clusters.push(
		...(clusters as readonly unknown[]).slice(1),
	);
	bootstrap.static_resources.listeners = listeners;
	writeFileSync(path, JSON.stringify(bootstrap));
}

async function startEnvoy(
	namespace: NetworkNamespace,
	folder: string,
): Promise<ChildProcess> {
	// The proxy's user may not enter the folder of the binary, which is in root's home: it gets the open file.
	const binary = openSync(await ensureEnvoy(), "r");
	try {
		return namespace.start(
			"/proc/self/fd/3",
			[
				...["-c", join(folder, "envoy.json"), "--disable-hot-restart"],
				...["--concurrency", "1", "-l", "warning"],
				...["--log-path", join(folder, "envoy.log")],
			],
			{ uid: PROXY_ID, stdio: ["ignore", "ignore", "ignore", binary] },
		);
	} finally {
		closeSync(binary);
	}
}
