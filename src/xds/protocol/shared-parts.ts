// Many proxies get the same thousands of resources when they connect. Copied
// together for each of them, these would be most of what the server holds and
// does at such a time. So the list is cut into runs, and the bytes of a run are
// joined once for all responses that have the same run.
//
// A run ends after a resource whose version says so, not after a number of
// resources: lists that differ in one place, such as the cluster of a proxy's
// own application, have all other runs in common.

import { memoByInput } from "../../lib/memo.ts";
import type { Resource } from "../resource.ts";

/** In shorter lists, a search for runs costs more than it saves. */
const minResources = 16;

/**
 * Makes a function that puts the frames of resources one after the other, in few
 * parts that are shared between its calls.
 *
 * Only responses that are being written keep the parts in memory.
 */
export function partsBy(
	frameOf: (resource: Resource) => Uint8Array,
): (resources: readonly Resource[]) => Uint8Array[] {
	/** The joined runs that begin with a resource. */
	const startingWith = memoByInput(
		(_first: Resource): WeakRef<Uint8Array>[] => [],
	);
	const membersOf = new WeakMap<Uint8Array, readonly Resource[]>();

	const join = (run: readonly Resource[]): Uint8Array => {
		const [first] = run;
		if (first === undefined) throw new Error("A run is not empty.");
		const known = startingWith(first);
		for (const kept of known) {
			const bytes = kept.deref();
			if (bytes !== undefined && areSame(membersOf.get(bytes), run))
				return bytes;
		}
		// Not from Node's shared pool, of which one run would keep all of it.
		const frames = run.map(frameOf);
		const bytes = Buffer.allocUnsafeSlow(
			frames.reduce((sum, frame) => sum + frame.length, 0),
		);
		let at = 0;
		for (const frame of frames) {
			bytes.set(frame, at);
			at += frame.length;
		}
		membersOf.set(bytes, run);
		const gone = known.findIndex((kept) => kept.deref() === undefined);
		known.splice(gone < 0 ? known.length : gone, 1, new WeakRef(bytes));
		return bytes;
	};

	/** The parts of a list that is never changed. */
	const partsOf = memoByInput((_list: readonly Resource[]) => ({
		kept: [] as readonly WeakRef<Uint8Array>[],
	}));

	const runsOf = (resources: readonly Resource[]): Uint8Array[] => {
		const parts: Uint8Array[] = [];
		let start = 0;
		for (const [index, resource] of resources.entries()) {
			if (!endsRun(resource) && index < resources.length - 1) continue;
			parts.push(join(resources.slice(start, index + 1)));
			start = index + 1;
		}
		return parts;
	};

	return (resources) => {
		if (resources.length < minResources) return resources.map(frameOf);
		const known = partsOf(resources);
		const alive = known.kept.flatMap((part) => part.deref() ?? []);
		if (alive.length > 0 && alive.length === known.kept.length) return alive;
		const parts = runsOf(resources);
		known.kept = parts.map((part) => new WeakRef(part));
		return parts;
	};
}

/** One of 64 does: a character of a version has 64 values. */
function endsRun({ version }: Resource): boolean {
	return version.endsWith("A");
}

function areSame(
	a: readonly Resource[] | undefined,
	b: readonly Resource[],
): boolean {
	return a?.length === b.length && a.every((one, i) => one === b[i]);
}
