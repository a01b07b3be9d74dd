import type { Syntax } from "./parse-document.ts";

/** Whether a file of this name holds manifests: `.yaml`, `.yml` or `.json`. */
export function isManifestFile(name: string): boolean {
	return /\.(ya?ml|json)$/i.test(name) && !isHidden(name);
}

/**
 * Whether a file or folder is none of ours: hidden ones, which includes the
 * `..data` of mounted ConfigMaps, and what editors keep beside a file (`x~`, `#x#`).
 */
export function isHidden(name: string): boolean {
	return /^\.|~$|^#.*#$/.test(name);
}

/** The syntax that a file's name promises; YAML, of which JSON is a part, when it promises none. */
export function syntaxOf(name: string): Syntax {
	return /\.json$/i.test(name) ? "json" : "yaml";
}
