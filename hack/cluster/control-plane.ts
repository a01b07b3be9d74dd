/**
 * Kubernetes' control plane as far as there is no node: etcd and kube-apiserver
 * on loopback, in a folder of their own, on free ports.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { generateKey } from "../../src/pki/generate-key.ts";
import { printPrivateKey } from "../../src/pki/private-key.ts";
import type { KubernetesPrograms } from "../ensure-kubernetes.ts";
import { freePorts } from "../programs/free-ports.ts";
import { type Part, Parts } from "../programs/parts.ts";
import {
	type Certificate,
	type CertificateOwner,
	ClusterAuthority,
} from "./cluster-authority.ts";
import { printKubeconfig } from "./kubeconfig.ts";

/** How a control plane differs from the usual one. */
export interface ControlPlaneOptions {
	/** Flags of kube-apiserver besides ours, such as `--watch-cache=false`. */
	readonly apiserverFlags?: readonly string[];
	/** When it has a node, which it shares its network with. */
	readonly node?: NodePlace;
}

/** Where a control plane is when it has a node. */
export interface NodePlace {
	/** The node's own address, at which its pods find the API server. */
	readonly address: string;
	/** The API server's port, the same for pods and for who is outside. */
	readonly apiPort: number;
	/** The ranges of addresses of Services, with a comma between them. */
	readonly services: string;
}

/** How long a part may take until it answers; many times what it takes on a busy machine. */
const START_MS = 120_000;
/** How often ports are chosen anew when somebody else was faster. */
const ATTEMPTS = 5;
const POLL_MS = 50;

/** Entries of the folder that a start makes anew. */
const MADE = [
	...["etcd", "pki", "logs", "kubeconfig", "kubectl-cache"],
	...["audit.log", "audit.yaml"],
];

/** Who did what to which object, without bodies; tests compare it with the roles. */
const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    nonResourceURLs: ["/readyz*", "/livez*", "/healthz*"]
  - level: Metadata
`;

/** Something about the control plane failed in a way that its message explains. */
export class ClusterError extends Error {
	override readonly name = "ClusterError";
}

/**
 * A running control plane.
 *
 * Guarantees: it is empty when it starts; nothing of it runs any more when it
 *   has been disposed, or a few seconds after this process was killed.
 */
export class ControlPlane implements AsyncDisposable {
	readonly dir: string;
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
	readonly #parts: Parts;
	readonly #programs: KubernetesPrograms;
	readonly #identity: Identity;
	readonly #ports: Ports;
	readonly #options: ControlPlaneOptions;
	readonly #tellCrash: (what: string) => void;
	#etcd: Part | undefined;
	#apiserver: Part | undefined;

	private constructor(
		dir: string,
		programs: KubernetesPrograms,
		identity: Identity,
		ports: Ports,
		options: ControlPlaneOptions,
	) {
		this.dir = dir;
		this.server = `https://127.0.0.1:${ports.api}`;
		this.kubeconfig = join(dir, "kubeconfig");
		this.auditLog = join(dir, "audit.log");
		this.kubectl = programs.kubectl;
		const { promise, resolve } = Promise.withResolvers<string>();
		this.crash = promise;
		this.#tellCrash = resolve;
		this.#parts = new Parts(join(dir, "logs"));
		this.#programs = programs;
		this.#identity = identity;
		this.#ports = ports;
		this.#options = options;
	}

	/** Starts an empty one; what an earlier one left in the folder is removed. */
	static async start(
		dir: string,
		programs: KubernetesPrograms,
		options: ControlPlaneOptions = {},
	): Promise<ControlPlane> {
		for (let attempt = 1; ; attempt++) {
			const { node } = options;
			for (const entry of MADE) {
				// The node, which starts at the same time, has its logs there too.
				if (node !== undefined && entry === "logs") continue;
				await rm(join(dir, entry), { recursive: true, force: true });
			}
			const identity = await writeIdentity(dir, node?.address);
			const [etcd = 0, api = 0] = await freePorts(2);
			const ports = { etcd, api: node?.apiPort ?? api };
			const plane = new ControlPlane(dir, programs, identity, ports, options);
			try {
				await plane.#startAll();
				return plane;
			} catch (error) {
				await plane[Symbol.asyncDispose]();
				if (!(error instanceof PortTaken) || attempt === ATTEMPTS) throw error;
			}
		}
	}

	/** Ends kube-apiserver; etcd goes on. `kill` takes it away in the middle of what it does. */
	async stopApiserver(how: "ask" | "kill" = "ask"): Promise<void> {
		const part = this.#apiserver;
		this.#apiserver = undefined;
		if (part !== undefined) await this.#parts.end(part, how);
	}

	/** Starts kube-apiserver again, on the same port, and waits until it is ready. */
	async startApiserver(): Promise<void> {
		const { dir } = this;
		const pki = join(dir, "pki");
		const part = this.#parts.start(
			"kube-apiserver",
			this.#programs["kube-apiserver"],
			[
				`--etcd-servers=${this.#etcdUrl}`,
				`--secure-port=${this.#ports.api}`,
				`--cert-dir=${pki}`,
				`--tls-cert-file=${join(pki, "apiserver.crt")}`,
				`--tls-private-key-file=${join(pki, "apiserver.key")}`,
				`--client-ca-file=${join(pki, "ca.crt")}`,
				"--authorization-mode=Node,RBAC",
				"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
				`--service-account-key-file=${join(pki, "tokens.pub")}`,
				`--service-account-signing-key-file=${join(pki, "tokens.key")}`,
				`--service-cluster-ip-range=${this.#options.node?.services ?? "10.96.0.0/16"}`,
				"--allow-privileged",
				...this.#flagsOfPlace(pki),
				`--audit-policy-file=${join(dir, "audit.yaml")}`,
				`--audit-log-path=${this.auditLog}`,
				// In megabytes: never turned over, so that one file has everything.
				"--audit-log-maxsize=100000",
				"--profiling=false",
				...(this.#options.apiserverFlags ?? []),
			],
		);
		this.#apiserver = part;
		this.#watch(part, () => this.#apiserver === part);
		const { authority, admin } = this.#identity;
		await this.#until(part, () =>
			answers(httpsRequest, `${this.server}/readyz`, {
				ca: authority.cert,
				...admin,
			}),
		);
	}

	/** Writes the administrator's kubeconfig anew, for another way to the same server, such as a proxy; returns its path. */
	async writeKubeconfig(name: string, server: string): Promise<string> {
		const path = join(this.dir, name);
		const { authority, admin } = this.#identity;
		const text = printKubeconfig({ server, ca: authority.cert, ...admin });
		await writeFile(path, text, { mode: 0o600 });
		return path;
	}

	/** Writes the kubeconfig of somebody else, such as a kubelet; returns its path. */
	async writeKubeconfigOf(
		name: string,
		owner: CertificateOwner,
	): Promise<string> {
		const path = join(this.dir, "pki", `${name}.kubeconfig`);
		const { authority } = this.#identity;
		const content = {
			server: this.server,
			ca: authority.cert,
			...authority.issue(owner),
		};
		await writeFile(path, printKubeconfig(content), { mode: 0o600 });
		return path;
	}

	/** Writes a certificate that the cluster's authority signs, as `NAME.crt` and `NAME.key` in the folder `pki`. */
	async writeCertificate(
		name: string,
		owner: CertificateOwner,
	): Promise<{ readonly cert: string; readonly key: string }> {
		const pki = join(this.dir, "pki");
		const { cert, key } = this.#identity.authority.issue(owner);
		const paths = {
			cert: join(pki, `${name}.crt`),
			key: join(pki, `${name}.key`),
		};
		await writeFile(paths.cert, cert, { mode: 0o600 });
		await writeFile(paths.key, key, { mode: 0o600 });
		return paths;
	}

	/** Makes etcd forget every older version of every object, as it does by itself after a while. */
	async compactEtcd(): Promise<void> {
		const now = await this.#askEtcd("kv/range", { key: "AA==" });
		const { revision } = headerOf(now);
		await this.#askEtcd("kv/compaction", { revision, physical: true });
	}

	/** The end of what kube-apiserver and etcd printed. */
	lastLines(count: number): string {
		return [this.#etcd, this.#apiserver]
			.flatMap((part) =>
				part === undefined ? [] : [`${part.name}:\n${part.lastLines(count)}`],
			)
			.join("\n\n");
	}

	/** Ends everything at once, without asking. */
	killAll(): void {
		this.#parts.killAll();
	}

	/** Ends everything in the order in which it ends fast: an API server without etcd takes a minute. */
	async [Symbol.asyncDispose](): Promise<void> {
		await this.stopApiserver();
		this.#etcd = undefined;
		await this.#parts[Symbol.asyncDispose]();
	}

	#flagsOfPlace(pki: string): readonly string[] {
		const { node } = this.#options;
		if (node === undefined) {
			return [
				...["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"],
				// The `kubernetes` Service may not have endpoints on loopback.
				"--endpoint-reconciler-type=none",
				// It refuses Pods of a namespace without a ServiceAccount `default`,
				// which a controller makes that does not run here.
				"--disable-admission-plugins=ServiceAccount",
			];
		}
		return [
			...["--bind-address=0.0.0.0", `--advertise-address=${node.address}`],
			"--endpoint-reconciler-type=master-count",
			`--kubelet-client-certificate=${join(pki, "admin.crt")}`,
			`--kubelet-client-key=${join(pki, "admin.key")}`,
			`--kubelet-certificate-authority=${join(pki, "ca.crt")}`,
			"--kubelet-preferred-address-types=InternalIP",
		];
	}

	get #etcdUrl(): string {
		return `http://127.0.0.1:${this.#ports.etcd}`;
	}

	async #startAll(): Promise<void> {
		await this.writeKubeconfig("kubeconfig", this.server);
		const part = this.#parts.start("etcd", this.#programs.etcd, [
			`--data-dir=${join(this.dir, "etcd")}`,
			// What it would save from is the loss of power.
			"--unsafe-no-fsync",
			`--listen-client-urls=${this.#etcdUrl}`,
			`--advertise-client-urls=${this.#etcdUrl}`,
			// There are no peers, so nobody has to know this port.
			"--listen-peer-urls=http://127.0.0.1:0",
			"--log-level=warn",
		]);
		this.#etcd = part;
		this.#watch(part, () => this.#etcd === part);
		await this.#until(part, () =>
			answers(httpRequest, `${this.#etcdUrl}/health`, {}),
		);
		await this.startApiserver();
	}

	#watch(part: Part, isWanted: () => boolean): void {
		void part.ended.then(({ how }) => {
			if (isWanted()) this.#tellCrash(printEnd(part, how));
		});
	}

	async #until(part: Part, check: () => Promise<boolean>): Promise<void> {
		const endMs = performance.now() + START_MS;
		while (!(await check())) {
			if (!part.running) {
				const { how } = await part.ended;
				if (/address already in use/.test(part.lastLines(50))) {
					throw new PortTaken(printEnd(part, how));
				}
				throw new ClusterError(printEnd(part, how));
			}
			if (performance.now() > endMs) {
				throw new ClusterError(
					`${part.name} did not answer within ${START_MS / 1000} s. Its last lines:\n\n${part.lastLines(12)}`,
				);
			}
			await setTimeout(POLL_MS);
		}
	}

	/** etcd's API as JSON. */
	async #askEtcd(what: string, body: object): Promise<unknown> {
		const response = await fetch(`${this.#etcdUrl}/v3/${what}`, {
			method: "POST",
			body: JSON.stringify(body),
		});
		const text = await response.text();
		if (!response.ok) {
			throw new ClusterError(`etcd refused ${what}: ${text}`);
		}
		return JSON.parse(text);
	}
}

interface Ports {
	readonly etcd: number;
	readonly api: number;
}

interface Identity {
	/** What signed everything. */
	readonly authority: ClusterAuthority;
	readonly admin: Certificate;
}

class PortTaken extends ClusterError {}

/** Writes everything that says who is who. */
async function writeIdentity(
	dir: string,
	nodeAddress: string | undefined,
): Promise<Identity> {
	const authority = new ClusterAuthority();
	const apiserver = authority.issue({
		commonName: "kube-apiserver",
		dnsNames: [
			"localhost",
			"kubernetes",
			"kubernetes.default",
			"kubernetes.default.svc",
			"kubernetes.default.svc.cluster.local",
		],
		addresses: [
			...["127.0.0.1", "10.96.0.1"],
			...(nodeAddress === undefined ? [] : [nodeAddress]),
		],
	});
	const admin = authority.issue({
		commonName: "admin",
		organizations: ["system:masters"],
	});
	const tokens = generateKey();
	const pki = join(dir, "pki");
	await mkdir(pki, { recursive: true, mode: 0o700 });
	const files = {
		"ca.crt": authority.cert,
		"apiserver.crt": apiserver.cert,
		"apiserver.key": apiserver.key,
		"admin.crt": admin.cert,
		"admin.key": admin.key,
		"tokens.pub": tokens.publicKey
			.export({ type: "spki", format: "pem" })
			.toString(),
		"tokens.key": printPrivateKey(tokens.privateKey).reveal().toString(),
	};
	for (const [name, text] of Object.entries(files)) {
		await writeFile(join(pki, name), text, { mode: 0o600 });
	}
	await writeFile(join(dir, "audit.yaml"), AUDIT_POLICY);
	return { authority, admin };
}

/** Whether a server answers that it is well. */
async function answers(
	request: typeof httpRequest,
	url: string,
	options: RequestOptions,
): Promise<boolean> {
	return await new Promise((resolve) => {
		const call = request(url, { agent: false, timeout: 5_000, ...options });
		call.on("response", (response) => {
			response.resume();
			resolve(response.statusCode === 200);
		});
		call.on("timeout", () => call.destroy());
		call.on("error", () => resolve(false));
		call.on("close", () => resolve(false));
		call.end();
	});
}

function headerOf(answer: unknown): { readonly revision: string } {
	const { header } = answer as { readonly header: { revision: string } };
	return header;
}

function printEnd(part: Part, how: string): string {
	return `${part.name} ended by itself (${how}). Its last lines:\n\n${part.lastLines(12).replaceAll(/^/gm, "  ")}\n\nAll of it: ${part.logFile}`;
}
