import { join } from "node:path";
import { cacheFolder } from "../programs/cache-folder.ts";

/** Where the cluster is kept unless somebody says otherwise. */
export function defaultDir(): string {
	return join(cacheFolder(), "cluster");
}
