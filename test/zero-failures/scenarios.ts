import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { Running, Scenario } from "./run.ts";
import { callers } from "./sequence.ts";
import type { Shape } from "./shape.ts";

/** A run of its own kind. */
export interface NamedScenario {
	/** How many changes it makes, when that is not for the caller to say. */
	readonly changes?: number;
	/** Changes per second instead of the shape's. */
	readonly changesPerSecond?: number;
	/** Time for draining instead of the shape's. */
	readonly drainMs?: number;
	readonly beside?: Scenario;
}

const [caller] = callers;

/** What can be asked for with `--scenario`. */
export const scenarios: Readonly<Record<string, NamedScenario>> = {
	/** Changes, and nothing else. */
	changes: {},
	/** The control plane is killed about every second. Applications end so late that a proxy is connected once before. */
	restarts: {
		changes: 1200,
		changesPerSecond: 20,
		drainMs: 15_000,
		beside: restarts,
	},
	/** A sidecar's process hands over to a new one, three times. */
	"hot-restart": { changes: 1000, changesPerSecond: 20, beside: hotRestart },
	/** A sidecar is stopped for a minute; the others must not notice. */
	"stopped-proxy": {
		changes: 1400,
		changesPerSecond: 20,
		beside: stoppedProxy,
	},
	/** 200 changes a second for a minute. */
	churn: { changes: 12_000, changesPerSecond: 200, beside: memory },
};

/** The shape as the scenario wants it. */
export function shapeFor(scenario: NamedScenario, shape: Shape): Shape {
	const { changesPerSecond, drainMs } = { ...shape, ...scenario };
	return { ...shape, changesPerSecond, drainMs };
}

async function restarts({ mesh, over, print }: Running): Promise<void> {
	let kills = 0;
	while (!over.aborted) {
		await pause(1000, over);
		if (over.aborted) break;
		await mesh.killServer();
		kills += 1;
		await mesh.startServer();
	}
	print(`the control plane was killed ${kills} times`);
}

async function hotRestart({ mesh, over, print }: Running): Promise<void> {
	let handOvers = 0;
	const envoy = mesh.proxies.get(caller)?.envoy;
	while (!over.aborted && handOvers < 3) {
		await pause(3000, over);
		await envoy?.start();
		handOvers += 1;
		// Envoy takes no third process before the first is gone.
		await pause(8000, over);
	}
	print(`the sidecar of ${caller} handed over ${handOvers} times`);
}

async function stoppedProxy({
	mesh,
	load,
	over,
	print,
}: Running): Promise<void> {
	await pause(3000, over);
	const child = mesh.proxies.get(caller)?.envoy.current.child;
	await load.pause(caller);
	child?.kill("SIGSTOP");
	const before = load.firstAnswers.length;
	await pause(60_000, over);
	const meanwhile = load.firstAnswers.length - before;
	child?.kill("SIGCONT");
	load.resume(caller);
	print(
		`the sidecar of ${caller} stood still for 60 s; meanwhile ${meanwhile} new targets answered through the other`,
	);
}

async function memory({ mesh, over, print }: Running): Promise<void> {
	const samples: number[] = [];
	while (!over.aborted) {
		samples.push(residentMiB(mesh.serverPid));
		await pause(1000, over);
	}
	print(
		`memory of the control plane, each second, in MiB: ${samples.join(" ")}`,
	);
}

function residentMiB(pid: number): number {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	const kilobytes = /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
	return Math.round(Number(kilobytes) / 1024);
}

async function pause(delayMs: number, over: AbortSignal): Promise<void> {
	await setTimeout(delayMs, undefined, { signal: over }).catch(
		() => undefined, // The changes are made, so there is nothing to wait for.
	);
}
