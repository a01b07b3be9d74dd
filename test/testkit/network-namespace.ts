import {
	type ChildProcess,
	execFile,
	type SpawnOptions,
	spawn,
} from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { AgentAnswer, AgentRequest } from "./namespace-agent.ts";
import type { Programs } from "./namespace-programs.ts";

const AGENT = join(import.meta.dirname, "namespace-agent.ts");

/**
 * A network namespace of a test: no interface but its own loopback until it is
 * given one, no traffic with the rest of the machine.
 *
 * It has no name. It lives as long as processes in it do, and all of them end
 * with the test's process, however that ends; so nothing can be left behind.
 */
export class NetworkNamespace implements AsyncDisposable {
	readonly #agent: ChildProcess;
	readonly #children: ChildProcess[] = [];
	readonly #waiting = new Map<
		number,
		{ resolve(value: unknown): void; reject(error: Error): void }
	>();
	#requests = 0;

	private constructor(agent: ChildProcess) {
		this.#agent = agent;
		agent.on("message", (answer: AgentAnswer) => this.#settle(answer));
		agent.on("exit", () => {
			for (const { reject } of this.#waiting.values()) {
				reject(new Error("The namespace is gone."));
			}
		});
	}

	/** Makes a namespace; only root may. */
	static async create(): Promise<NetworkNamespace> {
		const agent = spawn(
			"unshare",
			["--net", process.execPath, "--no-warnings", AGENT],
			{ stdio: ["ignore", "inherit", "inherit", "ipc"] },
		);
		await once(agent, "spawn");
		const made = new NetworkNamespace(agent);
		// Its process is in the old namespace until `unshare` has done its work.
		await made.call("ready", undefined);
		return made;
	}

	/** Names the namespace to `ip`. */
	get pid(): number {
		return this.#agent.pid ?? 0;
	}

	/** Runs a program of the test in the namespace. */
	async call<P extends keyof Programs>(
		program: P,
		input: Parameters<Programs[P]>[0],
	): Promise<Awaited<ReturnType<Programs[P]>>> {
		const id = this.#requests++;
		const value = await new Promise<unknown>((resolve, reject) => {
			this.#waiting.set(id, { resolve, reject });
			const request: AgentRequest = { id, program, input };
			this.#agent.send(request, (error) => {
				if (error) reject(error);
			});
		});
		return value as Awaited<ReturnType<Programs[P]>>;
	}

	/** Runs a command in the namespace, with this as its input, and returns what it printed. */
	async run(
		file: string,
		args: readonly string[],
		input = "",
	): Promise<string> {
		return await new Promise((resolve, reject) => {
			const child = execFile(
				"nsenter",
				[...this.#enter, file, ...args],
				(error, stdout, stderr) =>
					error
						? reject(
								new Error(`${file} ${args.join(" ")}: ${stderr}`, {
									cause: error,
								}),
							)
						: resolve(stdout),
			);
			child.stdin?.end(input);
		});
	}

	/** Starts a command in the namespace that goes on until the namespace is disposed of. */
	start(
		file: string,
		args: readonly string[],
		options: SpawnOptions & { readonly uid?: number } = {},
	): ChildProcess {
		const { uid, ...others } = options;
		const owner =
			uid === undefined
				? []
				: [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
		const child = spawn(
			"nsenter",
			[
				...[...this.#enter, "setpriv", "--pdeathsig=KILL", ...owner],
				...["--", file, ...args],
			],
			others,
		);
		this.#children.push(child);
		return child;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all([...this.#children, this.#agent].map(end));
	}

	get #enter(): readonly string[] {
		return [`--net=/proc/${this.pid}/ns/net`, "--"];
	}

	#settle(answer: AgentAnswer): void {
		const waiting = this.#waiting.get(answer.id);
		this.#waiting.delete(answer.id);
		if ("error" in answer) waiting?.reject(new Error(answer.error));
		else waiting?.resolve(answer.value);
	}
}

async function end(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGKILL");
	await ended;
}
