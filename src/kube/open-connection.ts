/*
 * HTTP/1.1 over connections that are kept: a watch takes one for itself, all
 * else shares a few. One request on HTTP/2 that stalls can hold up all others
 * of its connection, and its flow control would have to be tuned by hand.
 */
import {
	Agent as HttpAgent,
	request as httpRequest,
	type IncomingMessage,
	type RequestOptions,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Clock } from "../lib/clock.ts";
import { systemErrorCode } from "../net/system-error.ts";
import type {
	KubeConnection,
	KubeRequest,
	KubeResponse,
} from "./connection.ts";
import type { Credentials, KubeAccess } from "./kube-access.ts";
import { KubeError } from "./kube-error.ts";
import { readBounded } from "./read-bounded.ts";

/** How a connection is made. */
export interface ConnectionOptions {
	readonly clock: Clock;
	/** Tells us apart in the server's audit log and metrics: `lateen/1.2.3`. */
	readonly userAgent: string;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** Two lost SYN packets; what takes longer is not there. */
const CONNECT_MS = 10_000;

/** Opens the way to an API server; nothing is sent before the first request. */
export function openConnection(
	access: KubeAccess,
	options: ConnectionOptions,
): KubeConnection {
	return new HttpConnection(access, options);
}

class HttpConnection implements KubeConnection {
	readonly server: string;
	readonly #access: KubeAccess;
	readonly #options: ConnectionOptions;
	readonly #url: URL;
	readonly #agent: HttpAgent;

	constructor(access: KubeAccess, options: ConnectionOptions) {
		this.server = access.server;
		this.#access = access;
		this.#options = options;
		this.#url = new URL(access.server);
		// Of the kept ones the last used is taken, so that the others may end.
		const kept = { keepAlive: true, scheduling: "lifo" } as const;
		this.#agent =
			this.#url.protocol === "https:"
				? new HttpsAgent(kept)
				: new HttpAgent(kept);
	}

	async request(
		request: KubeRequest,
		signal: AbortSignal,
	): Promise<KubeResponse> {
		signal.throwIfAborted();
		const credentials = await this.#access.load();
		const answer = await this.#send(request, credentials, signal);
		if (answer.statusCode !== 401)
			return this.#response(request, answer, signal);
		const renewed = await this.#access.load(credentials);
		if (
			renewed.authorization === credentials.authorization &&
			renewed.certificate?.cert === credentials.certificate?.cert
		)
			return this.#response(request, answer, signal);
		// Read to its end, its connection can be used again.
		answer.resume();
		return this.#response(
			request,
			await this.#send(request, renewed, signal),
			signal,
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#agent.destroy();
	}

	/** Asks once more on another connection when the server had closed a kept one, which it may do at any time. */
	async #send(
		request: KubeRequest,
		credentials: Credentials,
		signal: AbortSignal,
	): Promise<IncomingMessage> {
		const first = await this.#sendOnce(request, credentials, signal);
		if ("answer" in first) return first.answer;
		// An object that is made twice is refused the second time.
		if (!first.wasStale || request.method === "POST") throw first.error;
		const second = await this.#sendOnce(request, credentials, signal);
		if ("answer" in second) return second.answer;
		throw second.error;
	}

	#sendOnce(
		request: KubeRequest,
		credentials: Credentials,
		signal: AbortSignal,
	): Promise<Sent | Unsent> {
		const { clock } = this.#options;
		const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS;
		return new Promise((resolve, reject) => {
			const send = this.#url.protocol === "https:" ? httpsRequest : httpRequest;
			const outgoing = send(this.#target(request, credentials, signal));
			let isConnected = false;
			const cancelConnect = clock.after(Math.min(CONNECT_MS, timeoutMs), () => {
				if (!isConnected) outgoing.destroy(this.#unreachable());
			});
			const cancelAnswer = clock.after(timeoutMs, () => {
				// Kept connections may be as dead as this one.
				this.#forgetIdle();
				outgoing.destroy(this.#silent(request, timeoutMs));
			});
			const settle = (): void => {
				cancelConnect();
				cancelAnswer();
			};
			outgoing.once("socket", (socket) => {
				if (outgoing.reusedSocket) {
					isConnected = true;
					return;
				}
				const done = "encrypted" in socket ? "secureConnect" : "connect";
				socket.once(done, () => {
					isConnected = true;
				});
			});
			outgoing.once("response", (answer) => {
				settle();
				resolve({ answer });
			});
			outgoing.once("error", (error) => {
				settle();
				if (signal.aborted) reject(signal.reason);
				else
					resolve({
						error: this.#explain(error),
						wasStale:
							outgoing.reusedSocket &&
							/^(ECONNRESET|EPIPE)$/.test(systemErrorCode(error) ?? ""),
					});
			});
			outgoing.end(request.body);
		});
	}

	#target(
		request: KubeRequest,
		{ ca, authorization, certificate }: Credentials,
		signal: AbortSignal,
	): RequestOptions & Record<string, unknown> {
		const { serverName, insecure, headers } = this.#access;
		const query = new URLSearchParams(request.query).toString();
		const host = this.#url.hostname.replace(/^\[|\]$/g, "");
		return {
			host,
			port: this.#url.port || undefined,
			path: `${this.#url.pathname.replace(/\/$/, "")}${request.path}${query && `?${query}`}`,
			method: request.method,
			agent: this.#agent,
			signal,
			// The agent keeps connections with other credentials apart.
			...(ca !== undefined && { ca }),
			...certificate,
			...(serverName !== undefined && { servername: serverName }),
			...(insecure && { rejectUnauthorized: false }),
			headers: {
				...request.headers,
				...headers,
				accept: request.accept ?? "application/json",
				"user-agent": this.#options.userAgent,
				...(authorization !== undefined && { authorization }),
				...(request.body !== undefined && {
					"content-type": request.contentType ?? "application/json",
					"content-length": Buffer.byteLength(request.body),
				}),
			},
		};
	}

	#response(
		request: KubeRequest,
		answer: IncomingMessage,
		signal: AbortSignal,
	): KubeResponse {
		const headers = new Map<string, string>();
		for (const [name, value] of Object.entries(answer.headers)) {
			if (value === undefined) continue;
			headers.set(name, typeof value === "string" ? value : value.join(", "));
		}
		const body = this.#body(request, answer, signal);
		return {
			status: answer.statusCode ?? 0,
			headers,
			body,
			text: () => readBounded(body),
		};
	}

	async *#body(
		request: KubeRequest,
		answer: IncomingMessage,
		signal: AbortSignal,
	): AsyncGenerator<Uint8Array, void, undefined> {
		const { silenceMs } = request;
		const { clock } = this.#options;
		const chunks = answer[Symbol.asyncIterator]();
		try {
			for (;;) {
				// Only time that is spent waiting counts, not what the reader takes.
				const cancel =
					silenceMs === undefined
						? undefined
						: clock.after(silenceMs, () =>
								answer.destroy(this.#silent(request, silenceMs)),
							);
				const next = await chunks.next().finally(cancel);
				if (next.done === true) return;
				yield next.value as Uint8Array;
			}
		} catch (error) {
			signal.throwIfAborted();
			throw this.#explain(error);
		} finally {
			answer.destroy();
		}
	}

	#forgetIdle(): void {
		for (const sockets of Object.values(this.#agent.freeSockets))
			for (const socket of sockets ?? []) socket.destroy();
	}

	#silent(request: KubeRequest, ms: number): KubeError {
		return new KubeError(
			"KUBE_SILENT",
			`The API server at ${this.server} was silent for ${Math.round(ms / 1000)} s on ${request.method} ${request.path}. Look at its load, and at the network in between.`,
		);
	}

	#unreachable(): KubeError {
		return new KubeError(
			"KUBE_UNREACHABLE",
			`No connection to the API server at ${this.server} can be made. See that it runs, and that packets reach it.`,
		);
	}

	#explain(error: unknown): KubeError {
		if (error instanceof KubeError) return error;
		const code = systemErrorCode(error) ?? "";
		const why = whyNot(code);
		const detail =
			why ?? (error instanceof Error ? error.message : String(error));
		return new KubeError(
			"KUBE_UNREACHABLE",
			`The connection to the API server at ${this.server} failed: ${detail.replace(/[.]$/, "")}.`,
			{ cause: error },
		);
	}
}

interface Sent {
	readonly answer: IncomingMessage;
}

interface Unsent {
	readonly error: KubeError;
	/** Whether a kept connection turned out to be closed. */
	readonly wasStale: boolean;
}

/** What people make of the codes of Node.js. */
function whyNot(code: string): string | undefined {
	switch (code) {
		case "ECONNREFUSED":
			return "nobody listens there. Start the server, or correct the address";
		case "ENOTFOUND":
		case "EAI_AGAIN":
			return "its name has no address. Correct the name, or see that DNS works";
		case "ECONNRESET":
		case "EPIPE":
			return "it was closed by the other side";
		case "ETIMEDOUT":
		case "EHOSTUNREACH":
		case "ENETUNREACH":
			return "packets do not arrive there";
		case "DEPTH_ZERO_SELF_SIGNED_CERT":
		case "SELF_SIGNED_CERT_IN_CHAIN":
		case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
		case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
			return "its certificate is not signed by the CA that the kubeconfig names. Correct certificate-authority";
		case "ERR_TLS_CERT_ALTNAME_INVALID":
			return "its certificate is for other names. Use one of them, or set tls-server-name";
		case "CERT_HAS_EXPIRED":
			return "its certificate has expired";
		default:
			return undefined;
	}
}
