import type {
	FileProblemState,
	ObjectState,
	ObjectsReader,
	SourceProblemState,
} from "../../admin/readers.ts";
import { refOf } from "../../api/metadata.ts";
import { compareRefs, type ObjectRef } from "../../api/object-ref.ts";
import type { ApiObject, InvalidObject, Objects } from "../../api/objects.ts";
import type { Position } from "../../api/violation.ts";
import type { MeshState } from "../../controllers/mesh.ts";
import type { Signal } from "../../lib/signal.ts";
import type { Finding } from "../../mesh/finding.ts";
import { refKey } from "../../store/ref-key.ts";

/** Where the admin API's view of objects is put together from. */
export interface ObjectsReaderParts {
	readonly objects: Signal<Objects>;
	readonly invalid: Signal<ReadonlyMap<string, InvalidObject>>;
	readonly mesh: Signal<MeshState>;
	fileProblems(): readonly FileProblemState[];
	readonly sourceProblems?: () => readonly SourceProblemState[];
	/** Where an object begins. */
	placeOf(ref: ObjectRef): Position | undefined;
}

/** Joins what the store knows of objects with what the build found out about them. */
export function objectsReader(parts: ObjectsReaderParts): ObjectsReader {
	return {
		objects: () => joinObjects(parts),
		fileProblems: () => parts.fileProblems(),
		sourceProblems: () => parts.sourceProblems?.() ?? [],
		buildFailure: () => parts.mesh.value.failure,
	};
}

function joinObjects(parts: ObjectsReaderParts): readonly ObjectState[] {
	const findings = Map.groupBy(
		parts.mesh.value.findings,
		({ about }: Finding) => refKey(about),
	);
	const invalid = parts.invalid.value;
	const good = Object.values(parts.objects.value).flatMap(
		(map: ReadonlyMap<string, ApiObject>) => [...map.values()].map(refOf),
	);
	const goodKeys = new Set(good.map(refKey));
	const onlyInvalid = [...invalid.values()]
		.map(({ ref }) => ref)
		.filter((ref) => !goodKeys.has(refKey(ref)));
	const stateOf = (ref: ObjectRef): ObjectState => ({
		ref,
		inForce: goodKeys.has(refKey(ref)),
		place: parts.placeOf(ref),
		violations: invalid.get(refKey(ref))?.violations ?? [],
		findings: findings.get(refKey(ref)) ?? [],
	});
	return [...good, ...onlyInvalid]
		.map(stateOf)
		.sort((a, b) => compareRefs(a.ref, b.ref));
}
