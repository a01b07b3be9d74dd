import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../../..");

/** Folders that an installation is made from. */
const folders = ["crds", "manifests/base", "manifests/overlays"] as const;

/**
 * The text of every manifest by its path in the repository, such as
 * `manifests/base/role.yaml`.
 *
 * The build of the npm package (`hack/build.ts`) puts the texts in the place of this module.
 */
export function readManifestFiles(): ReadonlyMap<string, string> {
	return new Map(
		folders.flatMap((folder) =>
			readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
				.filter((file) => /([.]yaml|Kustomization)$/.test(file))
				.sort()
				.map((file): [string, string] => [
					`${folder}/${file}`,
					readFileSync(join(ROOT, folder, file), "utf8"),
				]),
		),
	);
}
