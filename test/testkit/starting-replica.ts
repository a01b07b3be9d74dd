import { join } from "node:path";
import type { RunningServer } from "../../src/app/lifecycle/running-server.ts";
import { startServer } from "../../src/app/start-server.ts";
import { request } from "../../src/net/http-client.ts";
import { LogControl } from "../../src/observability/log-control.ts";
import { type Logger, silentLogger } from "../../src/observability/logger.ts";
import { serveSettings } from "./serve-settings.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

/** A replica in this process that may not be ready yet, or never; disposing of it stops it. */
export class StartingReplica implements AsyncDisposable {
	readonly #folder = new TemporaryFolder();
	readonly #stopping = new AbortController();
	/** Warnings and errors, each with what came with it, as text. */
	readonly complaints: string[] = [];
	/** Rejects when the start fails, or the replica is stopped before. */
	readonly ready: Promise<RunningServer>;
	/** Parts that have ended by themselves. */
	readonly failures: unknown[] = [];

	constructor(options: {
		readonly kubeconfig: string;
		/** Namespace of Lateen itself. */
		readonly namespace: string;
	}) {
		const settings = serveSettings({
			...options,
			source: "kubernetes",
			podName: "lateen-0",
			stateDir: this.#folder.at("state"),
			xdsListen: "127.0.0.1:0",
			webhookListen: "127.0.0.1:0",
		});
		this.ready = startServer(settings, {
			logger: this.#logger(),
			logs: new LogControl("info"),
			environment: {},
			signal: this.#stopping.signal,
			onFailure: (error) => void this.failures.push(error),
		});
		this.ready.catch(() => undefined);
	}

	/** What its admin API answers. */
	async ask(
		path: string,
	): Promise<{ readonly status: number; readonly body: unknown }> {
		const answer = await request({
			server: { path: join(this.#folder.at("state"), "admin.sock") },
			method: "GET",
			path,
		});
		return { status: answer.status, body: JSON.parse(await answer.text()) };
	}

	/** The sentences of its problems. */
	async problems(): Promise<readonly string[]> {
		const { body } = await this.ask("/v1/problems");
		const { problems } = body as {
			readonly problems: readonly { readonly message: string }[];
		};
		return problems.map(({ message }) => message);
	}

	/** Stops it in order. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		const server = await this.ready.catch(() => undefined);
		await server?.[Symbol.asyncDispose]();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.stop();
		this.#folder[Symbol.dispose]();
	}

	#logger(): Logger {
		const note: Logger["warn"] = (message, fields = {}) => {
			const { error } = fields;
			const why = error instanceof Error ? error.message : "";
			this.complaints.push(`${message} ${why}${JSON.stringify(fields)}`);
		};
		const logger: Logger = { ...silentLogger, warn: note, error: note };
		return { ...logger, child: () => ({ ...logger, child: () => logger }) };
	}
}
