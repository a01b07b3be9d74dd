import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** How long a part may take to end when asked, before it is made to. */
const GRACE_MS = 5_000;

/** How a process ended. */
export interface Ending {
	/** `exit code 1`, `SIGSEGV`, or why it did not start. */
	readonly how: string;
}

/** One process of several that belong together. */
export interface Part {
	readonly name: string;
	/** Its process; undefined when it did not start. */
	readonly pid: number | undefined;
	readonly logFile: string;
	readonly ended: Promise<Ending>;
	/** Whether it still runs. */
	readonly running: boolean;
	/** The end of what it printed. */
	lastLines(count: number): string;
}

/**
 * Processes that belong together, each a group of its own with a log file.
 *
 * Guarantees: only what was started here is ended, with all it started itself;
 *   when this process is killed, a watchdog ends the parts instead.
 */
export class Parts implements AsyncDisposable {
	readonly #logs: string;
	readonly #graceMs: number;
	readonly #children = new Map<Part, ChildProcess>();
	readonly #watchdog: ChildProcess;
	#ending = false;

	constructor(logs: string, graceMs = GRACE_MS) {
		this.#logs = logs;
		this.#graceMs = graceMs;
		mkdirSync(logs, { recursive: true });
		this.#watchdog = startWatchdog();
	}

	/** Starts a part. A program that cannot start has ended; it throws only when all parts are being ended. */
	start(name: string, program: string, args: readonly string[]): Part {
		if (this.#ending) throw new Error(`${name} is too late: all parts end.`);
		const logFile = join(this.#logs, `${name}.log`);
		const log = openSync(logFile, "a");
		const child = spawn(program, args, {
			detached: true,
			stdio: ["ignore", log, log],
		});
		const ended = new Promise<Ending>((resolve) => {
			child.on("error", (error) => resolve({ how: error.message }));
			child.on("exit", (code, signal) => {
				this.#tellWatchdog("-", child);
				resolve({ how: signal ?? `exit code ${code}` });
			});
		});
		const part: Part = {
			...{ name, pid: child.pid, logFile },
			ended,
			get running() {
				return isRunning(child);
			},
			lastLines: (count) =>
				readFileSync(logFile, "utf8")
					.trimEnd()
					.split("\n")
					.slice(-count)
					.join("\n"),
		};
		this.#children.set(part, child);
		this.#tellWatchdog("+", child);
		return part;
	}

	/** Calls back for each part that ends although nobody asked it to. */
	onCrash(report: (part: Part, ending: Ending) => void): void {
		for (const part of this.#children.keys()) {
			void part.ended.then((ending) => {
				if (!this.#ending) report(part, ending);
			});
		}
	}

	/** The part that ended although nobody asked it to, if any. */
	get crashed(): Part | undefined {
		return [...this.#children.keys()].find((part) => !part.running);
	}

	/** Ends one part, by asking it or at once, and waits until it is gone. */
	async end(part: Part, how: "ask" | "kill" = "ask"): Promise<void> {
		const child = this.#children.get(part);
		if (child === undefined || !isRunning(child)) return;
		killGroup(child, how === "kill" ? "SIGKILL" : "SIGTERM");
		const timer = setTimeout(() => killGroup(child, "SIGKILL"), this.#graceMs);
		await part.ended;
		clearTimeout(timer);
	}

	/** Ends every part, the youngest first, and waits until all are gone. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#ending = true;
		const children = [...this.#children.values()].reverse();
		for (const child of children) killGroup(child, "SIGTERM");
		const timer = setTimeout(() => this.killAll(), this.#graceMs);
		await Promise.all([...this.#children.keys()].map(({ ended }) => ended));
		clearTimeout(timer);
		if (isRunning(this.#watchdog)) {
			const gone = once(this.#watchdog, "exit");
			this.#watchdog.stdin?.end();
			await gone;
		}
	}

	/** Ends every part at once, without asking. */
	killAll(): void {
		this.#ending = true;
		for (const child of this.#children.values()) killGroup(child, "SIGKILL");
	}

	#tellWatchdog(sign: "+" | "-", { pid }: ChildProcess): void {
		if (pid !== undefined) this.#watchdog.stdin?.write(`${sign} ${pid}\n`);
	}
}

/**
 * A shell that reads which groups run, and ends them when its input ends: that
 * also happens when this process is killed and can do nothing any more.
 */
function startWatchdog(): ChildProcess {
	const script = `
		trap '' INT HUP TERM
		groups=' '
		while read -r sign pid; do
			case $sign in
			+) groups="$groups$pid " ;;
			-) groups="\${groups%% $pid *} \${groups#* $pid }" ;;
			esac
		done
		set -- $groups
		[ $# -gt 0 ] || exit 0
		for pid in $groups; do kill -TERM "-$pid"; done
		sleep 3
		for pid in $groups; do kill -KILL "-$pid"; done
	`;
	const child = spawn("/bin/sh", ["-c", script], {
		detached: true,
		stdio: ["pipe", "ignore", "ignore"],
	});
	// Without it only the comfort of a killed run is lost.
	child.on("error", () => {});
	child.stdin?.on("error", () => {});
	return child;
}

function isRunning(child: ChildProcess): boolean {
	return (
		child.pid !== undefined &&
		child.exitCode === null &&
		child.signalCode === null
	);
}

function killGroup(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
	if (child.pid === undefined || !isRunning(child)) return;
	try {
		process.kill(-child.pid, signal);
	} catch {
		// It ended between the question and the signal.
	}
}
