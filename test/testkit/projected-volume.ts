import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A folder as the kubelet makes it of a projected volume: the files are links
 * into `..data`, which is a link to a folder with the present content and is
 * replaced by a rename.
 */
export class ProjectedVolume {
	readonly path: string;
	#version = 0;

	constructor(path: string, files: Readonly<Record<string, string>>) {
		this.path = path;
		mkdirSync(path, { recursive: true });
		this.put(files);
		for (const name of Object.keys(files)) {
			symlinkSync(join("..data", name), join(path, name));
		}
	}

	/** Where a file is found. */
	at(name: string): string {
		return join(this.path, name);
	}

	/** Replaces the content in one step. */
	put(files: Readonly<Record<string, string>>): void {
		this.#version += 1;
		const folder = `..version-${this.#version}`;
		mkdirSync(this.at(folder));
		for (const [name, content] of Object.entries(files)) {
			writeFileSync(join(this.path, folder, name), content);
		}
		symlinkSync(folder, this.at("..data_tmp"));
		renameSync(this.at("..data_tmp"), this.at("..data"));
	}
}
