import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { expect } from "chai";
import type { NodeRef } from "../../hack/cluster/node/cluster-with-node.ts";
import { whyNoKind } from "../../hack/cluster/node/kind-cluster.ts";
import { eventually } from "../testkit/eventually.ts";
import {
	type KindCluster,
	loadProbe,
	ownKindCluster,
	PROBE_IMAGE,
} from "../testkit/kind-cluster.ts";
import { kubectl } from "../testkit/kube-cluster.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const run = promisify(execFile);

const CLUSTER = join(import.meta.dirname, "../../hack/cluster.ts");
const START_MS = 240_000;

/** Only this file's pods have it on their command lines. */
const MARK = randomUUID();

describe("a node on this machine", () => {
	before(async function () {
		// Docker's containers are its own to clean up.
		if ((await whyNoKind()) === undefined) this.skip();
	});

	it("leaves nothing when it is ended", async () => {
		const before = await traces();
		let namespace: string;
		let cgroup: string;
		{
			await using cluster = await ownKindCluster();
			namespace = namespaceOf(cluster.node);
			await startPod(cluster);
			expect(processesOf(namespace)).to.have.lengthOf.above(8);
			cgroup = cgroupOfPod();
			expect(groupsNamed(cgroup)).not.to.deep.equal([]);
			// While it is there it shows nowhere else.
			expect(await traces()).to.deep.equal(before);
		}
		expect(groupsNamed(cgroup)).to.deep.equal([]);
		expect([...processesOf(namespace), ...podProcesses()]).to.deep.equal([]);
		expect(await traces()).to.deep.equal(before);
	});

	it("ends at once when it is interrupted while it starts", async () => {
		const before = await traces();
		using folder = new TemporaryFolder();
		const dir = folder.at("cluster");
		const holder = spawn(
			process.execPath,
			[CLUSTER, "up", "--node", "--dir", dir],
			{ stdio: ["ignore", "ignore", "inherit"] },
		);
		const ended = once(holder, "exit");
		await eventually(
			() => expect(existsSync(join(dir, "logs", "etcd.log"))).to.equal(true),
			START_MS,
		);
		holder.kill("SIGINT");
		expect(await ended).to.deep.equal([1, null]);
		expect(await traces()).to.deep.equal(before);
	});

	it("does not outlive a holder that is killed, and `down` removes the rest", async () => {
		const before = await traces();
		using folder = new TemporaryFolder();
		const dir = folder.at("cluster");
		const holder = spawn(
			process.execPath,
			[CLUSTER, "up", "--node", "--dir", dir],
			{ stdio: ["ignore", "pipe", "inherit"] },
		);
		const printed = createInterface(holder.stdout);
		await Promise.race([
			new Promise<void>((resolve) => {
				printed.on("line", (line) => {
					if (line.includes("Into the node:")) resolve();
				});
			}),
			once(holder, "exit").then(() => {
				throw new Error("It ended by itself.");
			}),
		]);
		const { stdout } = await run(process.execPath, [
			...[CLUSTER, "status", "--dir", dir],
		]);
		const pid = Number(/--target=(\d+)/.exec(stdout)?.[1]);
		const namespace = namespaceOf({ sort: "namespaces", pid });
		const target = {
			kubeconfig: join(dir, "kubeconfig"),
			kubectl: await kubectlOf(stdout),
			server: "",
			node: { sort: "namespaces", pid },
		} as const;
		await startPod(target);
		const cgroup = cgroupOfPod();
		holder.kill("SIGKILL");
		await once(holder, "exit");
		await eventually(
			() =>
				expect([...processesOf(namespace), ...podProcesses()]).to.deep.equal(
					[],
				),
			START_MS,
		);
		const down = await run(process.execPath, [CLUSTER, "down", "--dir", dir]);
		expect(down.stdout).to.contain(`a killed node left in ${dir}`);
		expect(groupsNamed(cgroup)).to.deep.equal([]);
		expect(await traces()).to.deep.equal(before);
	});
});

async function startPod(cluster: KindCluster): Promise<void> {
	await loadProbe(cluster);
	await kubectl(cluster, [
		...["run", "web", `--image=${PROBE_IMAGE}`, "--image-pull-policy=Never"],
		...["--port=80", "--", "serve", ":80", MARK],
	]);
	await kubectl(cluster, [
		...["wait", "pod/web", "--for=condition=Ready", "--timeout=120s"],
	]);
}

async function kubectlOf(status: string): Promise<string> {
	const path = /alias kubectl=(\S+)/.exec(status)?.[1];
	if (path === undefined) throw new Error(`No kubectl in: ${status}`);
	return path;
}

/** All that a node could change of the machine outside of its folder. */
async function traces(): Promise<Readonly<Record<string, unknown>>> {
	const output = async (
		file: string,
		...args: readonly string[]
	): Promise<string> => (await run(file, args)).stdout;
	const tables = async (file: string): Promise<string> =>
		// Its comments have the time and counters.
		(await output(file)).replaceAll(/^#.*$|\[\d+:\d+\]/gm, "");
	return {
		mounts: readFileSync("/proc/self/mounts", "utf8"),
		interfaces: await output("ip", "-brief", "link"),
		addresses: await output("ip", "-brief", "address"),
		routes: await output("ip", "route"),
		iptables: await tables("iptables-save"),
		ip6tables: await tables("ip6tables-save"),
		namedNamespaces: names("/run/netns"),
		folders: [
			...["/run", "/run/containerd", "/run/lock", "/var/lib", "/var/log"],
			...["/var/lib/containerd", "/var/lib/kubelet", "/var/lib/cni"],
			...["/var/log/pods", "/etc/cni", "/opt", "/usr/libexec"],
		].map((folder) => [folder, names(folder)]),
		settings: [
			...["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic"],
			...["kernel/panic_on_oops", "net/ipv4/ip_forward"],
			...["net/netfilter/nf_conntrack_max", "kernel/hostname"],
		].map((name) => {
			try {
				return [name, readFileSync(join("/proc/sys", name), "utf8")];
			} catch {
				return [name, ""];
			}
		}),
	};
}

/** The name of the cgroup of the node that this file's pod is on. */
function cgroupOfPod(): string {
	const [pid = "", ...others] = podProcesses();
	expect(others).to.deep.equal([]);
	const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
	return /\/(lateen-[0-9a-f]+)\//.exec(groups)?.[1] ?? "";
}

/** Where there are cgroups of that name. */
function groupsNamed(name: string): readonly string[] {
	const root = "/sys/fs/cgroup";
	return [root, ...names(root).map((hierarchy) => join(root, hierarchy))]
		.map((hierarchy) => join(hierarchy, name))
		.filter(existsSync);
}

function names(folder: string): readonly string[] {
	try {
		return readdirSync(folder).sort();
	} catch {
		return [];
	}
}

/** What the programs of a node have in common. */
function namespaceOf(node: NodeRef): string {
	return node.sort === "kind" ? "" : readlinkSync(`/proc/${node.pid}/ns/pid`);
}

function processesOf(namespace: string): readonly string[] {
	return processes((pid) => readlinkSync(`/proc/${pid}/ns/pid`) === namespace);
}

/** A container has a namespace of its own below the node's. */
function podProcesses(): readonly string[] {
	return processes((pid) =>
		readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(
			`/bin/probe\0serve\0:80\0${MARK}`,
		),
	);
}

function processes(isWanted: (pid: string) => boolean): readonly string[] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.filter((pid) => {
			try {
				return isWanted(pid);
			} catch {
				return false; // It has just ended.
			}
		});
}
