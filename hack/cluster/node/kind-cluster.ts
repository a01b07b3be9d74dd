import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { complaintOf } from "../../programs/complaint-of.ts";
import { ClusterError } from "../control-plane.ts";
import type { ClusterWithNode } from "./cluster-with-node.ts";
import {
	cleanLeftovers,
	type NodeRecord,
	processId,
	removeRecorded,
	writeRecord,
} from "./leftovers.ts";

const run = promisify(execFile);

/** Why there can be no kind cluster here; undefined when there can. */
export async function whyNoKind(): Promise<string | undefined> {
	const daemon = await reasonOf("docker", ["info"]);
	if (daemon !== undefined) return `no Docker daemon answers (${daemon})`;
	const kind = await reasonOf("kind", ["version"]);
	if (kind !== undefined) return `kind does not run (${kind})`;
	return undefined;
}

/** Makes a cluster with kind, in Docker's containers. Throws `ClusterError`. */
export async function startKindCluster(
	dir: string,
	/** Path of kubectl. */
	kubectl: string,
	signal?: AbortSignal,
): Promise<ClusterWithNode> {
	await cleanLeftovers();
	const holder = processId(process.pid);
	if (holder === undefined) {
		throw new ClusterError("kind clusters are held on Linux only.");
	}
	const name = `lateen-${randomBytes(4).toString("hex")}`;
	const record: NodeRecord = { name, sort: "kind", dir, holder };
	await writeRecord(record);
	const kubeconfig = join(dir, "kubeconfig");
	try {
		await run(
			"kind",
			[
				...["create", "cluster", "--name", name, "--kubeconfig", kubeconfig],
				...["--wait", "180s"],
			],
			{ signal },
		);
	} catch (error) {
		await removeRecorded(record);
		throw new ClusterError(
			`kind could not make a cluster: ${complaintOf(error)}`,
		);
	}
	const server = /server: (\S+)/.exec(await readFile(kubeconfig, "utf8"))?.[1];
	return {
		server: server ?? "",
		...{ kubeconfig, kubectl },
		auditLog: undefined,
		node: { sort: "kind", name },
		// Docker looks after it; whoever asks it notices.
		crash: new Promise(() => {}),
		killAll: () => process.exit(1),
		[Symbol.asyncDispose]: async () => await removeRecorded(record),
	};
}

async function reasonOf(
	program: string,
	args: readonly string[],
): Promise<string | undefined> {
	return await run(program, args, { timeout: 20_000 }).then(
		() => undefined,
		(error: unknown) => complaintOf(error).split("\n").at(0) ?? "",
	);
}
