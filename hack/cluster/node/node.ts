/**
 * A node of Kubernetes and what a cluster with one has besides the API server:
 * containerd, kubelet, kube-proxy, controller-manager, scheduler and CoreDNS,
 * all in the namespaces that this process is in.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import type { NodePrograms } from "../../ensure-kubernetes.ts";
import { type Part, Parts } from "../../programs/parts.ts";
import { runs } from "../../programs/runs.ts";
import { ClusterError, type ControlPlane } from "../control-plane.ts";
import { runKubectl } from "../kubectl.ts";
import { makeCgroup } from "./cgroups.ts";
import { writeImageArchive } from "./image-archive.ts";
import {
	PAUSE_IMAGE,
	printCniConfig,
	printContainerdConfig,
	printCorefile,
	printKubeletConfig,
	printNameService,
	type Snapshotter,
} from "./node-files.ts";

const run = promisify(execFile);

/** The node's name, at the API server and as its pods see it. */
export const NODE_NAME = "node";
/** The node's own address: pods without a network of their own have it, and the API server is there. */
export const NODE_ADDRESS = "10.89.0.1";
const NODE_ADDRESS_6 = "fd10:89::1";
const DNS_SERVICE = "10.96.0.10";
/** Services have an address of the first sort unless they ask for both. */
const SERVICES = ["10.96.0.0/16", "fd10:96::/112"] as const;
const PODS = ["10.88.0.0/16", "fd10:88::/64"] as const;

const CONTAINERD = "/run/containerd/containerd.sock";
/** How long a part may take until it answers; many times what it takes on a busy machine. */
const START_MS = 180_000;
const POLL_MS = 100;

/** What a node is made of. */
export interface NodeParts {
	/** The cluster's folder; the node's files are in `node` of it. */
	readonly dir: string;
	readonly programs: NodePrograms;
	/** Of the cgroup for everything. */
	readonly name: string;
	/** Folder of the CNI plugins. */
	readonly plugins: string;
}

/** Gives the namespaces of this process what a node expects of a machine. */
export async function prepareNode(dir: string): Promise<void> {
	const [services, services6] = SERVICES;
	await run("/bin/sh", [
		join(import.meta.dirname, "prepare.sh"),
		...[join(dir, "node"), NODE_ADDRESS, services],
		...(hasIpv6() ? [NODE_ADDRESS_6, services6] : []),
	]);
}

/** The ranges of addresses of Services, as the programs' flags want them. */
export function serviceRanges(): string {
	return ofSorts(SERVICES).join(",");
}

/** Of an address of each sort those that this kernel has. */
function ofSorts(
	addresses: readonly [v4: string, v6: string],
): readonly string[] {
	return hasIpv6() ? addresses : addresses.slice(0, 1);
}

function hasIpv6(): boolean {
	return existsSync("/proc/net/if_inet6");
}

/**
 * A running node.
 *
 * Guarantees: programs that were started here have ended when it is disposed;
 *   containers go on until the namespaces end.
 */
export class Node implements AsyncDisposable {
	/** When a part ends although nobody asked it to: what happened. */
	readonly crash: Promise<string>;
	readonly #of: NodeParts;
	readonly #dir: string;
	readonly #parts: Parts;
	readonly #tellCrash: (what: string) => void;
	#ending = false;

	constructor(of: NodeParts) {
		this.#of = of;
		this.#dir = join(of.dir, "node");
		this.#parts = new Parts(join(of.dir, "logs"));
		const { promise, resolve } = Promise.withResolvers<string>();
		this.crash = promise;
		this.#tellCrash = resolve;
	}

	/** Starts containerd, and gives it the image that every pod begins with. */
	async startContainerd(): Promise<void> {
		const { programs, plugins, name } = this.#of;
		const config = join(this.#dir, "containerd.toml");
		await mkdir(join(this.#dir, "cni"), { recursive: true });
		await writeFile(
			join(this.#dir, "cni", "10-lateen.conflist"),
			printCniConfig(ofSorts(PODS)),
		);
		await writeFile(
			config,
			printContainerdConfig({
				plugins,
				network: join(this.#dir, "cni"),
				snapshotter: await this.#snapshotter(),
			}),
		);
		await makeCgroup(name);
		const pause = join(this.#dir, "pause.tar");
		await writeImageArchive(pause, {
			name: PAUSE_IMAGE,
			programs: { pause: programs.pause },
			entrypoint: ["/pause"],
		});
		const part = this.#start("containerd", "containerd", ["--config", config]);
		await this.#until(part, () => runs("ctr", ["version"]));
		await run("ctr", ["-n", "k8s.io", "images", "import", pause]);
	}

	/** Starts everything else, and waits until the node is ready and names are answered. */
	async join(plane: ControlPlane): Promise<void> {
		const { programs, dir } = this.#of;
		const pki = join(dir, "pki");
		const component = (name: string): Promise<string> =>
			plane.writeKubeconfigOf(name, { commonName: `system:${name}` });
		const manager = await component("kube-controller-manager");
		this.#start(
			"kube-controller-manager",
			programs["kube-controller-manager"],
			[
				...[
					`--kubeconfig=${manager}`,
					`--authentication-kubeconfig=${manager}`,
				],
				`--authorization-kubeconfig=${manager}`,
				...["--leader-elect=false", "--use-service-account-credentials"],
				`--root-ca-file=${join(pki, "ca.crt")}`,
				`--service-account-private-key-file=${join(pki, "tokens.key")}`,
				`--cluster-cidr=${ofSorts(PODS).join(",")}`,
				"--allocate-node-cidrs=false",
				`--service-cluster-ip-range=${serviceRanges()}`,
				"--profiling=false",
			],
		);
		const scheduler = await component("kube-scheduler");
		this.#start("kube-scheduler", programs["kube-scheduler"], [
			...[`--kubeconfig=${scheduler}`, "--leader-elect=false"],
			...[`--authentication-kubeconfig=${scheduler}`],
			...[`--authorization-kubeconfig=${scheduler}`, "--profiling=false"],
		]);
		await this.#startKubelet(plane);
		this.#start("kube-proxy", programs["kube-proxy"], [
			`--kubeconfig=${await component("kube-proxy")}`,
			...[`--hostname-override=${NODE_NAME}`, "--proxy-mode=iptables"],
			`--cluster-cidr=${ofSorts(PODS).join(",")}`,
			"--iptables-min-sync-period=0s",
			// They are the machine's and not the node's.
			...["--conntrack-max-per-core=0", "--conntrack-min=0"],
			...["--conntrack-tcp-timeout-established=0s"],
			...["--conntrack-tcp-timeout-close-wait=0s"],
		]);
		await this.#startCoreDns(plane);
		await runKubectl(plane, [
			...["wait", "--for=create", "--timeout=180s"],
			...[`node/${NODE_NAME}`],
		]);
		await runKubectl(plane, [
			...["wait", "--for=condition=Ready", "--timeout=180s"],
			...[`node/${NODE_NAME}`],
		]);
		await runKubectl(plane, [
			...["wait", "--for=create", "--timeout=180s"],
			...["serviceaccount/default", "--namespace=default"],
		]);
	}

	/** Ends everything but the containers. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#ending = true;
		await this.#parts[Symbol.asyncDispose]();
	}

	async #startKubelet(plane: ControlPlane): Promise<void> {
		const { programs, name, dir } = this.#of;
		const serving = await plane.writeCertificate("kubelet", {
			commonName: NODE_NAME,
			dnsNames: [NODE_NAME],
			addresses: [NODE_ADDRESS],
		});
		const kubeconfig = await plane.writeKubeconfigOf("kubelet", {
			commonName: `system:node:${NODE_NAME}`,
			organizations: ["system:nodes"],
		});
		const config = join(this.#dir, "kubelet.yaml");
		// Pods look for nothing beyond the cluster.
		const resolver = join(this.#dir, "resolv.conf");
		await writeFile(resolver, `nameserver ${NODE_ADDRESS}\n`);
		await writeFile(
			config,
			printKubeletConfig({
				...serving,
				ca: join(dir, "pki", "ca.crt"),
				cgroup: name,
				socket: CONTAINERD,
				resolver,
				dns: DNS_SERVICE,
				pluginFolder: join(this.#dir, "volume-plugins"),
			}),
		);
		this.#start("kubelet", programs.kubelet, [
			...[`--config=${config}`, `--kubeconfig=${kubeconfig}`],
			`--hostname-override=${NODE_NAME}`,
			`--node-ip=${ofSorts([NODE_ADDRESS, NODE_ADDRESS_6]).join(",")}`,
		]);
	}

	async #startCoreDns(plane: ControlPlane): Promise<void> {
		const kubeconfig = await plane.writeKubeconfigOf("coredns", {
			commonName: "system:coredns",
		});
		const corefile = join(this.#dir, "Corefile");
		const hosts = join(this.#dir, "hosts");
		await writeFile(hosts, "");
		await writeFile(
			corefile,
			printCorefile({ address: NODE_ADDRESS, kubeconfig, hosts }),
		);
		await runKubectl(
			plane,
			["apply", "--server-side", "-f", "-"],
			printNameService(DNS_SERVICE, NODE_ADDRESS),
		);
		const part = this.#start("coredns", this.#of.programs.coredns, [
			...["-conf", corefile],
		]);
		await this.#until(part, async () => {
			const answer = await fetch(`http://${NODE_ADDRESS}:8181/ready`);
			return answer.ok;
		});
	}

	/** Layers on each other where the kernel can do that on the file system of our folder; else copies. */
	async #snapshotter(): Promise<Snapshotter> {
		const at = (name: string): string => join(this.#dir, "overlay", name);
		for (const name of ["lower", "upper", "work", "merged"]) {
			await mkdir(at(name), { recursive: true });
		}
		const layers = `lowerdir=${at("lower")},upperdir=${at("upper")},workdir=${at("work")}`;
		const worked = await runs("mount", [
			...["-t", "overlay", "overlay", "-o", layers, at("merged")],
		]);
		if (worked) await run("umount", [at("merged")]);
		return worked ? "overlayfs" : "native";
	}

	#start(name: string, program: string, args: readonly string[]): Part {
		const part = this.#parts.start(name, program, args);
		void part.ended.then(({ how }) => {
			if (!this.#ending) this.#tellCrash(printEnd(part, how));
		});
		return part;
	}

	async #until(part: Part, check: () => Promise<boolean>): Promise<void> {
		const endMs = performance.now() + START_MS;
		while (!(await check().catch(() => false))) {
			if (!part.running) {
				throw new ClusterError(printEnd(part, (await part.ended).how));
			}
			if (performance.now() > endMs) {
				throw new ClusterError(
					`${part.name} did not answer within ${START_MS / 1000} s. Its last lines:\n\n${part.lastLines(12)}`,
				);
			}
			await setTimeout(POLL_MS);
		}
	}
}

function printEnd(part: Part, how: string): string {
	return `${part.name} ended by itself (${how}). Its last lines:\n\n${part.lastLines(12).replaceAll(/^/gm, "  ")}\n\nAll of it: ${part.logFile}`;
}
