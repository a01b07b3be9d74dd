import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { LoadCommand, LoadReport, Totals } from "./load-messages.ts";
import { stop } from "./server-process.ts";

type ReportOf<Op extends LoadReport["op"]> = Extract<
	LoadReport,
	{ readonly op: Op }
>;

/** How long the load may take for one thing. */
const limitMs = 180_000;

/** The process that plays the proxies. */
export class LoadProcess implements AsyncDisposable {
	readonly #child: ChildProcess;
	readonly #signal: AbortSignal;
	readonly #reports: LoadReport[] = [];
	#wake: () => void = () => undefined;

	private constructor(signal: AbortSignal) {
		this.#signal = signal;
		this.#child = fork(join(import.meta.dirname, "load.ts"), [], {
			stdio: ["ignore", "inherit", "inherit", "ipc"],
		});
		this.#child.on("message", (report: LoadReport) => this.#add(report));
		this.#child.on("exit", () =>
			this.#add({ op: "failed", message: "The load process ended." }),
		);
		signal.addEventListener("abort", () => this.#wake());
	}

	/** Starts it; it has no streams yet. */
	static async start(signal: AbortSignal): Promise<LoadProcess> {
		const load = new LoadProcess(signal);
		await load.#next("ready");
		return load;
	}

	/** Opens the streams and waits until each has everything. */
	async open(
		command: Omit<Extract<LoadCommand, { op: "open" }>, "op">,
	): Promise<ReportOf<"synced">> {
		this.#tell({ op: "open", ...command });
		return this.#next("synced");
	}

	/** Watches for a text from now on; the result is awaited by `received`. */
	async watch(marker: string): Promise<void> {
		this.#tell({ op: "await", marker });
		await this.#next("watching");
	}

	/** When each stream received what is watched for. */
	async received(): Promise<readonly number[]> {
		return (await this.#next("received")).atMs;
	}

	/** Cuts all streams and waits until each is where it was. */
	async storm(): Promise<ReportOf<"restored">> {
		this.#tell({ op: "storm" });
		return this.#next("restored");
	}

	/** What was received so far. */
	async totals(): Promise<Totals> {
		this.#tell({ op: "totals" });
		return (await this.#next("totals")).totals;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await stop(this.#child);
	}

	#tell(command: LoadCommand): void {
		this.#child.send(command);
	}

	#add(report: LoadReport): void {
		this.#reports.push(report);
		this.#wake();
	}

	async #next<Op extends LoadReport["op"]>(op: Op): Promise<ReportOf<Op>> {
		const timer = setTimeout(
			() =>
				this.#add({
					op: "failed",
					message: `The load waited ${limitMs} ms for "${op}".`,
				}),
			limitMs,
		);
		try {
			for (;;) {
				this.#signal.throwIfAborted();
				const report = this.#reports.shift();
				if (report === undefined) {
					await new Promise<void>((resolve) => {
						this.#wake = resolve;
					});
					continue;
				}
				if (report.op === "failed") throw new Error(report.message);
				if (isOf(report, op)) return report;
			}
		} finally {
			clearTimeout(timer);
		}
	}
}

function isOf<Op extends LoadReport["op"]>(
	report: LoadReport,
	op: Op,
): report is ReportOf<Op> {
	return report.op === op;
}
