import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs `use` with a fresh folder that holds these files, and removes it afterwards. */
export async function withFolder<T>(
	files: Readonly<Record<string, string | Uint8Array>>,
	use: (folder: string) => Promise<T>,
): Promise<T> {
	const folder = await mkdtemp(join(tmpdir(), "lateen-cli-"));
	try {
		for (const [name, content] of Object.entries(files))
			await writeFile(join(folder, name), content);
		return await use(folder);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
