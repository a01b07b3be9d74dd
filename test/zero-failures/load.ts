import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { killed } from "../testkit/live-mesh.ts";
import type { Target } from "./sequence.ts";
import type { LoadShape } from "./shape.ts";

/** What may be requested. */
export type LoadTarget = Target;

/** What the process of the load is told first. */
export interface LoadOptions {
	readonly shape: LoadShape;
	readonly seed: number;
	/** Forward proxies by the name of their sidecar: `address:port`. */
	readonly callers: Readonly<Record<string, string>>;
}

/** What the process of the load is told later. */
export type ToLoad =
	| { readonly op: "announce"; readonly target: LoadTarget }
	| {
			readonly op: "withdraw";
			readonly ids: readonly string[];
			readonly number: number;
	  }
	| { readonly op: "pause"; readonly caller: string; readonly number: number }
	| {
			readonly op: "resume";
			readonly caller: string;
			readonly targets: readonly LoadTarget[];
	  }
	| { readonly op: "stop" };

/** A request that failed. */
export interface FailedRequest {
	readonly url: string;
	readonly caller: string;
	readonly reason: string;
	readonly tookMs: number;
}

/** How much was requested. */
export interface LoadReport {
	readonly requests: number;
	readonly failed: number;
	/** Longest time that an answer took beyond the application's own. */
	readonly slowestMs: number;
}

/** What the process of the load tells. */
export type FromLoad =
	| { readonly op: "ready" }
	| {
			readonly op: "answers";
			readonly id: string;
			readonly caller: string;
			/** Time from its announcement to its first good answer. */
			readonly tookMs: number;
	  }
	| { readonly op: "done"; readonly number: number }
	| { readonly op: "failed"; readonly failure: FailedRequest }
	| ({ readonly op: "report" } & LoadReport);

/** The load of a run. */
export class Load implements AsyncDisposable {
	readonly #child: ChildProcess;
	readonly #onFailure: (failure: FailedRequest) => void;
	readonly #waiting = new Map<number, () => void>();
	readonly #ended: Promise<unknown>;
	#numbered = 0;
	#report: LoadReport = { requests: 0, failed: 0, slowestMs: 0 };
	/** By id: what was announced and not withdrawn since. */
	readonly targets = new Map<string, Target>();
	/** `id caller` of what is announced and has not answered yet. */
	readonly unanswered = new Set<string>();
	/** Time from announcement to first answer, of each target and caller, in milliseconds. */
	readonly firstAnswers: number[] = [];
	readonly #callers: readonly string[];

	private constructor(
		child: ChildProcess,
		callers: readonly string[],
		onFailure: (failure: FailedRequest) => void,
	) {
		this.#child = child;
		this.#callers = callers;
		this.#onFailure = onFailure;
		this.#ended = once(child, "exit");
		child.on("message", (message: FromLoad) => this.#take(message));
	}

	/** Starts the process; `onFailure` hears of the first failures one by one. */
	static async start(
		options: LoadOptions,
		onFailure: (failure: FailedRequest) => void,
	): Promise<Load> {
		const child = fork(join(import.meta.dirname, "load-process.ts"));
		const load = new Load(child, Object.keys(options.callers), onFailure);
		child.send(options);
		await once(child, "message");
		return load;
	}

	/** Has a target requested from its first good answer on. */
	announce(target: Target): void {
		this.targets.set(target.id, target);
		for (const caller of this.#callers)
			this.unanswered.add(`${target.id} ${caller}`);
		this.#tell({ op: "announce", target });
	}

	/** Begins no further request to these; answers when the callers have taken those that were begun. They go on. */
	async withdraw(ids: readonly string[]): Promise<void> {
		if (ids.length === 0) return;
		for (const id of ids) {
			this.targets.delete(id);
			for (const caller of this.#callers)
				this.unanswered.delete(`${id} ${caller}`);
		}
		await this.#done((number) => ({ op: "withdraw", ids, number }));
	}

	/** Begins no further request through a caller; answers when none is in flight. */
	async pause(caller: string): Promise<void> {
		await this.#done((number) => ({ op: "pause", caller, number }));
	}

	/** Requests everything through a caller again, each target from its first good answer on. */
	resume(caller: string): void {
		for (const id of this.targets.keys())
			this.unanswered.add(`${id} ${caller}`);
		this.#tell({
			op: "resume",
			caller,
			targets: [...this.targets.values()],
		});
	}

	/** Ends the load, waits for what is in flight, and says what came of it. */
	async stop(): Promise<LoadReport> {
		this.#tell({ op: "stop" });
		await this.#ended;
		return this.#report;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await killed(this.#child);
	}

	async #done(message: (number: number) => ToLoad): Promise<void> {
		this.#numbered += 1;
		const number = this.#numbered;
		await new Promise<void>((resolve) => {
			this.#waiting.set(number, resolve);
			this.#tell(message(number));
		});
	}

	#tell(message: ToLoad): void {
		this.#child.send(message);
	}

	#take(message: FromLoad): void {
		switch (message.op) {
			case "ready":
				return;
			case "answers":
				this.unanswered.delete(`${message.id} ${message.caller}`);
				this.firstAnswers.push(message.tookMs);
				return;
			case "done":
				this.#waiting.get(message.number)?.();
				this.#waiting.delete(message.number);
				return;
			case "failed":
				this.#onFailure(message.failure);
				return;
			case "report":
				this.#report = message;
				return;
		}
	}
}
