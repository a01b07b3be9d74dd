/**
 * What the bookinfo programs share: each is an HTTP server that answers with
 * JSON or HTML and calls the others by name, through the proxy beside it.
 *
 *   node reviews.ts --listen 127.0.0.1:9080 --proxy http://127.0.0.1:15001 --version v2 --pod reviews-v2
 */
import {
	Agent,
	createServer,
	request as httpRequest,
	type IncomingMessage,
} from "node:http";
import { parseArgs } from "node:util";

/** A request, as the programs see it. */
export interface AppRequest {
	readonly method: string;
	readonly path: string;
	/** By lower-case name. */
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string;
	/** Asks another service, `http://reviews:9080/reviews/0`; throws `CallFailed`. */
	readonly call: (
		url: string,
		headers?: Readonly<Record<string, string>>,
	) => Promise<unknown>;
}

/** An answer; an object as body is sent as JSON. */
export interface AppResponse {
	readonly status?: number;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | object;
}

/** Who answers. */
export interface Self {
	readonly version: string;
	readonly pod: string;
}

/** Another service did not answer as hoped. */
export class CallFailed extends Error {
	override readonly name = "CallFailed";
}

/** How long to wait for another service, unless the mesh gives up first. */
const CALL_TIMEOUT_MS = 10_000;

/**
 * Headers that belong to the request of the user and so go along with every
 * call that it causes: without them traces fall apart, and rules that look at
 * the user see nobody.
 */
const FORWARDED = [
	"end-user",
	"x-request-id",
	"traceparent",
	"tracestate",
	"baggage",
	"b3",
	"x-b3-traceid",
	"x-b3-spanid",
	"x-b3-parentspanid",
	"x-b3-sampled",
	"x-b3-flags",
];

/** Runs the program until it is told to stop. */
export function runApp(
	handle: (request: AppRequest, self: Self) => Promise<AppResponse>,
): void {
	const { values } = parseArgs({
		options: {
			listen: { type: "string", default: "127.0.0.1:9080" },
			proxy: { type: "string" },
			version: { type: "string", default: "v1" },
			pod: { type: "string", default: "local" },
		},
	});
	const self = { version: values.version, pod: values.pod };
	const proxy = values.proxy === undefined ? undefined : new URL(values.proxy);
	const agent = new Agent({ keepAlive: true });

	const server = createServer((incoming, response) => {
		answer(incoming)
			.catch((error: unknown): AppResponse => {
				console.error(error);
				return { status: 500, body: { error: "internal error" } };
			})
			.then(({ status = 200, headers = {}, body = "" }) => {
				const text = typeof body === "string" ? body : JSON.stringify(body);
				response.writeHead(status, {
					"content-type":
						typeof body === "string"
							? "text/html; charset=utf-8"
							: "application/json",
					...headers,
				});
				response.end(text);
				console.log(`${incoming.method} ${incoming.url} ${status}`);
			})
			.catch((error: unknown) => response.destroy(asError(error)));
	});

	async function answer(incoming: IncomingMessage): Promise<AppResponse> {
		const headers: Record<string, string> = {};
		for (const [name, value] of Object.entries(incoming.headers)) {
			if (value !== undefined) headers[name] = String(value);
		}
		const forwarded = Object.fromEntries(
			FORWARDED.flatMap((name) => {
				const value = headers[name];
				return value === undefined ? [] : [[name, value]];
			}),
		);
		return await handle(
			{
				method: incoming.method ?? "GET",
				path: incoming.url ?? "/",
				headers,
				body: await readText(incoming, 64 * 1024),
				call: async (url, more = {}) =>
					await callJson(url, { ...forwarded, ...more }, proxy, agent),
			},
			self,
		);
	}

	const at = values.listen.lastIndexOf(":");
	server.listen(
		Number(values.listen.slice(at + 1)),
		values.listen.slice(0, at),
		() => {
			const address = server.address();
			const port = typeof address === "object" ? address?.port : undefined;
			console.log(`listening on ${values.listen.slice(0, at)}:${port}`);
		},
	);
	server.on("error", (error) => {
		console.error(`Cannot listen on ${values.listen}: ${error.message}`);
		process.exitCode = 1;
	});
	for (const signal of ["SIGINT", "SIGTERM"] as const) {
		process.once(signal, () => {
			agent.destroy();
			server.close();
			server.closeAllConnections();
		});
	}
}

/** A forward proxy is asked for the whole URL, the service itself for the path. */
async function callJson(
	url: string,
	headers: Readonly<Record<string, string>>,
	proxy: URL | undefined,
	agent: Agent,
): Promise<unknown> {
	const { host, hostname, port, pathname, search } = new URL(url);
	const text = await new Promise<string>((resolve, reject) => {
		const outgoing = httpRequest({
			agent,
			host: (proxy ?? { hostname }).hostname,
			port: (proxy ?? { port }).port || 80,
			path: proxy === undefined ? `${pathname}${search}` : url,
			headers: { ...headers, host, accept: "application/json" },
			signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
		});
		outgoing.on("response", (response) => {
			readText(response, 1024 * 1024).then((body) => {
				if (response.statusCode === 200) resolve(body);
				else {
					const reason = body.trim().slice(0, 200);
					reject(
						new CallFailed(
							`${host} answered ${response.statusCode}${reason === "" ? "" : `: ${reason}`}`,
						),
					);
				}
			}, reject);
		});
		outgoing.on("error", (error) =>
			reject(
				new CallFailed(`${host} did not answer: ${error.message}`, {
					cause: error,
				}),
			),
		);
		outgoing.end();
	});
	try {
		return JSON.parse(text);
	} catch (error) {
		throw new CallFailed(`${host} answered with what is not JSON`, {
			cause: error,
		});
	}
}

async function readText(
	message: IncomingMessage,
	maxBytes: number,
): Promise<string> {
	const chunks: Buffer[] = [];
	let size = 0;
	for await (const chunk of message) {
		const bytes: Buffer = chunk;
		size += bytes.length;
		if (size > maxBytes) throw new Error(`More than ${maxBytes} bytes.`);
		chunks.push(bytes);
	}
	return Buffer.concat(chunks).toString("utf8");
}

function asError(value: unknown): Error {
	return value instanceof Error ? value : new Error(String(value));
}
