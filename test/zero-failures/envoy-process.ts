import { execFile, spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ensureEnvoy } from "../../hack/ensure-envoy.ts";
import { eventually } from "../testkit/eventually.ts";
import { type EnvoyProcess, killed } from "../testkit/live-mesh.ts";
import { send } from "../testkit/send.ts";

const main = join(import.meta.dirname, "../../src/main.ts");

/** Time in which a process that is being replaced lets its connections go, in seconds. */
const handOverSeconds = 5;

/** An Envoy that can hand over to a successor, as Envoy's hot restart does. */
export class RestartableEnvoy implements AsyncDisposable {
	readonly #folder: string;
	readonly #baseId: number;
	readonly #processes: EnvoyProcess[] = [];

	/** @param baseId tells Envoys of one machine apart */
	constructor(folder: string, baseId: number) {
		this.#folder = folder;
		this.#baseId = baseId;
	}

	/** The newest process. */
	get current(): EnvoyProcess {
		const newest = this.#processes.at(-1);
		if (newest === undefined) throw new Error("no Envoy was started");
		return newest;
	}

	/** Writes the bootstrap with these flags of `lateen bootstrap`. */
	async bootstrap(stateDir: string, flags: readonly string[]): Promise<void> {
		await promisify(execFile)(process.execPath, [
			main,
			"bootstrap",
			...["--state-dir", stateDir, "--out", this.#folder],
			...flags,
		]);
	}

	/** Starts a process, which takes over from the one before, and waits until it is ready. */
	async start(): Promise<void> {
		const epoch = this.#processes.length;
		const adminFile = join(this.#folder, `admin-${epoch}`);
		const log = join(this.#folder, `envoy-${epoch}.log`);
		rmSync(adminFile, { force: true });
		const child = spawn(
			await ensureEnvoy(),
			[
				...["-c", join(this.#folder, "envoy.json"), "--concurrency", "1"],
				...["--base-id", String(this.#baseId)],
				...["--restart-epoch", String(epoch)],
				...["--drain-time-s", String(handOverSeconds)],
				...["--drain-strategy", "immediate"],
				...["--parent-shutdown-time-s", String(handOverSeconds + 1)],
				...["--admin-address-path", adminFile],
				...["--log-path", log, "-l", "warning"],
			],
			{ stdio: "ignore" },
		);
		const folder = this.#folder;
		this.#processes.push({ child, admin: "", folder });
		const admin = await eventually(async () => {
			if (child.exitCode !== null) throw new Error(readFileSync(log, "utf8"));
			const address = readFileSync(adminFile, "utf8").trim();
			const { status } = await send(`http://${address}/ready`);
			if (status !== 200) throw new Error(readFileSync(log, "utf8"));
			return address;
		}, 40_000);
		this.#processes[epoch] = { child, admin, folder };
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const { child } of this.#processes) {
			// A stopped process does not end, but SIGKILL ends it all the same.
			await killed(child);
		}
	}
}
