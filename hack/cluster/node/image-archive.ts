import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
	chmod,
	copyFile,
	mkdir,
	mkdtemp,
	readFile,
	rm,
	writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A small image of one layer. */
export interface SmallImage {
	/** With a registry that has a dot, or it is taken for one of docker.io. */
	readonly name: string;
	/** The programs in it, by their paths without the first slash: where each is here. */
	readonly programs: Readonly<Record<string, string>>;
	readonly entrypoint: readonly string[];
}

/** Writes an image as `docker save` does, for `ctr images import` and `kind load image-archive`; needs `tar` only. */
export async function writeImageArchive(
	path: string,
	image: SmallImage,
): Promise<void> {
	await mkdir(dirname(path), { recursive: true });
	const work = await mkdtemp(`${path}.`);
	try {
		const root = join(work, "root");
		await mkdir(root);
		for (const [place, from] of Object.entries(image.programs)) {
			const to = join(root, place);
			await mkdir(dirname(to), { recursive: true });
			await copyFile(from, to);
			await chmod(to, 0o755);
		}
		await pack(join(work, "layer.tar"), root, ["."]);
		const layer = await readFile(join(work, "layer.tar"));
		const config = JSON.stringify({
			architecture: process.arch === "x64" ? "amd64" : process.arch,
			os: "linux",
			config: { Entrypoint: image.entrypoint, Env: ["PATH=/bin"] },
			rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
		});
		const configName = `${sha256(config)}.json`;
		await writeFile(join(work, configName), config);
		const manifest = [
			{ Config: configName, RepoTags: [image.name], Layers: ["layer.tar"] },
		];
		await writeFile(join(work, "manifest.json"), JSON.stringify(manifest));
		const names = ["manifest.json", configName, "layer.tar"];
		await pack(path, work, names);
	} finally {
		await rm(work, { recursive: true });
	}
}

async function pack(
	tar: string,
	folder: string,
	names: readonly string[],
): Promise<void> {
	await run("tar", [
		...["--create", "--file", tar, "--directory", folder],
		...["--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"],
		...["--sort=name", "--", ...names],
	]);
}

function sha256(content: string | Buffer): string {
	return createHash("sha256").update(content).digest("hex");
}
