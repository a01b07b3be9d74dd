import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const IMPORT = /^import (?:public |weak )?"([^"]+)"/gm;

/**
 * Returns the roots and every proto file they import, directly or not, sorted. Files of `google/protobuf/` are left out: protoc and
 * the protobuf library bring their own. Throws when an imported file is in none of `includeDirs`, naming the file that imports it.
 */
export function protoClosure(
	roots: readonly string[],
	includeDirs: readonly string[],
): readonly string[] {
	const found = new Set<string>();
	const visit = (file: string, importedBy: string): void => {
		if (found.has(file) || file.startsWith("google/protobuf/")) return;
		const dir = includeDirs.find((candidate) =>
			existsSync(join(candidate, file)),
		);
		if (dir === undefined) {
			throw new Error(
				`${file}, needed by ${importedBy}, is in none of ${includeDirs.join(", ")}`,
			);
		}
		found.add(file);
		const text = readFileSync(join(dir, file), "utf8");
		for (const [, imported = ""] of text.matchAll(IMPORT))
			visit(imported, file);
	};
	for (const root of roots) visit(root, "the list of roots");
	return [...found].sort();
}
