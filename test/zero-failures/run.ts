import { setTimeout } from "node:timers/promises";
import { eventually } from "../testkit/eventually.ts";
import { differences } from "./end-state.ts";
import { type FailedRequest, Load, type LoadReport } from "./load.ts";
import { frontService, Sequence, type Step } from "./sequence.ts";
import { ServedMesh } from "./served-mesh.ts";
import type { Shape } from "./shape.ts";

/** A run to make. */
export interface RunOptions {
	readonly seed: number;
	readonly changes: number;
	readonly shape: Shape;
	/** What else happens while the changes are made. */
	readonly scenario?: Scenario;
	/** Flags of `lateen serve`. */
	readonly serveFlags?: readonly string[];
	readonly print: (line: string) => void;
}

/** What a scenario works with. */
export interface Running {
	readonly mesh: ServedMesh;
	readonly load: Load;
	/** Aborted when the changes are made. */
	readonly over: AbortSignal;
	readonly print: (line: string) => void;
}

/** Does something to the mesh while changes are made and requests sent; must end soon after `over`. */
export type Scenario = (running: Running) => Promise<void>;

/** A failed request and after how many changes it was noticed. */
export interface Failure extends FailedRequest {
	readonly changes: number;
}

/** What came of a run. */
export interface RunResult extends LoadReport {
	readonly changes: number;
	readonly failures: readonly Failure[];
	/** How the Envoys differ from a fresh render of the folder in the end. */
	readonly differences: readonly string[];
	/** What the control plane logged of responses that an Envoy refused; there should be none. */
	readonly rejections: readonly string[];
	/** Targets that never answered. */
	readonly unanswered: readonly string[];
	/** From the announcement of each target to its first answer through each caller. */
	readonly answeredMs: readonly number[];
	readonly tookMs: number;
}

/** How long the Envoys may take to become what the folder says once changes have ended. */
const settleMs = 30_000;

/** Makes the first changes of a sequence under load, then compares what the Envoys have with a fresh render. */
export async function run(options: RunOptions): Promise<RunResult> {
	const { seed, changes, shape, scenario, print } = options;
	const sequence = new Sequence(seed, shape);
	const failures: Failure[] = [];
	let made = 0;
	await using mesh = new ServedMesh(options.serveFlags ?? []);
	const beginning = sequence.beginning();
	for (const spec of beginning.starts) await mesh.applications.start(spec);
	mesh.write(beginning.files);
	await mesh.startServer();
	const listening = await mesh.startProxies();
	await using load = await Load.start(
		{ shape: shape.load, seed, callers: listening },
		(failure) => {
			failures.push({ ...failure, changes: made });
			print(`after ${made} changes ${printFailure(failure)}`);
		},
	);
	const over = new AbortController();
	const ended = new AbortController();
	load.announce({
		id: frontService,
		url: `http://${frontService}`,
		service: frontService,
	});
	for (const target of beginning.announce) load.announce(target);
	await everyAnswer(load);

	const startMs = performance.now();
	const beside = scenario?.({ mesh, load, over: over.signal, print });
	while (made < changes) {
		const dueMs = startMs + (made * 1000) / shape.changesPerSecond;
		await setTimeout(Math.max(0, dueMs - performance.now()));
		await make(sequence.next(), mesh, load, {
			drainMs: shape.drainMs,
			signal: ended.signal,
		});
		made += 1;
	}
	const tookMs = performance.now() - startMs;
	over.abort();
	await beside;
	await everyAnswer(load);
	const left = await whatIsLeft(mesh);
	const report = await load.stop();
	ended.abort();
	return {
		...report,
		changes: made,
		failures,
		differences: left,
		rejections: mesh.rejections,
		unanswered: [...load.unanswered],
		answeredMs: load.firstAnswers,
		tookMs,
	};
}

/** Carries out one change. */
async function make(
	step: Step,
	mesh: ServedMesh,
	load: Load,
	{
		drainMs,
		signal,
	}: { readonly drainMs: number; readonly signal: AbortSignal },
): Promise<void> {
	const { applications } = mesh;
	await load.withdraw(step.withdraw);
	for (const name of step.ended) await applications.ended(name);
	for (const spec of step.starts) await applications.start(spec);
	mesh.write(step.files);
	for (const target of step.announce) load.announce(target);
	for (const name of step.stops)
		applications.endAfter(name, drainMs, signal, () => mesh.rewrite(name));
}

/** Waits until everything that was announced answers, or for so long. */
async function everyAnswer(load: Load): Promise<void> {
	await eventually(() => {
		if (load.unanswered.size > 0) throw new Error("some do not answer");
	}, settleMs).catch(() => undefined); // Who did not answer stands in the result.
}

/** How the Envoys differ from the folder when they have had their time. */
async function whatIsLeft(mesh: ServedMesh): Promise<readonly string[]> {
	let left: readonly string[] = [];
	const endMs = performance.now() + settleMs;
	do {
		left = [];
		for (const proxy of mesh.proxies.values())
			left = [...left, ...(await differences(proxy, mesh.live.objects))];
		if (left.length > 0) await setTimeout(250);
	} while (left.length > 0 && performance.now() < endMs);
	return left;
}

/** A failed request in one line. */
export function printFailure(failure: FailedRequest): string {
	const { url, caller, reason, tookMs } = failure;
	return `${url} through ${caller} failed after ${tookMs} ms: ${reason}`;
}
