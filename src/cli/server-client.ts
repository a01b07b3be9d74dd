import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CodedError } from "../lib/coded-error.ts";
import { type ClientResponse, request } from "../net/http-client.ts";
import { HttpClientError } from "../net/http-client-error.ts";

/** What `serve.json` says of the server that runs with a state directory. */
export interface RunningServer {
	/** Where proxies connect. */
	readonly xds: string;
	/** The admin API: `unix:PATH` or an address. */
	readonly admin: string;
}

/** The server did not give what was asked for; the message says what to do next. */
export class ServerError extends CodedError {
	override readonly name = "ServerError";
	readonly code: /** No server answers. Next: start one with `lateen serve`, or name another with `--server` or `--state-dir`. */
		| "CLI_NO_SERVER"
		/** The server has nothing of this name. Next: list what there is with `lateen get` or `lateen proxies`. */
		| "CLI_NOT_FOUND"
		/** The server answered with an error, or in a form this version does not know. Next: look at its log; use the same version on both sides. */
		| "CLI_SERVER_FAILED";
	readonly retryable = true;

	constructor(
		code: ServerError["code"],
		message: string,
		options?: ErrorOptions,
	) {
		super(message, options);
		this.code = code;
	}
}

/** What the server of this state directory says about itself, or undefined when none runs. */
export async function readServeFile(
	stateDir: string,
): Promise<RunningServer | undefined> {
	let text: string;
	try {
		text = await readFile(join(stateDir, "serve.json"), "utf8");
	} catch {
		// No such file is what there is when no server runs; one that may not be read is as good as none.
		return undefined;
	}
	const value: unknown = JSON.parse(text);
	if (
		typeof value === "object" &&
		value !== null &&
		"xds" in value &&
		"admin" in value &&
		typeof value.xds === "string" &&
		typeof value.admin === "string"
	)
		return { xds: value.xds, admin: value.admin };
	return undefined;
}

/** Which server a command asks. */
export interface WhichServer {
	readonly stateDir: string;
	/** Instead of what the state directory says. */
	readonly server: string | undefined;
}

/** What is to be changed on the server. */
export interface ServerChange {
	readonly method: "PUT";
	/** Printed as JSON. */
	readonly body: unknown;
}

/**
 * Asks the admin API for JSON, or to change something.
 *
 * Fails when: nobody answers, or the answer is no; then with a `ServerError`.
 */
export async function askServer(
	where: WhichServer,
	path: string,
	change?: ServerChange,
): Promise<unknown> {
	const response = await openServer(where, path, undefined, change);
	return parseBody(await response.text());
}

/**
 * Asks the admin API and leaves the body to be read.
 *
 * Fails when: nobody answers, or the answer is no; then with a `ServerError`.
 */
export async function openServer(
	where: WhichServer,
	path: string,
	signal?: AbortSignal,
	change?: ServerChange,
): Promise<ClientResponse> {
	const admin =
		where.server ??
		(await readServeFile(where.stateDir))?.admin ??
		`unix:${join(where.stateDir, "admin.sock")}`;
	let response: ClientResponse;
	try {
		response = await request(
			{
				server: serverOf(admin),
				method: "GET",
				path,
				...(change !== undefined && {
					method: change.method,
					body: JSON.stringify(change.body),
				}),
			},
			signal,
		);
	} catch (error) {
		if (!(error instanceof HttpClientError)) throw error;
		if (error.code !== "NET_NOBODY_LISTENS")
			throw new ServerError("CLI_NO_SERVER", error.message, { cause: error });
		throw new ServerError(
			"CLI_NO_SERVER",
			`Nothing answers at ${admin}. Start a server with \`lateen serve --source=directory:PATH\`, name another one with --server or --state-dir, or ask in a Kubernetes cluster with --kubeconfig.`,
			{ cause: error },
		);
	}
	if (response.status === 200) return response;
	const body: unknown = parseBody(await response.text());
	const said =
		typeof body === "object" && body !== null && "error" in body
			? `${String(body.error)} Asked was the server at ${admin}.`
			: `The server at ${admin} answered with status ${response.status}.`;
	throw new ServerError(
		response.status === 404 || response.status === 409
			? "CLI_NOT_FOUND"
			: "CLI_SERVER_FAILED",
		said,
	);
}

function serverOf(
	admin: string,
): { readonly path: string } | { readonly url: string } {
	if (admin.startsWith("unix:")) return { path: admin.slice("unix:".length) };
	if (admin.startsWith("/") || admin.startsWith(".")) return { path: admin };
	return { url: admin.includes("://") ? admin : `http://${admin}` };
}

function parseBody(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// Not our server, or an old one: its status says enough.
		return undefined;
	}
}
