import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ensureIptables } from "../../hack/ensure-iptables.ts";
import { NetworkNamespace } from "./network-namespace.ts";

/**
 * A network of Pods that exists only in namespaces of its own:
 *
 *   outside ── bridge ──┬── eth0  a Pod
 *   10.1.0.1            └── eth0  another, …
 *
 * Whatever a Pod sends to an address that nobody has, such as a cluster IP,
 * goes outside and is dropped there: it arrives only if a proxy took it.
 */
export class PodNetwork implements AsyncDisposable {
	/** Address of the outside in the network of the Pods. */
	static readonly gateway = "10.1.0.1";
	/** The same for IPv6. */
	static readonly gateway6 = "fd00:1::1";
	/** An address that is no Pod's and no Service's. */
	static readonly elsewhere = "198.51.100.7";

	/** Where the control plane and clients without a proxy run. */
	readonly outside: NetworkNamespace;
	readonly #pods: NetworkNamespace[] = [];

	private constructor(outside: NetworkNamespace) {
		this.outside = outside;
	}

	/** Makes the network, without Pods. */
	static async create(): Promise<PodNetwork> {
		const network = new PodNetwork(await NetworkNamespace.create());
		await network.outside.run(
			"ip",
			["-batch", "-"],
			`link set lo up
link add pods type bridge
addr add ${PodNetwork.gateway}/24 dev pods
addr add ${PodNetwork.gateway6}/64 dev pods nodad
addr add ${PodNetwork.elsewhere}/32 dev pods
link set pods up
`,
		);
		return network;
	}

	/** Makes the namespace of a Pod with this address of 10.1.0.0/24, and perhaps one of fd00:1::/64. */
	async pod(address: string, address6?: string): Promise<NetworkNamespace> {
		const pod = await NetworkNamespace.create();
		this.#pods.push(pod);
		const port = `to-${address.split(".").at(-1)}`;
		await this.outside.run(
			"ip",
			["-batch", "-"],
			`link add ${port} type veth peer name eth0 netns ${pod.pid}
link set ${port} master pods up
`,
		);
		await pod.run(
			"ip",
			["-batch", "-"],
			`link set lo up
addr add ${address}/24 dev eth0
link set eth0 up
route add default via ${PodNetwork.gateway}
${
	address6 === undefined
		? ""
		: `addr add ${address6}/64 dev eth0 nodad
route add default via ${PodNetwork.gateway6}
`
}`,
		);
		return pod;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const namespace of [...this.#pods, this.outside]) {
			await namespace[Symbol.asyncDispose]();
		}
	}
}

const trial = `ip link add trial type bridge &&
ip link add one type veth peer name two &&
iptables -t nat -A OUTPUT -p tcp -m owner --uid-owner 1337 -j REDIRECT --to-ports 15001`;

/**
 * Why this machine cannot capture traffic in namespaces of its own, as one
 * sentence that says what to install or do; undefined when it can.
 */
export async function captureObstacle(): Promise<string | undefined> {
	if (process.platform !== "linux") return "Only Linux has iptables.";
	if (process.getuid?.() !== 0) {
		return "Only root may make network namespaces: run the tests as root, for example in a container with NET_ADMIN and SYS_ADMIN.";
	}
	const run = promisify(execFile);
	for (const [tool, name] of [
		["ip", "iproute2"],
		["unshare", "util-linux"],
		["nsenter", "util-linux"],
		["setpriv", "util-linux"],
	] as const) {
		try {
			await run(tool, ["-V"]);
		} catch {
			return `${tool} is missing: install it (Debian, Ubuntu: apt-get install ${name}).`;
		}
	}
	try {
		await ensureIptables();
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	}
	try {
		await run("unshare", ["--net", "sh", "-c", trial]);
	} catch (error) {
		const said = error instanceof Error ? error.message : String(error);
		return `The kernel refuses namespaces, bridges or rules (${said.trim().split("\n").at(-1)}): give the tests SYS_ADMIN and NET_ADMIN, and the kernel its modules veth, bridge, nf_nat, xt_owner and xt_REDIRECT.`;
	}
	return undefined;
}
