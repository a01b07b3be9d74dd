import type { Address } from "../../net/address.ts";
import type { LogControl } from "../../observability/log-control.ts";
import type { Logger } from "../../observability/logger.ts";
import { Stops } from "./stops.ts";

/** What a server is given besides its settings. */
export interface ServerTools {
	readonly logger: Logger;
	/** What of it is written; can be changed while the server runs. */
	readonly logs: LogControl;
	/** Variables of the process: what finds the API server looks into some. */
	readonly environment: Readonly<Record<string, string | undefined>>;
	/** Ends the start when it takes too long for whoever waits. */
	readonly signal: AbortSignal;
	/** Is told of a part that stopped and should not have; the server is of no use then. */
	readonly onFailure: (error: unknown) => void;
}

/** A server that is ready; disposing of it stops it gracefully. */
export interface RunningServer extends AsyncDisposable {
	/** Where proxies connect. */
	readonly xds: Address;
	readonly admin: Address;
	/** Absolute. */
	readonly stateDir: string;
	/** What else there is to say about where it is reached; for the log. */
	readonly places?: Readonly<Record<string, string>>;
}

/** Starts what can be stopped; when the start fails, what had been started by then is stopped first. */
export async function startStoppable(
	start: (
		stops: Stops,
	) => Promise<Omit<RunningServer, typeof Symbol.asyncDispose>>,
): Promise<RunningServer> {
	const stops = new Stops();
	try {
		const started = await start(stops);
		return {
			...started,
			[Symbol.asyncDispose]: () => stops[Symbol.asyncDispose](),
		};
	} catch (error) {
		await stops[Symbol.asyncDispose]();
		throw error;
	}
}
