import { spawn } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DemoError } from "./demo-error.ts";
import { freePorts } from "./free-ports.ts";
import { readPage } from "./page.ts";
import type { Part, Parts } from "./parts.ts";
import {
	PORTS_PER_WORKLOAD,
	printWorkloadObjects,
	WORKLOADS,
	type Workload,
	type WorkloadPorts,
} from "./workloads.ts";

const ROOT = join(import.meta.dirname, "../..");
const SAMPLE = join(ROOT, "samples/bookinfo");

/** The program `lateen`, run from source. */
const LATEEN = join(ROOT, "src/main.ts");

/** How long one step of the start may take: a cold, busy machine is slow. */
const STEP_MS = 60_000;

/** Where people like to find it; another port is taken when this one is in use. */
const FAVOURITE_PORT = 9080;

/** The running sample. */
export interface Bookinfo {
	/** The product page, through the ingress gateway. */
	readonly url: string;
	/** The working copy of `samples/bookinfo`. */
	readonly files: string;
	readonly stateDir: string;
	readonly controlPlane: Part;
	/** Admin addresses of the Envoys, by name. */
	readonly envoys: ReadonlyMap<string, string>;
}

/**
 * Starts the control plane on a copy of the sample in `dir`, the programs, an
 * Envoy beside each and one as gateway, and waits until the page works.
 *
 * Fails when: a step takes too long or a part ends; then with a `DemoError`.
 *   What runs by then is in `parts`.
 */
export async function startBookinfo(
	{ envoy, dir }: { readonly envoy: string; readonly dir: string },
	parts: Parts,
	say: (step: string) => void,
): Promise<Bookinfo> {
	const files = join(dir, "bookinfo");
	const stateDir = join(dir, "state");
	const ports = await choosePorts();
	await copySample(files, ports.workloads);
	say(`a working copy of samples/bookinfo: ${files}`);

	const controlPlane = parts.start("control-plane", process.execPath, [
		...[LATEEN, "serve", `--source=directory:${files}`],
		...["--state-dir", stateDir, "--xds-listen", "127.0.0.1:0"],
		...["--log-format", "text"],
	]);
	const serveFile = join(stateDir, "serve.json");
	const { xds } = await waitFor(parts, "the control plane to serve", async () =>
		JSON.parse(await readFile(serveFile, "utf8")),
	);
	say(`control plane: xDS on ${xds}`);

	const bootstraps = await inPairs(
		[
			...WORKLOADS.map((workload) => ({
				name: workload.name,
				args: sidecarArgs(workload, ports.workloads),
			})),
			{
				name: "ingress",
				args: [
					"--gateway",
					"ingress",
					"--listen",
					`127.0.0.1:${ports.ingress}`,
				],
			},
		],
		async ({ name, args }) => {
			const out = join(dir, "envoys", name);
			await mkdir(out, { recursive: true });
			await bootstrap(name, [
				...["--state-dir", stateDir, ...args],
				...["--admin", "127.0.0.1:0", "--out", out],
			]);
			return { name, out };
		},
	);
	const adminFiles = new Map<string, string>();
	for (const { name, out } of bootstraps) {
		const adminFile = join(out, "admin");
		adminFiles.set(name, adminFile);
		parts.start(`envoy-${name}`, envoy, [
			...["-c", join(out, "envoy.json"), "--use-dynamic-base-id"],
			...["--concurrency", "1", "--log-level", "warning"],
			...["--admin-address-path", adminFile],
		]);
	}
	for (const workload of WORKLOADS) startApp(parts, workload, ports.workloads);
	say(
		`${WORKLOADS.length} programs, each with an Envoy beside it, and one more Envoy as gateway`,
	);

	const url = `http://127.0.0.1:${ports.ingress}/`;
	const envoys = new Map<string, string>();
	for (const [name, file] of adminFiles) {
		const address = await waitFor(parts, `Envoy ${name} to start`, async () => {
			const text = (await readFile(file, "utf8")).trim();
			if (text === "") throw new Error("Its admin address is not written yet.");
			return text;
		});
		envoys.set(name, address);
	}
	await waitFor(parts, `${url} to show the page`, async () => {
		const { details, reviews } = await readPage(url);
		for (const answer of [details, reviews]) {
			if (!answer.available) throw new Error(answer.reason);
		}
	});
	return { url, files, stateDir, controlPlane, envoys };
}

interface Ports {
	readonly ingress: number;
	readonly workloads: ReadonlyMap<string, WorkloadPorts>;
}

async function choosePorts(): Promise<Ports> {
	const [ingress = 0, ...rest] = await freePorts(
		1 + WORKLOADS.length * PORTS_PER_WORKLOAD,
		[FAVOURITE_PORT],
	);
	const workloads = new Map<string, WorkloadPorts>();
	for (const [index, { name }] of WORKLOADS.entries()) {
		const [application = 0, inbound = 0, outbound = 0] = rest.slice(
			index * PORTS_PER_WORKLOAD,
		);
		workloads.set(name, { application, inbound, outbound });
	}
	return { ingress, workloads };
}

async function copySample(
	files: string,
	ports: ReadonlyMap<string, WorkloadPorts>,
): Promise<void> {
	await cp(SAMPLE, files, {
		recursive: true,
		filter: (path) => path !== join(SAMPLE, "apps"),
	});
	await mkdir(join(files, "workloads"), { recursive: true });
	for (const workload of WORKLOADS) {
		await writeFile(
			join(files, "workloads", `${workload.name}.yaml`),
			printWorkloadObjects(workload, portsOf(ports, workload)),
		);
	}
}

function sidecarArgs(
	workload: Workload,
	ports: ReadonlyMap<string, WorkloadPorts>,
): readonly string[] {
	const { application, inbound, outbound } = portsOf(ports, workload);
	return [
		...["--proxy", `default/${workload.name}`],
		...["--outbound", `127.0.0.1:${outbound}`],
		"--inbound",
		`127.0.0.1:${inbound}=127.0.0.1:${application}=http`,
	];
}

function startApp(
	parts: Parts,
	workload: Workload,
	ports: ReadonlyMap<string, WorkloadPorts>,
): void {
	const { name, app, version } = workload;
	const { application, outbound } = portsOf(ports, workload);
	parts.start(name, process.execPath, [
		join(SAMPLE, "apps", `${app}.ts`),
		...["--listen", `127.0.0.1:${application}`],
		...["--proxy", `http://127.0.0.1:${outbound}`],
		...["--version", version, "--pod", name],
	]);
}

function portsOf(
	ports: ReadonlyMap<string, WorkloadPorts>,
	{ name }: Workload,
): WorkloadPorts {
	const found = ports.get(name);
	if (found === undefined) throw new Error(`No ports for ${name}.`);
	return found;
}

async function bootstrap(name: string, args: readonly string[]): Promise<void> {
	const { code, output } = await runLateen(["bootstrap", ...args]);
	if (code !== 0) {
		throw new DemoError(
			`lateen bootstrap failed for ${name}:\n${output.trim()}`,
		);
	}
}

/** Runs the CLI as a person would, and returns what it says. */
export async function runLateen(
	args: readonly string[],
): Promise<{ readonly code: number; readonly output: string }> {
	const child = spawn(process.execPath, [LATEEN, ...args], {
		cwd: ROOT,
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (text: string) => {
			output += text;
		});
	}
	const code = await new Promise<number>((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (exitCode) => resolve(exitCode ?? 1));
	});
	return { code, output };
}

/** Tries until it works, a part ends or the time is over. */
async function waitFor<T>(
	parts: Parts,
	what: string,
	attempt: () => Promise<T>,
): Promise<T> {
	const deadline = performance.now() + STEP_MS;
	for (;;) {
		let failure: unknown;
		try {
			return await attempt();
		} catch (error) {
			failure = error;
		}
		const { crashed } = parts;
		if (crashed !== undefined) {
			const { how } = await crashed.ended;
			throw new DemoError(
				`${crashed.name} ended (${how}). Its last lines:\n\n${crashed.lastLines(15).replaceAll(/^/gm, "  ")}\n\nAll of it: ${crashed.logFile}`,
			);
		}
		if (performance.now() > deadline) {
			const why = failure instanceof Error ? failure.message : String(failure);
			throw new DemoError(
				`Waited ${STEP_MS / 1000} s in vain for ${what}. The last attempt: ${why}`,
			);
		}
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

/** Runs at most two at a time: each is a short process of its own. */
async function inPairs<I, O>(
	inputs: readonly I[],
	run: (input: I) => Promise<O>,
): Promise<readonly O[]> {
	const outputs: O[] = [];
	for (let index = 0; index < inputs.length; index += 2) {
		const pair = inputs.slice(index, index + 2);
		outputs.push(...(await Promise.all(pair.map(run))));
	}
	return outputs;
}
