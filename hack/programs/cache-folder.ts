import { homedir } from "node:os";
import { join } from "node:path";

/** Where we keep what was fetched, built and started, outside of the work tree. */
export function cacheFolder(): string {
	return join(
		process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"),
		"lateen",
	);
}
