import { execFile } from "node:child_process";
import {
	mkdir,
	mkdtemp,
	readdir,
	readFile,
	readlink,
	realpath,
	rename,
	rm,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../programs/cache-folder.ts";
import { lastComplaintOf } from "../programs/complaint-of.ts";
import { MissingPrerequisite } from "../programs/missing-prerequisite.ts";
import { say } from "../programs/say.ts";
import { type DebianPin, debianPins } from "./pins.ts";
import { sha256 } from "./sha256.ts";

const run = promisify(execFile);

/** A Debian package, unpacked. */
export interface DebianPackage {
	readonly pin: DebianPin;
	/** What the package says of itself, in Debian's control format. */
	readonly control: string;
	/** Its files by their path without leading slash; links as what they point to. */
	readonly files: ReadonlyMap<string, Buffer | { readonly link: string }>;
}

/** All pinned packages by name. */
export type DebianPackages = ReadonlyMap<string, DebianPackage>;

/**
 * The pinned packages, fetched by apt into our cache once and held against
 * their checksums each time. Throws `MissingPrerequisite`.
 */
export async function openDebianPackages(): Promise<DebianPackages> {
	const folder = join(cacheFolder(), "debian");
	await mkdir(folder, { recursive: true });
	await fetchMissing(folder);
	const scratch = await mkdtemp(join(tmpdir(), "lateen-debian-"));
	try {
		const packages = new Map<string, DebianPackage>();
		for (const pin of debianPins) {
			const deb = join(folder, fileName(pin));
			const root = join(scratch, pin.name);
			await run("dpkg-deb", ["--extract", deb, root]);
			const { stdout: control } = await run("dpkg-deb", ["--field", deb]);
			packages.set(pin.name, { pin, control, files: await filesUnder(root) });
		}
		return packages;
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
}

async function fetchMissing(folder: string): Promise<void> {
	const missing: DebianPin[] = [];
	for (const pin of debianPins) {
		if (!(await isWhole(join(folder, fileName(pin)), pin))) missing.push(pin);
	}
	if (missing.length === 0) return;
	say(`Fetching ${missing.length} Debian packages into ${folder} (once).`);
	const scratch = await mkdtemp(join(folder, ".fetch-"));
	try {
		await download(missing, scratch, folder);
		for (const pin of missing) {
			const file = (await readdir(scratch)).find((name) =>
				name.startsWith(`${pin.name}_`),
			);
			if (file === undefined || !(await isWhole(join(scratch, file), pin))) {
				throw new MissingPrerequisite(
					`What apt fetched as ${pin.name} ${pin.version} is not what hack/image/pins.ts names. Correct the checksum there if the package is right.`,
				);
			}
			await rename(join(scratch, file), join(folder, fileName(pin)));
		}
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
}

async function download(
	pins: readonly DebianPin[],
	into: string,
	folder: string,
): Promise<void> {
	// apt's own unprivileged user could not write into our folder.
	const args = [
		...["-qq", "-o", "APT::Sandbox::User=root", "download"],
		...pins.map(({ name, version }) => `${name}=${version}`),
	];
	const attempt = (): Promise<unknown> =>
		run("apt-get", args, { cwd: into, timeout: 120_000 });
	try {
		await attempt().catch(async (error: unknown) => {
			// A machine that was never told what there is finds nothing.
			if (process.getuid?.() !== 0) throw error;
			await run("apt-get", ["-qq", "update"], { timeout: 120_000 });
			await attempt();
		});
	} catch (error) {
		const list = pins.map(fileName).join(", ");
		throw new MissingPrerequisite(
			`Debian 12's packages could not be fetched: ${lastComplaintOf(error)} Run this on Debian 12 with apt (a container will do), put ${list} into ${folder} yourself, or move the versions in hack/image/pins.ts on to those that Debian has now.`,
			{ cause: error },
		);
	}
}

function fileName({ name, version }: DebianPin): string {
	return `${name}_${version.replaceAll(":", "%3a")}.deb`;
}

async function isWhole(path: string, pin: DebianPin): Promise<boolean> {
	const bytes = await readFile(path).catch(() => undefined);
	return bytes !== undefined && sha256(bytes) === pin.sha256;
}

async function filesUnder(
	root: string,
): Promise<ReadonlyMap<string, Buffer | { readonly link: string }>> {
	const files = new Map<string, Buffer | { readonly link: string }>();
	const base = await realpath(root);
	for (const entry of await readdir(base, {
		recursive: true,
		withFileTypes: true,
	})) {
		const path = join(entry.parentPath, entry.name);
		const name = path.slice(base.length + 1);
		if (entry.isFile()) files.set(name, await readFile(path));
		else if (entry.isSymbolicLink()) {
			files.set(name, { link: await readlink(path) });
		}
	}
	return files;
}
