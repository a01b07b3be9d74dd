import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type KindCluster, loadArchive } from "./kind-cluster.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");

/** The commit that stands for the release before this one, as none was tagged: images, injection and manifests worked in it. */
const COMMIT = "3b22f3ec619a13a2e3a60cb3c2923c606109087c";
/** Which version it is given, so that it is told from this one. */
export const PREVIOUS_VERSION = "0.0.9";
/** Where a tree says its version. */
const VERSIONED = [
	"package.json",
	"crds/lateen.dev_meshes.yaml",
	"manifests/base/kustomization.yaml",
];

/** What an upgrade begins with. */
export interface PreviousRelease extends Disposable {
	/** Where it is from, for people. */
	readonly origin: string;
	/** The folder of its manifests. */
	readonly manifests: string;
}

/**
 * Makes the release before this one, and gives its images to the cluster's node.
 *
 * Where git does not have the commit, as in a shallow clone, this very tree stands in for it under the older
 * version: then an upgrade changes versions, and nothing else.
 */
export async function makePreviousRelease(
	cluster: KindCluster,
): Promise<PreviousRelease> {
	const folder = new TemporaryFolder();
	const tree = folder.at("tree");
	try {
		await mkdir(tree);
		const commit = (await isThere(COMMIT)) ? COMMIT : undefined;
		await run("sh", [
			"-c",
			commit === undefined
				? `git -C "$0" ls-files -z | tar -C "$0" -c --null -T - --ignore-failed-read | tar -x -C "$1"`
				: `git -C "$0" archive ${commit} | tar -x -C "$1"`,
			...[ROOT, tree],
		]);
		await symlink(join(ROOT, "node_modules"), join(tree, "node_modules"));
		for (const path of VERSIONED) {
			const file = join(tree, path);
			const text = await readFile(file, "utf8");
			await writeFile(
				file,
				text.replaceAll(
					/("version": "|lateen-proxy:|newTag: )\d+\.\d+\.\d+/g,
					`$1${PREVIOUS_VERSION}`,
				),
			);
		}
		const node = (...args: readonly string[]): Promise<unknown> =>
			run(process.execPath, args, { cwd: tree });
		await node("hack/generate.ts");
		await node(
			...["hack/image.ts", "--out", folder.at("images")],
			...["--tag", PREVIOUS_VERSION],
		);
		for (const name of ["lateen", "lateen-proxy"])
			await loadArchive(cluster, folder.at(`images/${name}.tar`));
		return {
			origin:
				commit === undefined ? "this tree" : `commit ${commit.slice(0, 7)}`,
			manifests: join(tree, "manifests/base"),
			[Symbol.dispose]: () => folder[Symbol.dispose](),
		};
	} catch (error) {
		folder[Symbol.dispose]();
		throw error;
	}
}

async function isThere(commit: string): Promise<boolean> {
	return await run("git", [
		...["-C", ROOT, "cat-file", "-e", `${commit}^{commit}`],
	]).then(
		() => true,
		() => false,
	);
}
