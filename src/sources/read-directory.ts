import type { ObjectRef } from "../api/object-ref.ts";
import type { InvalidObject, Objects } from "../api/objects.ts";
import type { Position } from "../api/violation.ts";
import { listingOf } from "../store/listing-of.ts";
import { ObjectStore } from "../store/object-store.ts";
import { compareProblems, type FileProblem } from "./file-problem.ts";
import { ManifestFiles } from "./manifest-files.ts";
import { createPacer } from "./pacer.ts";
import { walkTree } from "./walk-tree.ts";

/** Something to read manifests from. */
export type ManifestInput =
	/** A folder or a file. */
	| { readonly kind: "path"; readonly path: string }
	/** YAML text from elsewhere; `name` is shown as its file. */
	| { readonly kind: "text"; readonly name: string; readonly text: string };

/** All that was found in some inputs. */
export interface ReadManifests {
	readonly objects: Objects;
	/** In the order of reference. */
	readonly invalid: readonly InvalidObject[];
	/** What is wrong but belongs to no single object. */
	readonly problems: readonly FileProblem[];
	/** Where an object begins. */
	placeOf(ref: ObjectRef): Position | undefined;
}

/**
 * Reads manifests once, by the same rules as the directory source; of an object
 * that stands in two inputs, the one in the earlier input is taken.
 *
 * @param namespace of objects that name none; `default` by default
 */
export async function readDirectory(
	inputs: readonly ManifestInput[],
	namespace?: string,
): Promise<ReadManifests> {
	const files = new ManifestFiles(0, namespace);
	const pause = createPacer(10);
	const faults: FileProblem[] = [];
	for (const [index, input] of inputs.entries()) {
		const rank = String(index).padStart(6, "0");
		if (input.kind === "text") {
			const { name, text } = input;
			const content = { kind: "text", text, digest: "" } as const;
			await files.take({ key: rank, file: name }, content, "yaml", pause);
			continue;
		}
		const tree = await walkTree(input.path, () => undefined, pause);
		for (const { path, code } of tree.faults) {
			const message =
				code === "ENOENT"
					? "There is no such file or folder."
					: `It cannot be read (${code}).`;
			faults.push({
				severity: "error",
				file: path,
				line: 1,
				column: 1,
				message,
			});
		}
		for (const { relative, path } of tree.files.values()) {
			const key = `${rank}/${relative}`;
			await files.read({ key, file: path }, path, pause);
			await pause();
		}
	}
	const store = new ObjectStore(["files"]);
	store.apply("files", listingOf(files.definitions.takeChanges(0).changes));
	return {
		objects: store.objects.value,
		invalid: [...store.invalid.value.values()],
		problems: [...files.problems(), ...faults].sort(compareProblems),
		placeOf: (ref) => files.definitions.placeOf(ref),
	};
}
