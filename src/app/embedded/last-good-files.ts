import { createHash } from "node:crypto";
import {
	mkdir,
	readdir,
	readFile,
	rename,
	rm,
	writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { isRecord } from "../../api/fields.ts";
import type { ObjectRef } from "../../api/object-ref.ts";
import type { ApiObject } from "../../api/objects.ts";
import type { Logger } from "../../observability/logger.ts";
import type { LastGood, LastGoodStore } from "../../store/last-good.ts";
import {
	parseForm,
	parseVerdicts,
	printForm,
} from "../../store/last-good-form.ts";
import { refKey } from "../../store/ref-key.ts";

const suffix = ".json";

/**
 * Keeps last good forms in a folder, one file per object, for its owner only.
 *
 * A file is replaced by renaming a finished one, so a crash leaves the old or
 * the new content. A file that cannot be used is left out and logged: serving
 * without it is better than not serving.
 *
 * @param folder made with the first write
 */
export function lastGoodFiles(folder: string, logger: Logger): LastGoodStore {
	return {
		read: async () => {
			const entries: LastGood[] = [];
			for (const name of await namesIn(folder)) {
				if (!name.endsWith(suffix)) continue;
				const path = join(folder, name);
				try {
					const entry = parseEntry(JSON.parse(await readFile(path, "utf8")));
					if (entry !== undefined && fileOf(entry.ref) === name) {
						entries.push(entry);
						continue;
					}
					logger.warn("A last good form that was kept cannot be used.", {
						file: path,
					});
				} catch (error) {
					logger.warn("A last good form that was kept cannot be read.", {
						file: path,
						error,
					});
				}
			}
			return entries;
		},
		write: async (entry) => {
			await mkdir(folder, { recursive: true, mode: 0o700 });
			const path = join(folder, fileOf(entry.ref));
			const draft = `${path}.new`;
			await writeFile(draft, `${JSON.stringify(printEntry(entry))}\n`, {
				mode: 0o600,
			});
			await rename(draft, path);
		},
		remove: (ref) => rm(join(folder, fileOf(ref)), { force: true }),
	};
}

async function namesIn(folder: string): Promise<readonly string[]> {
	try {
		return (await readdir(folder)).sort();
	} catch (error) {
		const isNew =
			error instanceof Error && "code" in error && error.code === "ENOENT";
		if (isNew) return [];
		throw error;
	}
}

/** A name of bounded length: an object's own may be longer than a file's. */
function fileOf(ref: ObjectRef): string {
	const hash = createHash("sha256").update(refKey(ref)).digest("hex");
	return `${ref.kind}-${hash.slice(0, 32)}${suffix}`;
}

function printEntry(entry: LastGood): unknown {
	const { ref, valid, proven, refusals, accepted = [] } = entry;
	return {
		ref,
		...(valid && { valid: printForm(valid) }),
		...(proven && { proven: printForm(proven) }),
		refusals,
		...(accepted.length > 0 && { accepted }),
	};
}

function parseEntry(value: unknown): LastGood | undefined {
	if (!isRecord(value)) return undefined;
	const ref = parseRef(value["ref"]);
	if (ref === undefined) return undefined;
	const form = (name: string): ApiObject | undefined => {
		const parsed = parseForm(value[name], ref);
		return parsed && fromEarlier(parsed);
	};
	return {
		ref,
		valid: form("valid"),
		proven: form("proven"),
		...parseVerdicts(value),
	};
}

/** Generations are counted anew by each process; none of this one's is this form's. */
function fromEarlier(object: ApiObject): ApiObject {
	return { ...object, metadata: { ...object.metadata, generation: 0 } };
}

function parseRef(value: unknown): ObjectRef | undefined {
	if (!isRecord(value)) return undefined;
	const { kind, namespace, name } = value;
	return typeof kind === "string" &&
		typeof namespace === "string" &&
		typeof name === "string"
		? { kind, namespace, name }
		: undefined;
}
