import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect } from "chai";
import { eventually } from "./eventually.ts";
import type { KindNamespace } from "./kind-namespace.ts";
import type { Load } from "./pod-app.ts";

/** Where a load comes from, and where it goes. */
export interface LoadOf {
	readonly namespace: KindNamespace;
	readonly pod: string;
	readonly url: string;
	/** Requests a second. */
	readonly rate: number;
}

/** Asks all the while that something is done, and returns what came of it. */
export async function loadWhile(
	{ namespace, pod, url, rate }: LoadOf,
	act: () => Promise<unknown>,
): Promise<Load> {
	const { cluster, name } = namespace;
	const child = spawn(
		cluster.kubectl,
		[
			...["--kubeconfig", cluster.kubeconfig, "exec", "-i"],
			...["--namespace", name, pod, "-c", "app", "--"],
			...["/usr/bin/node", "/app/pod-app.ts", "load", url, String(rate)],
		],
		{ stdio: ["pipe", "pipe", "inherit"] },
	);
	let said = "";
	child.stdout.on("data", (chunk) => {
		said += String(chunk);
	});
	const end = once(child, "close");
	try {
		await eventually(() => expect(said).to.contain("started"), 60_000);
		await act();
	} finally {
		child.stdin.end();
		await end;
	}
	return JSON.parse(said.trim().split("\n").at(-1) ?? "") as Load;
}
