/*
 * The admin API: what this process knows, as JSON. It reads and never changes
 * anything but levels of the log, so all else has GET only. docs/admin-api.md
 * describes every path.
 */
import { compareRefs } from "../api/object-ref.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../lib/handler.ts";
import { metricsContentType } from "../observability/metrics.ts";
import { failure, json, jsonType } from "./answers.ts";
import { findProxy } from "./find-proxy.ts";
import { logLevelsAnswer } from "./log-levels.ts";
import { listProblems } from "./problems.ts";
import {
	type AdminReaders,
	type ProxyState,
	type ResourceWord,
	resourceWords,
} from "./readers.ts";
import { snapshotAnswer, whyAnswer } from "./snapshots.ts";
import { eventsAnswer, statusAnswer } from "./status.ts";

const logLevelsPath = "/v1/log-levels";

/** The admin API over these readers. */
export function adminApi(readers: AdminReaders): HttpHandler {
	return async (request, signal) => {
		if (isChange(request)) return onlyReads;
		return answer(request, readers, signal);
	};
}

async function answer(
	request: HttpRequest,
	readers: AdminReaders,
	signal: AbortSignal,
): Promise<HttpResponse> {
	const process = processAnswer(request, readers);
	if (process !== undefined) return process;
	const { path } = request;
	switch (path) {
		case "/v1/objects":
			return json(200, objectsBody(request.query, readers));
		case "/v1/proxies":
			return json(200, {
				proxies: readers.proxies.proxies().map(proxyBody),
			});
		case "/v1/resources":
			return snapshotAnswer(request.query, readers);
		case "/v1/why":
			return whyAnswer(request.query, readers);
		case "/v1/events":
			return eventsAnswer(request.query, readers.status);
	}
	if (path === "/v1/status" || path.startsWith("/v1/status/"))
		return statusAnswer(request, readers.status, signal);
	const below = "/v1/proxies/";
	if (path.startsWith(below))
		return proxyAnswer(path.slice(below.length), readers);
	return failure(404, `There is no ${path} here. GET / lists what there is.`);
}

/** What can be shown of a process before it knows anything. */
export type ProcessReaders = Pick<
	AdminReaders,
	"version" | "readiness" | "metrics" | "objects" | "logs"
>;

/**
 * The admin API while a server starts: how it is and what it waits for. Everything
 * else is refused, so that nobody takes "nothing yet" for "nothing".
 */
export function startingApi(readers: ProcessReaders): HttpHandler {
	return async (request) => {
		if (isChange(request)) return onlyReads;
		const { waitingFor } = readers.readiness();
		return (
			processAnswer(request, readers) ??
			failure(
				503,
				`The server is starting. It waits until ${waitingFor.join("; ")}. Ask again when /readyz answers 200.`,
			)
		);
	};
}

/** Whether a request would change something that cannot be changed. */
function isChange({ method, path }: HttpRequest): boolean {
	return method !== "GET" && method !== "HEAD" && path !== logLevelsPath;
}

function processAnswer(
	request: HttpRequest,
	readers: ProcessReaders,
): HttpResponse | undefined {
	switch (request.path) {
		case "/":
			return json(200, { paths: fixedPaths });
		case "/healthz":
			return json(200, { healthy: true });
		case "/readyz": {
			const readiness = readers.readiness();
			return json(readiness.ready ? 200 : 503, readiness);
		}
		case "/metrics":
			return {
				status: 200,
				headers: { "content-type": metricsContentType },
				body: readers.metrics(),
			};
		case "/v1/version":
			return json(200, {
				version: readers.version,
				node: process.versions.node,
				pid: process.pid,
			});
		case logLevelsPath:
			return logLevelsAnswer(request, readers.logs);
		case "/v1/problems":
			return json(200, { problems: listProblems(readers.objects) });
		default:
			return undefined;
	}
}

const onlyReads: HttpResponse = {
	...failure(405, "The admin API only reads: use GET."),
	headers: { allow: "GET, HEAD", "content-type": jsonType },
};

const fixedPaths: readonly string[] = [
	"/healthz",
	"/readyz",
	"/metrics",
	"/v1/version",
	logLevelsPath,
	"/v1/objects",
	"/v1/problems",
	"/v1/proxies",
	"/v1/proxies/NAME",
	...resourceWords.map((word) => `/v1/proxies/NAME/${word}`),
	"/v1/status",
	"/v1/status/KIND",
	"/v1/status/KIND/NAMESPACE",
	"/v1/status/KIND/NAMESPACE/NAME",
	"/v1/events",
	"/v1/resources",
	"/v1/why",
];

function objectsBody(query: URLSearchParams, readers: AdminReaders): unknown {
	const kind = query.get("kind");
	const troubled = query.get("troubled") === "true";
	const all = readers.objects.objects();
	const kinds: Record<string, number> = {};
	for (const { ref } of all) kinds[ref.kind] = (kinds[ref.kind] ?? 0) + 1;
	const objects = all
		.filter(
			(one) =>
				(kind === null || one.ref.kind === kind) &&
				(!troubled || one.violations.length + one.findings.length > 0),
		)
		.toSorted((a, b) => compareRefs(a.ref, b.ref))
		.map((one) => ({
			...one.ref,
			...one.place,
			inForce: one.inForce,
			accepted: one.violations.length === 0,
			violations: one.violations.map(({ path, message, position }) => ({
				path,
				message,
				...position,
			})),
			findings: one.findings.map(({ condition, reason, path, message }) => ({
				condition,
				reason,
				path,
				message,
			})),
		}));
	return { kinds, objects };
}

/**
 * Names of proxies hold slashes (`default/reviews-v1`), so the word after the
 * last one is the type when it is one.
 */
async function proxyAnswer(
	rest: string,
	readers: AdminReaders,
): Promise<HttpResponse> {
	const slash = rest.lastIndexOf("/");
	const word = resourceWords.find((one) => one === rest.slice(slash + 1));
	const withType = slash >= 0 && word !== undefined;
	const name = withType ? rest.slice(0, slash) : rest;
	const found = findProxy(readers.proxies.proxies(), name);
	if ("refusal" in found) return found.refusal;
	const { proxy } = found;
	if (!withType) return json(200, proxyBody(proxy));
	return resourcesAnswer(proxy, word, readers);
}

async function resourcesAnswer(
	proxy: ProxyState,
	type: ResourceWord,
	readers: AdminReaders,
): Promise<HttpResponse> {
	const resources = await readers.proxies.resources(proxy.id, type);
	if (resources === undefined)
		return failure(404, `The proxy ${proxy.id} has just disconnected.`);
	return json(200, {
		proxy: proxy.id,
		workload: proxy.workload,
		type,
		resources: resources.map((one) => ({
			name: one.name,
			sent: one.sent ?? null,
			acknowledged: one.acknowledged ?? null,
			rejected: one.rejected ?? null,
			config: one.config ?? null,
		})),
	});
}

function proxyBody(proxy: ProxyState): unknown {
	const counts = [...proxy.counts.values()];
	return {
		id: proxy.id,
		workload: proxy.workload,
		kind: proxy.kind,
		attachment: proxy.attachment,
		variant: proxy.variant,
		address: proxy.address,
		connectedAt: new Date(proxy.connectedMs).toISOString(),
		upToDate: counts.every(
			({ sent, acknowledged, rejected }) =>
				acknowledged === sent && rejected === 0,
		),
		resources: Object.fromEntries(proxy.counts),
	};
}
