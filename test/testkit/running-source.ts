import { ObjectStore } from "../../src/store/object-store.ts";
import type { Source } from "../../src/store/source.ts";

/** A source at work, and the store that it fills. */
export interface RunningSource extends AsyncDisposable {
	readonly store: ObjectStore;
	/** How often the source said that it has listed everything. */
	readonly listings: () => number;
	/** How many batches it applied. */
	readonly batches: () => number;
}

/** Runs a source into a store of its own until disposed; disposing waits until it has stopped. */
export function runSource(source: Source): RunningSource {
	const store = new ObjectStore([source.name]);
	const sink = store.sinkOf(source.name);
	const stopping = new AbortController();
	let listings = 0;
	let batches = 0;
	const done = source.run(
		{
			apply(changes) {
				batches++;
				sink.apply(changes);
			},
			listed() {
				listings++;
				sink.listed();
			},
		},
		stopping.signal,
	);
	return {
		store,
		listings: () => listings,
		batches: () => batches,
		async [Symbol.asyncDispose]() {
			stopping.abort();
			await done;
		},
	};
}
