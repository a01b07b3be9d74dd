import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { installCrds } from "../cluster/install-crds.ts";
import { type KubectlTarget, runKubectl } from "../cluster/kubectl.ts";
import { freePorts } from "../programs/free-ports.ts";
import type { Parts } from "../programs/parts.ts";
import { DemoError } from "./demo-error.ts";
import type { Ground } from "./ground.ts";
import { LATEEN } from "./run-lateen.ts";
import { waitFor } from "./wait-for.ts";
import { WORKLOADS } from "./workloads.ts";

/** Where Lateen keeps what is its own. */
const SYSTEM = "lateen-system";
const NAMESPACE = "default";

/**
 * How long the tokens of the proxies are good. A kubelet would replace them all
 * the time; no demo takes two days.
 */
const TOKEN_TTL = "48h";

/** The demo on a Kubernetes API server: it has no nodes, so the demo is kubelet and controllers at once. */
export interface KubernetesGround extends Ground {
	/** Takes the sample's objects out of the API server again, as far as it answers. */
	remove(): Promise<void>;
}

/** Makes one; nothing is written before `serve`. */
export function kubernetesGround(
	cluster: KubectlTarget & { readonly server: string },
	stateDir: string,
	parts: Parts,
	say: (step: string) => void,
): KubernetesGround {
	const address = ownAddress();
	const kubectl = (...args: readonly string[]) => runKubectl(cluster, args);
	let folder: string | undefined;

	/** The files as the kubelet would put them into the pod. */
	const proof = async (
		account: string,
		pod: string,
		out: string,
	): Promise<readonly string[]> => {
		const files = {
			token: await kubectl(
				...["-n", NAMESPACE, "create", "token", account],
				...["--audience", "lateen.dev", "--duration", TOKEN_TTL],
				...["--bound-object-kind", "Pod", "--bound-object-name", pod],
			),
			"ca.crt": await kubectl(
				...["-n", SYSTEM, "get", "configmap", "lateen-ca"],
				...["-o", "jsonpath={.data.ca\\.crt}"],
			),
		};
		const volume = join(out, "pod");
		await mkdir(volume, { recursive: true });
		for (const [name, text] of Object.entries(files)) {
			const path = join(volume, name);
			await writeFile(`${path}.new`, text.trim(), { mode: 0o600 });
			await rename(`${path}.new`, path);
		}
		const serve = JSON.parse(
			await readFile(join(stateDir, "serve.json"), "utf8"),
		) as { readonly xds: string };
		return [
			...["--token-file", join(volume, "token")],
			...["--ca-file", join(volume, "ca.crt"), "--xds", serve.xds],
		];
	};

	return {
		address,
		async serve(files) {
			folder = files;
			await installCrds(cluster);
			await runKubectl(
				cluster,
				["apply", "-f", "-"],
				JSON.stringify({
					apiVersion: "v1",
					kind: "Namespace",
					metadata: { name: SYSTEM },
				}),
			);
			await writeFile(join(files, "workloads/ingress.yaml"), ingressObjects);
			// What an earlier demo left: the ports of a Pod cannot be changed.
			await kubectl(
				...["delete", "-f", join(files, "workloads")],
				...["--ignore-not-found", "--force", "--grace-period=0"],
			);
			await kubectl("apply", "-R", "-f", files);
			for (const pod of [...WORKLOADS.map(({ name }) => name), INGRESS_POD])
				await kubectl(
					...["-n", NAMESPACE, "patch", "pod", pod],
					...["--subresource=status", "--type=merge", "-p"],
					JSON.stringify({
						status: {
							phase: "Running",
							podIP: address,
							podIPs: [{ ip: address }],
						},
					}),
				);
			say(`Kubernetes at ${cluster.server}: CRDs and the sample's objects`);
			const [webhook = 0] = await freePorts(1);
			const part = parts.start("control-plane", process.execPath, [
				...[LATEEN, "serve", "--source=kubernetes"],
				...["--kubeconfig", cluster.kubeconfig, "--namespace", SYSTEM],
				...["--state-dir", stateDir, "--xds-listen", "127.0.0.1:0"],
				...["--webhook-listen", `127.0.0.1:${webhook}`],
				...["--webhook-url", `https://127.0.0.1:${webhook}`],
				...["--log-format", "text"],
			]);
			const { xds } = await waitFor(
				parts,
				"the control plane to serve",
				async () =>
					JSON.parse(await readFile(join(stateDir, "serve.json"), "utf8")),
			);
			say(`control plane, as process ${part.pid}: xDS over TLS on ${xds}`);
			return part;
		},
		sidecarProof: ({ app, name }, out) => proof(`bookinfo-${app}`, name, out),
		async gatewayProof(gateway, out) {
			const flags = await proof(gateway, INGRESS_POD, out);
			return [...flags, "--suffix", INGRESS_POD];
		},
		async publish() {
			if (folder === undefined) throw new Error("Nothing is served.");
			await kubectl("apply", "-f", join(folder, "rules"));
		},
		async remove() {
			if (folder === undefined) return;
			await kubectl(
				...["delete", "-R", "-f", folder, "--ignore-not-found"],
				...["--force", "--grace-period=0", "--wait=false"],
			);
			await kubectl(
				...["delete", "validatingwebhookconfiguration", "lateen-url"],
				"--ignore-not-found",
			);
		},
	};
}

const INGRESS_POD = "ingress-1";

/** The pod of the gateway. The label is what lets it be one. */
const ingressObjects = `# Written by npm run demo: this run's gateway.
apiVersion: v1
kind: ServiceAccount
metadata: {name: ingress, namespace: ${NAMESPACE}}
---
apiVersion: v1
kind: Pod
metadata:
  name: ${INGRESS_POD}
  namespace: ${NAMESPACE}
  labels: {app: ingress, lateen.dev/gateway: ingress}
spec:
  serviceAccountName: ingress
  containers: [{name: envoy, image: envoy}]
`;

/**
 * An address of this machine. Kubernetes takes no loopback address into an
 * EndpointSlice, because no other node would find the pod there.
 */
function ownAddress(): string {
	const found = Object.values(networkInterfaces())
		.flatMap((addresses) => addresses ?? [])
		.find(
			({ family, internal, address }) =>
				family === "IPv4" && !internal && !address.startsWith("169.254."),
		);
	if (found === undefined)
		throw new DemoError(
			"This machine has no IPv4 address but that of loopback, which Kubernetes takes for no address of a pod. Connect it to a network, or run the demo without --kubernetes.",
		);
	return found.address;
}
