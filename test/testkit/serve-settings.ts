import type { ServeSettings } from "../../src/app/lifecycle/serve-settings.ts";
import { readSettings } from "../../src/settings/read-settings.ts";
import { serveSchema } from "../../src/settings/schema.ts";

/** Settings of `lateen serve` from flags alone, by their names in the schema; the environment has no say. */
export function serveSettings(
	flags: Readonly<Record<string, string>>,
): ServeSettings {
	const read = readSettings(serveSchema, {
		flags: new Map(Object.entries(flags).map(([name, text]) => [name, [text]])),
		environment: {},
	});
	if (!read.ok) throw new Error(read.problems.join("\n"));
	return read.settings;
}
