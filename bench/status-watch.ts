import { request } from "../src/net/http-client.ts";
import { systemMs } from "./mesh-files.ts";
import { adminServer } from "./server-process.ts";

/** What one line of the status watch said about an object. */
export interface StatusLine {
	/** When it was read; `systemMs`. */
	readonly atMs: number;
	/** `KIND/NAMESPACE/NAME`. */
	readonly object: string;
	/** Of the newest form, whether or not its status is written. */
	readonly generation: number;
	readonly isProgrammed: boolean;
	/** Generation that `Programmed` speaks of. */
	readonly observedGeneration: number;
	readonly total: number;
	readonly acknowledged: number;
	/** Status, reason and generation of all conditions: another text is a transition. */
	readonly conditions: string;
}

/** A watch of every status over the admin API, as a pipeline would have it open. */
export class StatusWatch implements AsyncDisposable {
	readonly #stopping = new AbortController();
	readonly #latest = new Map<string, StatusLine>();
	#lines: StatusLine[] = [];
	readonly #waiting = new Set<() => void>();
	#ended: Promise<void> = Promise.resolve();
	#failure: unknown;

	/** Answers when everything that there is has been listed. */
	static async open(admin: string, signal: AbortSignal): Promise<StatusWatch> {
		const watch = new StatusWatch();
		const either = AbortSignal.any([signal, watch.#stopping.signal]);
		const answer = await request(
			{
				server: adminServer(admin),
				method: "GET",
				path: "/v1/status?watch=1",
			},
			either,
		);
		const listed = new Promise<void>((resolve) => {
			watch.#ended = watch
				.#read(answer.body, resolve)
				.catch((error: unknown) => {
					if (watch.#stopping.signal.aborted) return;
					watch.#failure = error;
					watch.#notice();
				});
		});
		await listed;
		watch.taken();
		return watch;
	}

	/** Lines that came since the last call. */
	taken(): readonly StatusLine[] {
		return this.#lines.splice(0);
	}

	/** What was said of an object last. */
	latest(object: string): StatusLine | undefined {
		return this.#latest.get(object);
	}

	/** The next line of an object, or the last one, that is as wanted. */
	async until(
		object: string,
		isWanted: (line: StatusLine) => boolean,
		limitMs = 30_000,
	): Promise<StatusLine> {
		const timer = setTimeout(() => {
			this.#failure = new Error(
				`The status of ${object} did not become as expected: ${JSON.stringify(this.latest(object))}`,
			);
			this.#notice();
		}, limitMs);
		try {
			for (;;) {
				if (this.#failure !== undefined) throw this.#failure;
				const line = this.latest(object);
				if (line !== undefined && isWanted(line)) return line;
				await new Promise<void>((resolve) => this.#waiting.add(resolve));
			}
		} finally {
			clearTimeout(timer);
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#stopping.abort();
		await this.#ended;
	}

	async #read(body: AsyncIterable<Uint8Array>, listed: () => void) {
		const decoder = new TextDecoder();
		let text = "";
		for await (const chunk of body) {
			const atMs = systemMs();
			text += decoder.decode(chunk, { stream: true });
			const lines = text.split("\n");
			text = lines.pop() ?? "";
			for (const line of lines) {
				const { type, object } = JSON.parse(line);
				if (type === "SYNCED") listed();
				if (type === "ADDED" || type === "MODIFIED")
					this.#add(statusLine(object, atMs));
			}
			this.#notice();
		}
	}

	#notice(): void {
		const waiting = [...this.#waiting];
		this.#waiting.clear();
		for (const wake of waiting) wake();
	}

	#add(line: StatusLine): void {
		this.#latest.set(line.object, line);
		this.#lines.push(line);
	}
}

interface PrintedState {
	readonly kind: string;
	readonly namespace: string;
	readonly name: string;
	readonly generation: number;
	readonly status: {
		readonly conditions: readonly {
			readonly type: string;
			readonly status: string;
			readonly reason: string;
			readonly observedGeneration: number;
		}[];
		readonly proxies: {
			readonly total: number;
			readonly acknowledged: number;
		};
	};
}

function statusLine(object: PrintedState, atMs: number): StatusLine {
	const { conditions, proxies } = object.status;
	const programmed = conditions.find(({ type }) => type === "Programmed");
	return {
		atMs,
		object: `${object.kind}/${object.namespace}/${object.name}`,
		generation: object.generation,
		isProgrammed: programmed?.status === "True",
		observedGeneration: programmed?.observedGeneration ?? 0,
		total: proxies.total,
		acknowledged: proxies.acknowledged,
		conditions: conditions
			.map((one) => `${one.status}/${one.reason}/${one.observedGeneration}`)
			.join(" "),
	};
}
