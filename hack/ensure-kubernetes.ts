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
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { withFileLock } from "./file-lock.ts";
import { cacheFolder } from "./programs/cache-folder.ts";
import { complaintOf } from "./programs/complaint-of.ts";
import { isExecutable } from "./programs/is-executable.ts";
import { MissingPrerequisite } from "./programs/missing-prerequisite.ts";
import { say } from "./programs/say.ts";

const run = promisify(execFile);

const MODULE = join(import.meta.dirname, "cluster");
/** How often a build says how far it is. */
const PROGRESS_MS = 15_000;

/** How one program is built. */
interface Recipe {
	/** What `go build` is told to build. */
	readonly package: string;
	/** The folder with the go.mod that it is built in. */
	readonly source: string;
	/** Whose version it has in that go.mod; absent for what is all ours. */
	readonly module?: string;
	readonly folder: string;
	/** What is ours of it, so that another text makes another program. */
	readonly text?: string;
	readonly tags?: string;
}

const KUBERNETES = {
	source: MODULE,
	module: "k8s.io/kubernetes",
	folder: "kubernetes",
} as const;

/** The programs of a control plane and of a node. For one more of Kubernetes' own add a line here and a `tool` line in `cluster/go.mod`. */
const PROGRAMS = {
	etcd: {
		package: "go.etcd.io/etcd/server/v3",
		source: MODULE,
		module: "go.etcd.io/etcd/server/v3",
		folder: "etcd",
	},
	"kube-apiserver": {
		...KUBERNETES,
		package: "k8s.io/kubernetes/cmd/kube-apiserver",
	},
	kubectl: { ...KUBERNETES, package: "k8s.io/kubernetes/cmd/kubectl" },
	"kube-controller-manager": {
		...KUBERNETES,
		package: "k8s.io/kubernetes/cmd/kube-controller-manager",
	},
	"kube-scheduler": {
		...KUBERNETES,
		package: "k8s.io/kubernetes/cmd/kube-scheduler",
	},
	"kube-proxy": { ...KUBERNETES, package: "k8s.io/kubernetes/cmd/kube-proxy" },
	kubelet: {
		...KUBERNETES,
		package: "k8s.io/kubernetes/cmd/kubelet",
		tags: "selinux,notest",
	},
	coredns: {
		package: ".",
		source: join(MODULE, "coredns"),
		module: "github.com/coredns/coredns",
		folder: "coredns",
		text: join(MODULE, "coredns", "main.go"),
	},
	helm: {
		package: "helm.sh/helm/v4/cmd/helm",
		source: join(MODULE, "helm"),
		module: "helm.sh/helm/v4",
		folder: "helm",
	},
	promtool: {
		package: "github.com/prometheus/prometheus/cmd/promtool",
		source: join(MODULE, "promtool"),
		module: "github.com/prometheus/prometheus",
		folder: "promtool",
		// It asks no clouds what there is to scrape, and their libraries are most of it.
		tags: "remove_all_sd",
	},
	pause: {
		package: "./pause",
		source: MODULE,
		folder: "pause",
		text: join(MODULE, "pause", "main.go"),
	},
	probe: {
		package: "./probe",
		source: MODULE,
		folder: "probe",
		text: join(MODULE, "probe", "main.go"),
	},
} as const satisfies Readonly<Record<string, Recipe>>;

type Program = keyof typeof PROGRAMS;

const CONTROL_PLANE = ["etcd", "kube-apiserver", "kubectl"] as const;
/** What a folder of programs has of a node; the others are ours. */
const NODE = [
	...["kube-controller-manager", "kube-scheduler"],
	...["kube-proxy", "kubelet"],
] as const;
const OURS = ["coredns", "pause", "probe"] as const;
/** What a folder of programs need not have. */
const ALWAYS_BUILT: readonly string[] = [...OURS, "helm", "promtool"];

/** Where the programs of a control plane are. */
export type KubernetesPrograms = Readonly<
	Record<(typeof CONTROL_PLANE)[number], string>
>;

/** Where the programs of a cluster with a node are. */
export type NodePrograms = Readonly<
	Record<Exclude<Program, "helm" | "promtool">, string>
>;

/** The paths of a control plane's programs, after building what is missing. Throws `MissingPrerequisite`. */
export async function ensureKubernetes(
	signal?: AbortSignal,
): Promise<KubernetesPrograms> {
	return await ensureAll(CONTROL_PLANE, signal);
}

/** The same of a control plane and a node. Throws `MissingPrerequisite`. */
export async function ensureNodePrograms(
	signal?: AbortSignal,
): Promise<NodePrograms> {
	return await ensureAll([...CONTROL_PLANE, ...NODE, ...OURS], signal);
}

/** The path of the application in pods of tests, after building it. Throws `MissingPrerequisite`. */
export async function ensureProbe(signal?: AbortSignal): Promise<string> {
	return (await ensureAll(["probe"], signal)).probe;
}

/** The path of Helm, which tries the chart, after building it. Throws `MissingPrerequisite`. */
export async function ensureHelm(signal?: AbortSignal): Promise<string> {
	return (await ensureAll(["helm"], signal)).helm;
}

/** The path of Prometheus' checker of metrics and alerts, after building it. Throws `MissingPrerequisite`. */
export async function ensurePromtool(signal?: AbortSignal): Promise<string> {
	return (await ensureAll(["promtool"], signal)).promtool;
}

async function ensureAll<P extends Program>(
	names: readonly P[],
	signal: AbortSignal | undefined,
): Promise<Readonly<Record<P, string>>> {
	const named = process.env["LATEEN_KUBERNETES"];
	const cache = cacheFolder();
	const found = await Promise.all(
		names.map(
			async (name): Promise<[P, string]> => [
				name,
				named !== undefined && named !== "" && !ALWAYS_BUILT.includes(name)
					? join(named, name)
					: join(cache, await folderOf(PROGRAMS[name]), name),
			],
		),
	);
	const paths = Object.fromEntries(found) as Record<P, string>;
	const missing = await missingOf(names, paths);
	if (named !== undefined && named !== "") {
		const absent = missing.filter((name) => !ALWAYS_BUILT.includes(name));
		if (absent.length > 0) {
			throw new MissingPrerequisite(
				`LATEEN_KUBERNETES is ${named}, which has no ${absent.join(", ")} that can be run. Correct it, or unset it to have them built.`,
			);
		}
	}
	if (missing.length > 0) await buildMissing(names, paths, cache, signal);
	return paths;
}

async function buildMissing<P extends Program>(
	names: readonly P[],
	paths: Readonly<Record<P, string>>,
	cache: string,
	signal: AbortSignal | undefined,
): Promise<void> {
	await mkdir(cache, { recursive: true });
	await withFileLock(
		join(cache, "kubernetes.lock"),
		(owner) =>
			say(`Waiting for another run that builds Kubernetes (process ${owner}).`),
		async () => {
			const missing = await missingOf(names, paths);
			if (missing.length === 0) return;
			await checkGo();
			const version = await versionOf(KUBERNETES);
			say(
				`Building ${missing.join(", ")} for Kubernetes ${version} from Go modules into ${cache} (minutes on two cores, once).`,
			);
			for (const name of missing) {
				await build(name, paths[name], version, signal);
			}
		},
	);
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
		const recipe: Recipe = PROGRAMS[name];
		await goBuild(
			recipe.source,
			[
				...["-v", "-trimpath", "-ldflags", linkerFlags(kubernetesVersion)],
				...(recipe.tags === undefined ? [] : ["-tags", recipe.tags]),
				...["-o", fresh, recipe.package],
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
	folder: string,
	args: readonly string[],
	onProgress: (line: string) => void,
	signal: AbortSignal | undefined,
): Promise<void> {
	const go = spawn("go", ["build", ...args], {
		cwd: folder,
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
			`Kubernetes could not be built: go build ended with ${how} and said "${complaints.slice(-3).join(" ").trim()}". Mend that, or name a folder that has ${[...CONTROL_PLANE, ...NODE].join(", ")} in LATEEN_KUBERNETES.`,
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
	const how = `Install Go ${wanted} or newer (https://go.dev/doc/install) and put it on PATH, or name a folder that has ${[...CONTROL_PLANE, ...NODE].join(", ")} in LATEEN_KUBERNETES.`;
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
				? `Go does not work here: go version says "${complaintOf(error)}". ${how}`
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

async function missingOf<P extends Program>(
	names: readonly P[],
	paths: Readonly<Record<P, string>>,
): Promise<readonly P[]> {
	const found = await Promise.all(
		names.map(async (name) =>
			(await isExecutable(paths[name])) ? [] : [name],
		),
	);
	return found.flat();
}

/** The name of the cache's folder for a program. */
async function folderOf(recipe: Recipe): Promise<string> {
	const parts = [recipe.folder];
	if (recipe.module !== undefined) {
		parts.push(await versionOf({ ...recipe, module: recipe.module }));
	}
	if (recipe.text !== undefined) {
		const text = await readFile(recipe.text);
		parts.push(createHash("sha256").update(text).digest("hex").slice(0, 8));
	}
	return parts.join("-");
}

/** The version that a go.mod has of a module, without the `v`. */
async function versionOf(wanted: {
	readonly source: string;
	readonly module: string;
}): Promise<string> {
	const goMod = await readFile(join(wanted.source, "go.mod"), "utf8");
	const version = goMod
		.split("\n")
		.map((text) =>
			text
				.trim()
				.replace(/^require /, "")
				.split(" "),
		)
		.find(
			([name, found]) => name === wanted.module && found?.startsWith("v"),
		)?.[1];
	if (version === undefined) {
		throw new Error(`go.mod has no ${wanted.module}.`);
	}
	return version.slice(1);
}

function numbersOf(version: string | undefined): readonly number[] {
	return (version ?? "").split(".").map(Number);
}
