import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts } from "../programs/free-ports.ts";
import type { Part, Parts } from "../programs/parts.ts";
import { DemoError } from "./demo-error.ts";
import type { Ground } from "./ground.ts";
import { readPage } from "./page.ts";
import { runLateen } from "./run-lateen.ts";
import { waitFor } from "./wait-for.ts";
import {
	PORTS_PER_WORKLOAD,
	printWorkloadObjects,
	WORKLOADS,
	type Workload,
	type WorkloadPorts,
} from "./workloads.ts";

const ROOT = join(import.meta.dirname, "../..");
const SAMPLE = join(ROOT, "samples/bookinfo");

/** The gateway that the sample's rules name. */
const GATEWAY = "ingress";

/** What the sample is started with. */
export interface BookinfoPlace {
	/** Path of the program. */
	readonly envoy: string;
	/** For all its files. */
	readonly dir: string;
	/** Where the page is to be, unless that is in use. */
	readonly favouritePort?: number;
}

/** The running sample. */
export interface Bookinfo {
	/** The product page, through the ingress gateway. */
	readonly url: string;
	/** The working copy of `samples/bookinfo`. */
	readonly files: string;
	readonly controlPlane: Part;
	/** Makes what was changed in the working copy count. */
	publish(): Promise<void>;
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
	{ envoy, dir, favouritePort }: BookinfoPlace,
	ground: Ground,
	parts: Parts,
	say: (step: string) => void,
): Promise<Bookinfo> {
	const files = join(dir, "bookinfo");
	const { address } = ground;
	const ports = await choosePorts(address, favouritePort);
	await copySample(files, ports.workloads, address);
	say(`a working copy of samples/bookinfo: ${files}`);

	const controlPlane = await ground.serve(files);
	const bootstraps = await inPairs(
		[
			...WORKLOADS.map((workload) => ({
				name: workload.name,
				args: sidecarArgs(workload, ports.workloads, address),
				proof: (out: string) => ground.sidecarProof(workload, out),
			})),
			{
				name: GATEWAY,
				args: ["--gateway", GATEWAY, "--listen", `127.0.0.1:${ports.ingress}`],
				proof: (out: string) => ground.gatewayProof(GATEWAY, out),
			},
		],
		async ({ name, args, proof }) => {
			const out = join(dir, "envoys", name);
			await mkdir(out, { recursive: true });
			await bootstrap(name, [
				...[...(await proof(out)), ...args],
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
		const admin = await waitFor(parts, `Envoy ${name} to start`, async () => {
			const text = (await readFile(file, "utf8")).trim();
			if (text === "") throw new Error("Its admin address is not written yet.");
			return text;
		});
		envoys.set(name, admin);
	}
	await waitFor(parts, `${url} to show the page`, async () => {
		const { details, reviews } = await readPage(url);
		for (const answer of [details, reviews]) {
			if (!answer.available) throw new Error(answer.reason);
		}
	});
	return {
		...{ url, files, controlPlane, envoys },
		publish: () => ground.publish(),
	};
}

interface Ports {
	readonly ingress: number;
	readonly workloads: ReadonlyMap<string, WorkloadPorts>;
}

async function choosePorts(
	address: string,
	favourite: number | undefined,
): Promise<Ports> {
	const [ingress = 0, ...rest] = await freePorts(
		1 + WORKLOADS.length * PORTS_PER_WORKLOAD,
		favourite === undefined ? [] : [favourite],
		address,
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
	address: string,
): Promise<void> {
	await cp(SAMPLE, files, {
		recursive: true,
		filter: (path) => path !== join(SAMPLE, "apps"),
	});
	await mkdir(join(files, "workloads"), { recursive: true });
	for (const workload of WORKLOADS) {
		await writeFile(
			join(files, "workloads", `${workload.name}.yaml`),
			printWorkloadObjects(workload, portsOf(ports, workload), address),
		);
	}
}

function sidecarArgs(
	workload: Workload,
	ports: ReadonlyMap<string, WorkloadPorts>,
	address: string,
): readonly string[] {
	const { application, inbound, outbound } = portsOf(ports, workload);
	return [
		...["--proxy", `default/${workload.name}`],
		...["--outbound", `127.0.0.1:${outbound}`],
		"--inbound",
		`${address}:${inbound}=127.0.0.1:${application}=http`,
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
