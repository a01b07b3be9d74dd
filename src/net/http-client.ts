import {
	request as httpRequest,
	type IncomingMessage,
	type RequestOptions,
} from "node:http";
import { request as httpsRequest } from "node:https";
import { type ClientTls, clientTlsOptions } from "./client-tls.ts";
import { HttpClientError } from "./http-client-error.ts";
import { systemErrorCode } from "./system-error.ts";

/** One request to a server on a Unix socket, or at an `http:` or `https:` URL. */
export interface ClientRequest {
	readonly server:
		| { readonly path: string }
		| {
				readonly url: string;
				/** For `https:`. */
				readonly tls?: ClientTls;
		  };
	readonly method: string;
	/** With the query, percent-encoded. */
	readonly path: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Uint8Array;
	/** Time for the headers of the answer to come; 30 s by default. */
	readonly timeoutMs?: number;
}

/** The answer, whatever its status. */
export interface ClientResponse {
	readonly status: number;
	readonly headers: ReadonlyMap<string, string>;
	/** The body as it comes; to be read once, by this or by `text`. */
	readonly body: AsyncIterable<Uint8Array>;
	/** The whole body, decoded as UTF-8. */
	text(): Promise<string>;
}

/**
 * Sends one request.
 *
 * Fails when: no answer comes; then with an `HttpClientError` whose code tells
 *   a server that does not run from one that does not answer. When `signal` is
 *   aborted, with the signal's reason.
 */
export async function request(
	options: ClientRequest,
	signal?: AbortSignal,
): Promise<ClientResponse> {
	signal?.throwIfAborted();
	const where =
		"path" in options.server ? options.server.path : options.server.url;
	const message = await new Promise<IncomingMessage>((resolve, reject) => {
		const { send, ...target } = targetOf(options);
		const outgoing = send({
			...target,
			method: options.method,
			headers: {
				...options.headers,
				...(options.body === undefined
					? {}
					: { "content-length": Buffer.byteLength(options.body) }),
			},
			agent: false,
			...(signal === undefined ? {} : { signal }),
		});
		const timer = setTimeout(() => {
			outgoing.destroy(
				new HttpClientError(
					"NET_TIMEOUT",
					`The server at ${where} accepted the request but does not answer.`,
				),
			);
		}, options.timeoutMs ?? 30_000);
		outgoing.once("response", (incoming) => {
			clearTimeout(timer);
			resolve(incoming);
		});
		outgoing.once("error", (error) => {
			clearTimeout(timer);
			reject(signal?.aborted === true ? signal.reason : explain(error, where));
		});
		outgoing.end(options.body);
	});
	const headers = new Map<string, string>();
	for (const [name, value] of Object.entries(message.headers)) {
		if (value === undefined) continue;
		headers.set(name, typeof value === "string" ? value : value.join(", "));
	}
	const body = readBody(message, where, signal);
	return {
		status: message.statusCode ?? 0,
		headers,
		body,
		async text() {
			const chunks: Uint8Array[] = [];
			for await (const chunk of body) chunks.push(chunk);
			return Buffer.concat(chunks).toString("utf8");
		},
	};
}

async function* readBody(
	message: IncomingMessage,
	where: string,
	signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
	try {
		yield* message as AsyncIterable<Uint8Array>;
	} catch (error) {
		signal?.throwIfAborted();
		throw explain(error, where);
	}
}

interface Target extends RequestOptions {
	readonly send: typeof httpRequest;
}

function targetOf({ server, path }: ClientRequest): Target {
	if ("path" in server) {
		return { send: httpRequest, socketPath: server.path, path };
	}
	const url = parseServerUrl(server.url);
	const place = {
		host: url.hostname.replace(/^\[|\]$/g, ""),
		path: `${url.pathname.replace(/\/$/, "")}${path}`,
	};
	const port = (usual: number): number =>
		url.port === "" ? usual : Number(url.port);
	return url.protocol === "https:"
		? {
				send: httpsRequest,
				...place,
				port: port(443),
				...clientTlsOptions(server.tls ?? {}),
			}
		: { send: httpRequest, ...place, port: port(80) };
}

function parseServerUrl(text: string): URL {
	const url = URL.parse(text);
	if (url?.protocol === "http:" || url?.protocol === "https:") return url;
	throw new HttpClientError(
		"NET_REQUEST_FAILED",
		`${text} is not the URL of a server. Write it like http://127.0.0.1:15011.`,
	);
}

function explain(error: unknown, where: string): unknown {
	if (error instanceof HttpClientError) return error;
	const code = systemErrorCode(error);
	switch (code) {
		case "ENOENT":
		case "ECONNREFUSED":
			return new HttpClientError(
				"NET_NOBODY_LISTENS",
				`Nobody listens on ${where}. Start the server, or name the one that runs.`,
				{ cause: error },
			);
		case "EACCES":
			return new HttpClientError(
				"NET_NOT_ALLOWED",
				`This user may not connect to ${where}. Run the command as the user who runs the server.`,
				{ cause: error },
			);
		case "CERT_HAS_EXPIRED":
		case "CERT_NOT_YET_VALID":
		case "DEPTH_ZERO_SELF_SIGNED_CERT":
		case "ERR_TLS_CERT_ALTNAME_INVALID":
		case "SELF_SIGNED_CERT_IN_CHAIN":
		case "UNABLE_TO_GET_ISSUER_CERT":
		case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
		case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
		case "CERT_SIGNATURE_FAILURE":
			return new HttpClientError(
				"NET_NOT_TRUSTED",
				`The certificate of ${where} is not trusted: ${error instanceof Error ? error.message : String(error)}. See that the server's certificate is current, and that the right authority is trusted.`,
				{ cause: error },
			);
		default:
			return new HttpClientError(
				"NET_REQUEST_FAILED",
				`The connection to ${where} failed: ${error instanceof Error ? error.message : String(error)}.`,
				{ cause: error },
			);
	}
}
