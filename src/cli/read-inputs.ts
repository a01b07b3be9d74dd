import { stat } from "node:fs/promises";
import type { ManifestInput } from "../sources/read-directory.ts";
import type { Terminal } from "./terminal.ts";

/** What is to be read, or sentences about what is not there. */
export type Inputs =
	| { readonly ok: true; readonly inputs: readonly ManifestInput[] }
	| { readonly ok: false; readonly problems: readonly string[] };

/** Files and folders by name; `-` is what is piped in. */
export async function findInputs(
	names: readonly string[],
	terminal: Terminal,
): Promise<Inputs> {
	const problems: string[] = [];
	const inputs: ManifestInput[] = [];
	for (const name of names) {
		if (name === "-") {
			if (names.indexOf("-") !== names.lastIndexOf("-"))
				problems.push("The input can be read only once: give - once.");
			else inputs.push(await readInput(terminal));
			continue;
		}
		try {
			await stat(name);
			inputs.push({ kind: "path", path: name });
		} catch (error) {
			const why = error instanceof Error && "code" in error ? error.code : "";
			problems.push(
				why === "ENOENT"
					? `There is no file or folder ${name}.`
					: `${name} cannot be read (${why}).`,
			);
		}
	}
	return problems.length > 0 ? { ok: false, problems } : { ok: true, inputs };
}

async function readInput(terminal: Terminal): Promise<ManifestInput> {
	if (terminal.inputIsTerminal)
		terminal.err("Reading YAML or JSON from the terminal; Ctrl-D ends it.\n");
	const bytes = await terminal.readInput();
	return {
		kind: "text",
		name: "<stdin>",
		text: new TextDecoder().decode(bytes),
	};
}
