import type { Change } from "../../src/api/objects.ts";
import type { ChangeSink, Source } from "../../src/store/source.ts";

/** A source whose objects are whatever a test says. */
export class MemorySource implements Source {
	readonly name: string;
	readonly #before: Change[] = [];
	#sink: ChangeSink | undefined;

	constructor(name: string) {
		this.name = name;
	}

	/** Makes the changes, at once or, before the source runs, as part of its listing. */
	apply(...changes: readonly Change[]): void {
		if (this.#sink === undefined) this.#before.push(...changes);
		else this.#sink.apply(changes);
	}

	async run(sink: ChangeSink, signal: AbortSignal): Promise<void> {
		sink.apply(this.#before);
		sink.listed();
		this.#sink = sink;
		await new Promise<void>((resolve) => {
			if (signal.aborted) resolve();
			else signal.addEventListener("abort", () => resolve(), { once: true });
		});
		this.#sink = undefined;
	}
}
