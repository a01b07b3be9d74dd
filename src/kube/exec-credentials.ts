/*
 * Credentials from a program that the kubeconfig names, such as those of cloud
 * providers (https://kubernetes.io/docs/reference/config-api/client-authentication.v1/).
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../lib/clock.ts";
import { KubeError } from "./kube-error.ts";
import type { ConfigCluster, ExecPlugin } from "./kubeconfig-file.ts";

/** What a program answered. */
export interface ExecCredential {
	readonly token: string | undefined;
	readonly certificate:
		| { readonly cert: string; readonly key: string }
		| undefined;
	/** Milliseconds since the epoch; undefined when it lasts until it is refused. */
	readonly expiresMs: number | undefined;
}

/** What is needed to run a program. */
export interface ExecOptions {
	readonly plugin: ExecPlugin;
	readonly cluster: ConfigCluster;
	/** PEM of the cluster's authorities, for a program that asks for it. */
	readonly ca: string | undefined;
	/** Variables of our own environment, such as `PATH`. */
	readonly environment: Readonly<Record<string, string | undefined>>;
	readonly clock: Clock;
}

/** A program that opens a browser may wait for a person; one that nobody answers must end some day. */
const RUN_MS = 120_000;

/** A credential is some kilobytes. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/**
 * Runs the program once.
 *
 * Fails when: it cannot be run, fails, or its answer is none; then with a
 *   `KubeError` that quotes nothing of what it printed as its answer.
 */
export async function runExecPlugin(
	options: ExecOptions,
): Promise<ExecCredential> {
	const { plugin } = options;
	const { code, output, complaint } = await run(options);
	if (code !== 0) {
		const why = complaint === "" ? "" : `: ${complaint}`;
		throw failed(plugin, `failed (${code ?? "killed"})${why}`);
	}
	return parseCredential(output, plugin);
}

interface Ran {
	readonly code: number | null;
	readonly output: string;
	/** The last line it wrote for people. */
	readonly complaint: string;
}

function run(options: ExecOptions): Promise<Ran> {
	const { plugin, environment, clock } = options;
	return new Promise((resolve, reject) => {
		const child = spawn(plugin.command, plugin.args, {
			env: {
				...environment,
				...plugin.env,
				KUBERNETES_EXEC_INFO: JSON.stringify(execInfo(options)),
			},
			stdio: ["ignore", "pipe", "pipe"],
		});
		const output = collect(child, "stdout");
		const complaint = collect(child, "stderr");
		const cancel = clock.after(RUN_MS, () => child.kill("SIGKILL"));
		child.once("error", (cause) => {
			cancel();
			const hint = plugin.installHint ?? "Install it, or correct its name";
			reject(failed(plugin, `cannot be run. ${hint.trim()}`, cause));
		});
		child.once("close", (code) => {
			cancel();
			resolve({ code, output: output(), complaint: lastLine(complaint()) });
		});
	});
}

function collect(
	child: ChildProcess,
	stream: "stdout" | "stderr",
): () => string {
	const chunks: Buffer[] = [];
	let bytes = 0;
	child[stream]?.on("data", (chunk: Buffer) => {
		bytes += chunk.length;
		if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
	});
	return () => Buffer.concat(chunks).toString("utf8");
}

/** Long words may be secrets, and a message is no place for them. */
function lastLine(text: string): string {
	const line = text.trim().split("\n").at(-1) ?? "";
	return line.slice(0, 300).replaceAll(/[\w+/=.-]{40,}/g, "…");
}

function execInfo({ plugin, cluster, ca }: ExecOptions): object {
	return {
		apiVersion: plugin.apiVersion,
		kind: "ExecCredential",
		spec: {
			interactive: false,
			...(plugin.provideClusterInfo && {
				cluster: {
					server: cluster.server,
					"tls-server-name": cluster.serverName,
					"insecure-skip-tls-verify": cluster.insecure || undefined,
					"certificate-authority-data":
						ca === undefined ? undefined : Buffer.from(ca).toString("base64"),
				},
			}),
		},
	};
}

function parseCredential(output: string, plugin: ExecPlugin): ExecCredential {
	let value: unknown;
	try {
		value = JSON.parse(output);
	} catch {
		// The parser's message quotes the text, which may be a token.
		throw failed(plugin, "printed no JSON");
	}
	const status = field(value, "status");
	const token = text(status, "token");
	const cert = text(status, "clientCertificateData");
	const key = text(status, "clientKeyData");
	if (token === undefined && (cert === undefined || key === undefined)) {
		throw failed(
			plugin,
			"printed neither a token nor a certificate with its key",
		);
	}
	const expires = text(status, "expirationTimestamp");
	const expiresMs = expires === undefined ? Number.NaN : Date.parse(expires);
	return {
		token,
		certificate:
			cert === undefined || key === undefined ? undefined : { cert, key },
		expiresMs: Number.isNaN(expiresMs) ? undefined : expiresMs,
	};
}

function text(value: unknown, name: string): string | undefined {
	const found = field(value, name);
	return typeof found === "string" && found !== "" ? found : undefined;
}

function field(value: unknown, name: string): unknown {
	return typeof value === "object" && value !== null
		? Reflect.get(value, name)
		: undefined;
}

function failed(
	plugin: ExecPlugin,
	problem: string,
	cause?: unknown,
): KubeError {
	return new KubeError(
		"KUBE_CONFIG",
		`The credential plugin ${plugin.command} ${problem}.`,
		{ cause },
	);
}
