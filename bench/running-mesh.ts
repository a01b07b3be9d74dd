import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readOrCreateTokenKey } from "../src/app/embedded/token-key.ts";
import { mintToken } from "../src/xds/proxy-token.ts";
import type { StreamPlan } from "./load-messages.ts";
import { LoadProcess } from "./load-process.ts";
import { type MeshSize, workloadOf, writeMesh } from "./mesh-files.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

/** What a run needs. */
export interface RunOptions extends MeshSize {
	readonly program: string;
	readonly profileDir: string | undefined;
	readonly signal: AbortSignal;
}

/** A server on a mesh of files, and a load process without streams. */
export interface RunningMesh {
	readonly manifests: string;
	readonly server: ServerProcess;
	readonly load: LoadProcess;
	/** Opens streams and answers when each has everything, and how long that took. */
	open(first: number, count: number): Promise<number>;
}

/** Runs a server and its load for as long as `use` takes. Leaves nothing behind. */
export async function withRunningMesh<T>(
	options: RunOptions,
	use: (mesh: RunningMesh) => Promise<T>,
): Promise<T> {
	const root = await mkdtemp(join(tmpdir(), "lateen-bench-"));
	try {
		const manifests = join(root, "mesh");
		const stateDir = join(root, "state");
		await writeMesh(manifests, options);
		await mkdir(stateDir, { mode: 0o700 });
		const key = await readOrCreateTokenKey(stateDir);
		await using server = await startServer({
			...options,
			source: [`--source=directory:${manifests}`],
			stateDir,
		});
		await using load = await LoadProcess.start(options.signal);
		const planOf = (index: number): StreamPlan => ({
			workload: workloadOf(index),
			token: mintToken(
				{
					workload: workloadOf(index),
					kind: "sidecar",
					expiresMs: Date.now() + 3_600_000,
				},
				key,
			),
		});
		const { services, rules } = options;
		return await use({
			manifests,
			server,
			load,
			open: async (first, count) => {
				const { openedMs, syncedMs } = await load.open({
					host: server.host,
					port: server.port,
					streams: Array.from({ length: count }, (_, i) => planOf(first + i)),
					expected: { virtualHosts: services, clusters: services + 2 * rules },
				});
				return syncedMs - openedMs;
			},
		});
	} finally {
		await rm(root, { recursive: true, force: true });
	}
}
