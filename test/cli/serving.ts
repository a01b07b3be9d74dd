import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
	mkdir,
	mkdtemp,
	readFile,
	rename,
	rm,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { AdsConnection, type DeltaCall } from "../testkit/ads-client.ts";
import { eventually } from "../testkit/eventually.ts";
import { programPath, type Ran, runLateen } from "./run-lateen.ts";

/** A `lateen serve` of its own process, on a folder of its own; disposing of it ends it. */
export class Serving implements AsyncDisposable {
	readonly #folder: string;
	readonly #connections: AdsConnection[] = [];
	#child: ChildProcess | undefined;
	/** Where proxies connect. */
	xds = "";

	private constructor(folder: string) {
		this.#folder = folder;
	}

	/** Starts a server on these files and waits until it is ready. */
	static async start(
		files: Readonly<Record<string, string>>,
	): Promise<Serving> {
		const serving = new Serving(await mkdtemp(join(tmpdir(), "lateen-cli-")));
		await mkdir(join(serving.#folder, "mesh"));
		for (const [name, text] of Object.entries(files))
			await serving.write(name, text);
		await serving.run();
		return serving;
	}

	/** Starts the server, at the first time or again. */
	async run(): Promise<void> {
		const child = spawn(
			process.execPath,
			[
				...[
					programPath,
					"serve",
					`--source=directory:${join(this.#folder, "mesh")}`,
				],
				...["--state-dir", this.stateDir, "--xds-listen", "127.0.0.1:0"],
			],
			{
				env: { PATH: process.env["PATH"] },
				stdio: ["ignore", "ignore", "pipe"],
			},
		);
		this.#child = child;
		const log: string[] = [];
		for await (const line of createInterface({ input: child.stderr })) {
			log.push(line);
			if (!line.includes("The server is ready.")) continue;
			const ready = JSON.parse(line) as { readonly xds: string };
			this.xds = ready.xds;
			child.stderr.resume();
			return;
		}
		throw new Error(`The server did not start:\n${log.join("\n")}`);
	}

	/** State directory of the server. */
	get stateDir(): string {
		return join(this.#folder, "state");
	}

	/** Writes a file of objects as editors do: beside it, then renamed. */
	async write(name: string, text: string): Promise<void> {
		const temporary = join(this.#folder, `new-${name}`);
		await writeFile(temporary, text);
		await rename(temporary, join(this.#folder, "mesh", name));
	}

	/** Runs a command that asks this server. */
	lateen(...words: readonly string[]): Promise<Ran> {
		return runLateen([...words, "--state-dir", this.stateDir]);
	}

	/** Starts a command that goes on, and answers with its lines and how to end it. */
	start(...words: readonly string[]): Running {
		return new Running([...words, "--state-dir", this.stateDir]);
	}

	/** Waits until this many proxies count in the status of an object. */
	async counts(name: string, proxies: number): Promise<void> {
		await eventually(async () => {
			const { out } = await this.lateen("get", name, "-o", "json");
			const { status } = JSON.parse(out) as {
				readonly status: { readonly proxies: { readonly total: number } };
			};
			if (status.proxies.total !== proxies) throw new Error(out);
		});
	}

	/** Connects as the sidecar of a workload and asks for everything. */
	async proxy(workload: string): Promise<DeltaCall> {
		const out = join(this.#folder, workload.replace("/", "-"));
		const made = await this.lateen(
			...["bootstrap", "--proxy", workload, "--out", out],
			...["--outbound", "127.0.0.1:15001"],
		);
		if (made.code !== 0) throw new Error(made.err);
		const bootstrap = JSON.parse(
			await readFile(join(out, "envoy.json"), "utf8"),
		) as { readonly node: { readonly id: string; readonly metadata: object } };
		const connection = new AdsConnection(this.xds);
		this.#connections.push(connection);
		const call = connection.delta(await readFile(join(out, "token"), "utf8"));
		const { id, metadata } = bootstrap.node;
		call.ask("cluster", { node: { id, metadata: metadata as never } });
		call.ask("listener");
		for (const type of ["endpoint", "route", "virtualHost"] as const)
			call.ask(type, { resourceNamesSubscribe: ["*"] });
		return call;
	}

	/** Ends the server as a crash would. */
	async kill(): Promise<void> {
		const child = this.#child;
		if (child === undefined || child.exitCode !== null) return;
		const ended = once(child, "exit");
		child.kill("SIGKILL");
		await ended;
	}

	/** Stops the server in order and starts it again. */
	async restart(): Promise<void> {
		const child = this.#child;
		if (child !== undefined) {
			const ended = once(child, "exit");
			child.kill("SIGTERM");
			await ended;
		}
		await this.run();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const connection of this.#connections) connection.close();
		await this.kill();
		await rm(this.#folder, { recursive: true, force: true });
	}
}

/** A command that runs until it is done or ended. */
export class Running implements AsyncDisposable {
	readonly #child: ChildProcess;
	readonly #lines: AsyncIterator<string>;
	readonly #exited: Promise<unknown>;
	#err = "";

	constructor(words: readonly string[]) {
		const child = spawn(process.execPath, [programPath, ...words], {
			env: { HOME: "/nonexistent", PATH: process.env["PATH"] },
			stdio: ["ignore", "pipe", "pipe"],
		});
		this.#child = child;
		this.#exited = once(child, "exit");
		child.stderr.on("data", (text: Buffer) => {
			this.#err += text.toString();
		});
		this.#lines = createInterface({ input: child.stdout })[
			Symbol.asyncIterator
		]();
	}

	/** The next line of its result. */
	async line(): Promise<string> {
		const { done, value } = await this.#lines.next();
		if (done === true) throw new Error(`It has ended: ${this.#err}`);
		return value;
	}

	/** How it ends. */
	async ended(): Promise<{
		readonly code: number | null;
		readonly err: string;
	}> {
		await this.#exited;
		return { code: this.#child.exitCode, err: this.#err };
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#child.kill("SIGKILL");
		await this.#exited;
	}
}
