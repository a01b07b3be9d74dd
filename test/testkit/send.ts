import { once } from "node:events";
import {
	type Agent,
	request as httpRequest,
	type IncomingMessage,
} from "node:http";

/** What an application saw of a request; its answer is this as JSON. */
export interface Seen {
	/** Name of the workload that answered. */
	readonly workload: string;
	readonly method: string;
	/** Path and query. */
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
}

/** An answer as a client sees it. */
export interface Answer {
	readonly status: number;
	readonly headers: Readonly<Record<string, string | string[] | undefined>>;
	readonly body: string;
	/** The body when an application answered with what it saw. */
	readonly seen: Seen | undefined;
	/** Name of the workload that answered; the status when the answer is somebody else's. */
	readonly from: string | number;
	readonly tookMs: number;
}

/** A request besides its URL. */
export interface Ask {
	readonly method?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string;
	/** Address of loopback to call from. */
	readonly localAddress?: string;
	/** Later answers are an error of the test. */
	readonly timeoutMs?: number;
}

/** How a request goes out. */
export interface Way {
	/** `address:port` of a forward proxy, which is asked for the absolute URL. */
	readonly proxy?: string;
	/** Address and port to connect to instead of those of the URL. */
	readonly to?: string;
	/** Connections are kept with an agent only. */
	readonly agent?: Agent;
}

/** Sends a request and waits for the whole answer. The URL's text goes out as it is. */
export async function send(
	url: string,
	ask: Ask = {},
	way: Way = {},
): Promise<Answer> {
	const startMs = performance.now();
	const [, authority = "", path = ""] =
		/^[a-z]+:\/\/([^/?]+)(.*)$/.exec(url) ?? [];
	const [host, port = "80"] = (way.proxy ?? way.to ?? authority).split(":");
	const request = httpRequest({
		host,
		port: Number(port),
		method: ask.method ?? "GET",
		path: way.proxy === undefined ? path || "/" : url,
		headers: { host: authority, ...ask.headers },
		agent: way.agent ?? false,
		...(ask.localAddress && { localAddress: ask.localAddress }),
		signal: AbortSignal.timeout(ask.timeoutMs ?? 10_000),
	});
	request.end(ask.body);
	const [response] = (await once(request, "response")) as [IncomingMessage];
	const chunks: Buffer[] = [];
	for await (const chunk of response) chunks.push(chunk as Buffer);
	const body = Buffer.concat(chunks).toString();
	const status = response.statusCode ?? 0;
	const seen = seenIn(body);
	return {
		status,
		headers: response.headers,
		body,
		seen,
		from: seen?.workload ?? status,
		tookMs: performance.now() - startMs,
	};
}

function seenIn(body: string): Seen | undefined {
	try {
		const value = JSON.parse(body) as unknown;
		return typeof value === "object" && value !== null && "workload" in value
			? (value as Seen)
			: undefined;
	} catch {
		return undefined; // The answer is a proxy's, or the test's own.
	}
}
