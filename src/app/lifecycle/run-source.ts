import type { Health } from "../../observability/health.ts";
import type { Source } from "../../store/source.ts";
import type { Pipeline } from "../mesh-pipeline.ts";
import { runInBackground } from "./background.ts";
import type { Stops } from "./stops.ts";
import { whenTrue } from "./when-true.ts";

/** What has to be true before a server is ready, as readiness says it. */
export const conditions = {
	listed: "the source has listed everything",
	built: "the first mesh is built",
	listening: "the xDS server listens",
} as const;

/** What the start of a source is told. */
export interface SourceTools {
	readonly health: Health;
	/** Ends the wait. */
	readonly signal: AbortSignal;
	/** Is told when the source ends by itself. */
	readonly onFailure: (error: unknown) => void;
}

/**
 * Runs the source, and answers when there is a mesh of all that it found.
 *
 * Proxies are let in only then: one that was told of an empty mesh would drop
 * what it still serves with.
 */
export async function runSource(
	source: Source,
	{ store, mesh }: Pipeline,
	{ health, signal, onFailure }: SourceTools,
	stops: Stops,
): Promise<void> {
	const failed = runInBackground(
		"The source",
		(running) => source.run(store.sinkOf(source.name), running),
		onFailure,
		stops,
	);
	await Promise.race([
		failed,
		whenTrue(store.allListed, (listed) => listed, signal),
	]);
	health.reached(conditions.listed);
	await Promise.race([
		failed,
		whenTrue(mesh.state, (state) => state.mesh !== undefined, signal),
	]);
	health.reached(conditions.built);
}
