import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect } from "chai";
import { eventually } from "./eventually.ts";
import type { KindNamespace } from "./kind-namespace.ts";
import type { Load } from "./pod-app.ts";

/** Where a load comes from, and where it goes. */
export interface LoadSource {
	readonly namespace: KindNamespace;
	/** Runs `pod-app.ts`. */
	readonly pod: string;
	/** Asked one after the other. */
	readonly urls: readonly string[];
	/** Requests a second. */
	readonly rate: number;
}

/** Asks from all sources all the while that something is done, and returns what came of each. */
export async function loadWhile<const Sources extends readonly LoadSource[]>(
	sources: Sources,
	act: () => Promise<unknown>,
): Promise<{ readonly [Index in keyof Sources]: Load }> {
	const running = sources.map(start);
	try {
		await Promise.all(running.map(({ started }) => started()));
		await act();
	} finally {
		for (const { stop } of running) stop();
	}
	const loads = await Promise.all(running.map(({ result }) => result()));
	return loads as { readonly [Index in keyof Sources]: Load };
}

interface RunningLoad {
	readonly started: () => Promise<void>;
	readonly stop: () => void;
	readonly result: () => Promise<Load>;
}

function start({ namespace, pod, urls, rate }: LoadSource): RunningLoad {
	const { cluster, name } = namespace;
	const child = spawn(
		cluster.kubectl,
		[
			...["--kubeconfig", cluster.kubeconfig, "exec", "-i"],
			...["--namespace", name, pod, "-c", "app", "--"],
			...["/usr/bin/node", "/app/pod-app.ts", "load", String(rate), ...urls],
		],
		// What failed and when is of interest when a test fails.
		{ stdio: ["pipe", "pipe", "inherit"] },
	);
	let said = "";
	child.stdout.on("data", (chunk) => {
		said += String(chunk);
	});
	const end = once(child, "close");
	return {
		started: async () => {
			await eventually(() => expect(said).to.contain("started"), 60_000);
		},
		stop: () => child.stdin.end(),
		result: async () => {
			await end;
			return JSON.parse(said.trim().split("\n").at(-1) ?? "") as Load;
		},
	};
}
