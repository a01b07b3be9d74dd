import { homedir } from "node:os";
import { join } from "node:path";

/** Where the cluster is kept unless somebody says otherwise. */
export function defaultDir(): string {
	const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
	return join(cache, "lateen", "cluster");
}
