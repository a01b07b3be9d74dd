import { type ObjectRef, printRef } from "../api/object-ref.ts";

/** What is known about where an object is written. */
export interface ObjectPlace {
	readonly ref: ObjectRef;
	/** Absent when its source has no files. */
	readonly file?: string;
	readonly line?: number;
	/** Absent when nobody counts. */
	readonly generation?: number;
}

/** By `printRef`. */
export type ObjectPlaces = ReadonlyMap<string, ObjectPlace>;

/** ` (rules.yaml:4)`, or nothing when the place is not known. */
export function printPlace(ref: ObjectRef, places: ObjectPlaces): string {
	const { file, line } = places.get(printRef(ref)) ?? {};
	return file === undefined ? "" : ` (${file}:${line ?? 1})`;
}

/** Objects with their places, for programs; each once. */
export function placed(
	refs: Iterable<ObjectRef>,
	places: ObjectPlaces,
): readonly object[] {
	const distinct = new Map([...refs].map((ref) => [printRef(ref), ref]));
	return [...distinct].map(([key, ref]) => {
		const { file, line, generation } = places.get(key) ?? {};
		return {
			...ref,
			...(file === undefined ? {} : { file, line }),
			...(generation === undefined ? {} : { generation }),
		};
	});
}
