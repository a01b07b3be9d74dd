import {
	mkdirSync,
	mkdtempSync,
	realpathSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder that is gone when disposed. */
export class TemporaryFolder implements Disposable {
	readonly path: string;

	constructor() {
		this.path = realpathSync(mkdtempSync(join(tmpdir(), "lateen-test-")));
	}

	/** The path of something in it. */
	at(...names: readonly string[]): string {
		return join(this.path, ...names);
	}

	/** Writes a file in place, making the folders above it. */
	write(name: string, content: string | Uint8Array): void {
		mkdirSync(dirname(this.at(name)), { recursive: true });
		writeFileSync(this.at(name), content);
	}

	/** Writes a file as careful programs do: beside, then renamed into place. */
	replace(name: string, content: string): void {
		const beside = join(dirname(name), ".being-written");
		this.write(beside, content);
		renameSync(this.at(beside), this.at(name));
	}

	/** Removes a file or folder. */
	remove(name: string): void {
		rmSync(this.at(name), { recursive: true });
	}

	[Symbol.dispose](): void {
		rmSync(this.path, { recursive: true, force: true });
	}
}
