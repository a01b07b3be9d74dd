import { isCancelled } from "../lib/is-cancelled.ts";
import { printAddress } from "../net/address.ts";
import { createLogger } from "../observability/create-logger.ts";
import { LogControl } from "../observability/log-control.ts";
import type { EffectiveSetting } from "../settings/read-settings.ts";
import { boundHeap } from "./bound-heap.ts";
import { printAdmin } from "./lifecycle/places.ts";
import type { ServeSettings } from "./lifecycle/serve-settings.ts";
import { startServer } from "./start-server.ts";

/**
 * Runs the server until SIGINT or SIGTERM, or until a part fails; then it stops
 * gracefully. A second signal ends the process at once.
 */
export async function runServer(
	settings: ServeSettings,
	effective: readonly EffectiveSetting[],
): Promise<void> {
	boundHeap();
	const isTerminal = process.stderr.isTTY === true;
	const logs = new LogControl(settings.logLevel);
	const logger = createLogger({
		control: logs,
		format: chosenFormat(settings.logFormat, isTerminal),
		colours: isTerminal && (process.env["NO_COLOR"] ?? "") === "",
		destination: process.stderr,
	});
	logger.info(
		"The settings in force are these.",
		Object.fromEntries(
			effective.map(({ name, text, origin }) => [
				name,
				origin === "default" ? text : `${text} (${origin})`,
			]),
		),
	);

	const stopping = new AbortController();
	let failure: { readonly error: unknown } | undefined;
	const stopped = new Promise<void>((resolve) => {
		stopping.signal.addEventListener("abort", () => resolve());
	});
	const onSignal = (name: NodeJS.Signals): void => {
		// Who asks twice does not want to wait: without a listener the system ends the process.
		process.off("SIGINT", onSignal);
		process.off("SIGTERM", onSignal);
		logger.info("The server stops.", { signal: name });
		stopping.abort();
	};
	process.on("SIGINT", onSignal);
	process.on("SIGTERM", onSignal);
	try {
		const server = await startServer(settings, {
			logger,
			logs,
			environment: process.env,
			signal: stopping.signal,
			onFailure: (error) => {
				failure ??= { error };
				stopping.abort();
			},
		});
		logger.info("The server is ready.", {
			xds: printAddress(server.xds),
			admin: printAdmin(server.admin),
			stateDir: server.stateDir,
			...server.places,
			// Counted from the start of the process.
			tookMs: Math.round(performance.now()),
		});
		await stopped;
		await server[Symbol.asyncDispose]();
	} catch (error) {
		if (!isCancelled(error)) throw error;
	} finally {
		process.off("SIGINT", onSignal);
		process.off("SIGTERM", onSignal);
	}
	if (failure !== undefined) throw failure.error;
	logger.info("The server has stopped.");
}

function chosenFormat(
	setting: ServeSettings["logFormat"],
	isTerminal: boolean,
): "json" | "text" {
	if (setting !== "auto") return setting;
	return isTerminal ? "text" : "json";
}
