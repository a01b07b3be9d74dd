/**
 * Finds Kubernetes' own programs or builds them.
 *
 * `LATEEN_KUBERNETES` names a folder that has them (what `setup-envtest`
 * installs will do); else they are built from the Go modules that
 * `cluster/go.mod` names, once, into the cache outside the work tree.
 *
 * Each is put in place by one rename, so that a run that was interrupted loses
 * one program at most; runs at the same time wait for each other.
 */
import { execFile, spawn } from "node:child_process";
import {
	access,
	constants,
	mkdir,
	readFile,
	rename,
	rm,
} from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { MissingPrerequisite } from "./ensure-envoy.ts";
import { withFileLock } from "./file-lock.ts";

const run = promisify(execFile);

const MODULE = join(import.meta.dirname, "cluster");
/** How often a build says how far it is. */
const PROGRESS_MS = 15_000;

/** The programs of one control plane. Add a line here, and a `tool` line in `cluster/go.mod`, for one more. */
const PROGRAMS = {
	etcd: {
		package: "go.etcd.io/etcd/server/v3",
		module: "go.etcd.io/etcd/server/v3",
		folder: "etcd",
	},
	"kube-apiserver": {
		package: "k8s.io/kubernetes/cmd/kube-apiserver",
		module: "k8s.io/kubernetes",
		folder: "kubernetes",
	},
	kubectl: {
		package: "k8s.io/kubernetes/cmd/kubectl",
		module: "k8s.io/kubernetes",
		folder: "kubernetes",
	},
} as const;

type Program = keyof typeof PROGRAMS;

/** Where the programs are. */
export type KubernetesPrograms = Readonly<Record<Program, string>>;

/** The paths of all programs, after building what is missing. Throws `MissingPrerequisite`. */
export async function ensureKubernetes(
	signal?: AbortSignal,
): Promise<KubernetesPrograms> {
	const named = process.env["LATEEN_KUBERNETES"];
	if (named !== undefined && named !== "") return await programsIn(named);
	const goMod = await readFile(join(MODULE, "go.mod"), "utf8");
	const cache = join(
		process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"),
		"lateen",
	);
	const paths = eachProgram((name) => {
		const { module, folder } = PROGRAMS[name];
		return join(cache, `${folder}-${versionOf(goMod, module)}`, name);
	});
	if ((await missingOf(paths)).length === 0) return paths;
	await mkdir(cache, { recursive: true });
	await withFileLock(
		join(cache, "kubernetes.lock"),
		(owner) =>
			say(`Waiting for another run that builds Kubernetes (process ${owner}).`),
		async () => {
			const missing = await missingOf(paths);
			if (missing.length === 0) return;
			await checkGo();
			const version = versionOf(goMod, PROGRAMS.kubectl.module);
			say(
				`Building ${missing.join(", ")} of Kubernetes ${version} from Go modules into ${cache} (about 5 minutes on two cores, once).`,
			);
			for (const name of missing) {
				await build(name, paths[name], version, signal);
			}
		},
	);
	return paths;
}

async function build(
	name: Program,
	path: string,
	kubernetesVersion: string,
	signal: AbortSignal | undefined,
): Promise<void> {
	await mkdir(dirname(path), { recursive: true });
	const fresh = join(dirname(path), `.${name}.${process.pid}`);
	const startMs = performance.now();
	const seconds = (): string =>
		`${Math.round((performance.now() - startMs) / 1000)} s`;
	let compiled = 0;
	let downloaded = 0;
	const timer = setInterval(() => {
		const modules = downloaded > 0 ? `${downloaded} modules fetched, ` : "";
		say(`  ${name}: ${modules}${compiled} packages compiled, ${seconds()}`);
	}, PROGRESS_MS);
	try {
		await goBuild(
			[
				...["-v", "-trimpath", "-ldflags", linkerFlags(kubernetesVersion)],
				...["-o", fresh, PROGRAMS[name].package],
			],
			(line) => {
				if (line.startsWith("go: downloading ")) downloaded += 1;
				else compiled += 1;
			},
			signal,
		);
		await rename(fresh, path);
	} finally {
		clearInterval(timer);
		await rm(fresh, { force: true });
	}
	say(`  ${name}: done, ${seconds()}`);
}

/** Calls back for each line that tells of progress. */
async function goBuild(
	args: readonly string[],
	onProgress: (line: string) => void,
	signal: AbortSignal | undefined,
): Promise<void> {
	const go = spawn("go", ["build", ...args], {
		cwd: MODULE,
		env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off" },
		stdio: ["ignore", "ignore", "pipe"],
		// The one that makes go end its compilers too.
		killSignal: "SIGINT",
		...(signal && { signal }),
	});
	const complaints: string[] = [];
	createInterface(go.stderr).on("line", (line) => {
		const tellsProgress =
			line.startsWith("go: downloading ") || /^[\w./~-]+$/.test(line);
		if (tellsProgress) onProgress(line);
		else complaints.push(line);
	});
	const how = await new Promise<string>((resolve) => {
		go.on("error", (error) => resolve(error.message));
		go.on("close", (code, killer) =>
			resolve(code === 0 ? "" : (killer ?? `exit code ${code}`)),
		);
	});
	signal?.throwIfAborted();
	if (how !== "") {
		throw new MissingPrerequisite(
			`Kubernetes could not be built: go build ended with ${how} and said "${complaints.slice(-3).join(" ").trim()}". Mend that, or name a folder that has ${Object.keys(PROGRAMS).join(", ")} in LATEEN_KUBERNETES.`,
		);
	}
}

/** Without a version the server calls itself v0.0.0, which clients take for a very old one; and so do clients in what they say of themselves. */
function linkerFlags(version: string): string {
	const [major, minor] = version.split(".");
	const values = {
		gitVersion: `v${version}`,
		gitMajor: major,
		gitMinor: minor,
	};
	const settings = Object.entries(values).flatMap(([name, value]) =>
		["component-base/version", "client-go/pkg/version"].map(
			(where) => `-X k8s.io/${where}.${name}=${value}`,
		),
	);
	return ["-s", "-w", ...settings].join(" ");
}

async function checkGo(): Promise<void> {
	const wanted = /^go (\d+\.\d+)/m.exec(
		await readFile(join(MODULE, "go.mod"), "utf8"),
	)?.[1];
	const how = `Install Go ${wanted} or newer (https://go.dev/doc/install) and put it on PATH, or name a folder that has ${Object.keys(PROGRAMS).join(", ")} in LATEEN_KUBERNETES.`;
	let version: string;
	try {
		// In the module's folder, so that a Go that can fetch a newer one does.
		version = (await run("go", ["version"], { cwd: MODULE })).stdout;
	} catch (error) {
		const isThere = !(
			error instanceof Error &&
			"code" in error &&
			error.code === "ENOENT"
		);
		throw new MissingPrerequisite(
			isThere
				? `Go does not work here: go version says "${stderrOf(error)}". ${how}`
				: `Go is missing: Kubernetes is built from its Go modules. ${how}`,
			{ cause: error },
		);
	}
	const [major = 0, minor = 0] = numbersOf(/go(\d+\.\d+)/.exec(version)?.[1]);
	const [wantedMajor = 0, wantedMinor = 0] = numbersOf(wanted);
	if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
		throw new MissingPrerequisite(
			`Go is too old: this machine has ${major}.${minor}. ${how}`,
		);
	}
}

async function programsIn(folder: string): Promise<KubernetesPrograms> {
	const paths = eachProgram((name) => join(folder, name));
	const missing = await missingOf(paths);
	if (missing.length > 0) {
		throw new MissingPrerequisite(
			`LATEEN_KUBERNETES is ${folder}, which has no ${missing.join(", ")} that can be run. Correct it, or unset it to have them built.`,
		);
	}
	return paths;
}

function eachProgram(path: (name: Program) => string): KubernetesPrograms {
	return {
		etcd: path("etcd"),
		"kube-apiserver": path("kube-apiserver"),
		kubectl: path("kubectl"),
	};
}

async function missingOf(
	paths: KubernetesPrograms,
): Promise<readonly Program[]> {
	const found = await Promise.all(
		(["etcd", "kube-apiserver", "kubectl"] as const).map(async (name) =>
			(await isExecutable(paths[name])) ? [] : [name],
		),
	);
	return found.flat();
}

/** The version that a go.mod has of a module, without the `v`. */
function versionOf(goMod: string, module: string): string {
	const line = goMod
		.split("\n")
		.map((text) => text.trim().split(" "))
		.find(([name, version]) => name === module && version?.startsWith("v"));
	const version = line?.[1];
	if (version === undefined) throw new Error(`go.mod has no ${module}.`);
	return version.slice(1);
}

function numbersOf(version: string | undefined): readonly number[] {
	return (version ?? "").split(".").map(Number);
}

async function isExecutable(path: string): Promise<boolean> {
	return await access(path, constants.X_OK).then(
		() => true,
		() => false,
	);
}

function stderrOf(error: unknown): string {
	return error instanceof Error && "stderr" in error
		? String(error.stderr).trim()
		: String(error);
}

function say(sentence: string): void {
	process.stderr.write(`lateen: ${sentence}\n`);
}
