import { refOf } from "../api/metadata.ts";
import { compareText, printRef } from "../api/object-ref.ts";
import type { ApiObject, Objects } from "../api/objects.ts";
import type { Position } from "../api/violation.ts";
import { buildMesh, type MeshBuild } from "../mesh/build.ts";
import {
	type ManifestInput,
	type ReadManifests,
	readDirectory,
} from "../sources/read-directory.ts";
import type { ObjectPlace, ObjectPlaces } from "./object-places.ts";

/** One thing that is wrong with some files. */
export interface ManifestProblem {
	/** An error means that something written would not be in use. */
	readonly severity: "error" | "warning";
	/** `RouteRule default/reviews`; absent when no single object is concerned. */
	readonly object?: string;
	/** `Invalid`, `File`, or the reason of a finding. */
	readonly reason: string;
	readonly path: string;
	readonly message: string;
	readonly file?: string;
	readonly line?: number;
	readonly column?: number;
}

/** Files as the server would take them. */
export interface CheckedManifests {
	/** Number of good objects. */
	readonly objects: number;
	readonly good: Objects;
	readonly build: MeshBuild;
	/** Where each good object begins. */
	readonly places: ObjectPlaces;
	/** By file and line; problems without a place last. */
	readonly problems: readonly ManifestProblem[];
}

/** What files are laid over. */
export interface ManifestBase {
	readonly objects: Objects;
	/** Of objects in files that name none. */
	readonly namespace: string;
}

/** Reads files, checks each object, and builds the mesh of the good ones, with those of a base that they do not name. */
export async function checkManifests(
	inputs: readonly ManifestInput[],
	base?: ManifestBase,
): Promise<CheckedManifests> {
	const read = await readDirectory(inputs, base?.namespace);
	const build = buildMesh(
		base === undefined ? read.objects : laidOver(read.objects, base.objects),
	);
	const problems: readonly ManifestProblem[] = [
		...read.problems.map(({ severity, message, ...place }) => ({
			severity,
			reason: "File",
			path: "",
			message,
			...placeOf(place),
		})),
		...read.invalid.flatMap(({ ref, violations }) =>
			violations.map(({ path, message, position }) => ({
				severity: "error" as const,
				object: printRef(ref),
				reason: "Invalid",
				path,
				message,
				...placeOf(position),
			})),
		),
		...build.findings
			.filter(
				({ about }) => base === undefined || read.placeOf(about) !== undefined,
			)
			.map(({ about, path, reason, message }) => ({
				severity: "warning" as const,
				object: printRef(about),
				reason,
				path,
				message,
				...placeOf(read.placeOf(about)),
			})),
	];
	return {
		objects: countObjects(read.objects),
		good: read.objects,
		build,
		places: placesOf(read),
		problems: [...problems].sort(compareProblems),
	};
}

/** A problem as compilers print theirs: `rules.yaml:9:13: RouteRule default/reviews: spec.route[0].weight: message`. */
export function printProblem(problem: ManifestProblem): string {
	const { file, line, column, severity, object, path, message } = problem;
	return [
		...(file === undefined ? [] : [`${file}:${line}:${column}`]),
		...(severity === "warning" ? ["warning"] : []),
		...(object === undefined ? [] : [object]),
		...(path === "" ? [] : [path]),
		message,
	].join(": ");
}

/** All objects of both; of one that stands in both, the upper form is taken, which is as old as the object. */
function laidOver(upper: Objects, lower: Objects): Objects {
	const under: Readonly<Record<string, ReadonlyMap<string, ApiObject>>> = lower;
	return Object.fromEntries(
		Object.entries(upper).map(
			([kind, map]: [string, ReadonlyMap<string, ApiObject>]) => {
				const all = new Map(under[kind]);
				for (const [key, object] of map)
					all.set(key, withAgeOf(object, all.get(key)));
				return [kind, all];
			},
		),
	) as unknown as Objects;
}

/** Of rules that are equal otherwise, the older one is first. */
function withAgeOf(object: ApiObject, known: ApiObject | undefined): ApiObject {
	// What is new is younger than all that there is.
	const createdMs = known?.metadata.createdMs ?? Number.MAX_SAFE_INTEGER;
	return { ...object, metadata: { ...object.metadata, createdMs } };
}

function placesOf({
	objects,
	placeOf,
}: Pick<ReadManifests, "objects" | "placeOf">): ObjectPlaces {
	return new Map(
		Object.values(objects).flatMap((map: ReadonlyMap<string, ApiObject>) =>
			[...map.values()].map((object): [string, ObjectPlace] => {
				const ref = refOf(object);
				const place = placeOf(ref);
				return [
					printRef(ref),
					{ ref, ...(place && { file: place.file, line: place.line }) },
				];
			}),
		),
	);
}

function countObjects(objects: Objects): number {
	return Object.values(objects).reduce(
		(total, map: ReadonlyMap<string, unknown>) => total + map.size,
		0,
	);
}

function placeOf(
	place: Position | undefined,
): Pick<ManifestProblem, "file" | "line" | "column"> {
	if (place === undefined) return {};
	const { file, line, column } = place;
	return { file, line, column };
}

function compareProblems(a: ManifestProblem, b: ManifestProblem): number {
	// "~" sorts after what file names begin with.
	return (
		compareText(a.file ?? "~", b.file ?? "~") ||
		(a.line ?? 0) - (b.line ?? 0) ||
		(a.column ?? 0) - (b.column ?? 0) ||
		compareText(a.object ?? "", b.object ?? "") ||
		compareText(a.path, b.path)
	);
}
