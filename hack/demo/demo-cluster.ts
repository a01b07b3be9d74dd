import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ControlPlane } from "../cluster/control-plane.ts";
import { askCluster } from "../cluster/control-socket.ts";
import { defaultDir } from "../cluster/default-dir.ts";
import type { KubectlTarget } from "../cluster/kubectl.ts";
import { ensureKubernetes } from "../ensure-kubernetes.ts";

/** The API server that the demo uses. */
export interface DemoCluster extends KubectlTarget, AsyncDisposable {
	/** `https://127.0.0.1:PORT` */
	readonly server: string;
	/** Whether it was started for the demo, and goes with it. */
	readonly isOwn: boolean;
	/** Ends what belongs to the demo at once. */
	killAll(): void;
}

/**
 * The cluster that `npm run cluster -- up` holds, in the usual folder or in
 * `folder`; where none runs, one of the demo's own, which takes some seconds.
 * Never that of a kubeconfig: the demo writes into the namespace `default`.
 */
export async function openDemoCluster(
	dir: string,
	folder: string | undefined,
	signal: AbortSignal,
): Promise<DemoCluster> {
	const running = await findRunning(folder);
	if (running !== undefined) {
		const { server, kubeconfig, kubectl } = running;
		return {
			...{ server, kubeconfig, kubectl, isOwn: false },
			killAll: () => {},
			[Symbol.asyncDispose]: () => Promise.resolve(),
		};
	}
	const own = join(dir, "cluster");
	await mkdir(own, { recursive: true });
	const plane = await ControlPlane.start(own, await ensureKubernetes(signal));
	const { server, kubeconfig, kubectl } = plane;
	return {
		...{ server, kubeconfig, kubectl, isOwn: true },
		killAll: () => plane.killAll(),
		[Symbol.asyncDispose]: () => plane[Symbol.asyncDispose](),
	};
}

async function findRunning(folder = defaultDir()) {
	// npm runs us in the folder of package.json, wherever it was called.
	const wanted = resolve(process.env["INIT_CWD"] ?? "", folder);
	if (!existsSync(wanted)) return undefined;
	const here = process.cwd();
	process.chdir(wanted);
	try {
		return (await askCluster("status"))?.ready;
	} finally {
		process.chdir(here);
	}
}
