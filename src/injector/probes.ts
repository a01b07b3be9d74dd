/*
 * Probes and hooks by HTTP, TCP and gRPC go to the status port of the proxy, which asks the application:
 *
 *   kubelet ─ GET :15020/probes/app/readinessProbe ─▶ Envoy ─ GET /ready, from 127.0.0.6 ─▶ :8080
 *
 * So they pass no capture rule and no policy, also when everything else must be mutual TLS.
 */
import { isRecord } from "../api/fields.ts";
import {
	fieldOf,
	type Json,
	numberIn,
	recordIn,
	recordsIn,
	textIn,
	withField,
} from "./json.ts";
import { ports } from "./names.ts";

const probeNames = ["livenessProbe", "readinessProbe", "startupProbe"] as const;

const hookNames = ["postStart", "preStop"] as const;

function isHook(name: string): boolean {
	return hookNames.some((hook) => hook === name);
}

const isName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** What a probe asks of the application; ports are numbers. */
export type ProbeTarget =
	| {
			readonly kind: "http";
			readonly port: number;
			readonly path: string;
			readonly isTls: boolean;
			/** 0 for a hook, which may take as long as the pod has. */
			readonly timeoutSeconds: number;
	  }
	| ({ readonly kind: "tcp" } & Looks)
	| ({ readonly kind: "grpc"; readonly service: string } & Looks);

interface Looks {
	readonly port: number;
	readonly timeoutSeconds: number;
	/** How often the kubelet asks. */
	readonly periodSeconds: number;
}

/** A probe that goes through the proxy. */
export interface RewrittenProbe {
	/** On the status port. */
	readonly path: string;
	readonly target: ProbeTarget;
}

/** What a container's probes were, by container and then by probe or hook. */
export type OriginalHandlers = Readonly<Record<string, Json>>;

/** Containers whose probes go through the proxy. */
export interface RewrittenProbes {
	readonly containers: readonly unknown[];
	readonly originals: OriginalHandlers;
	readonly probes: readonly RewrittenProbe[];
}

/** Leads the probes of containers through the proxy; such as go there already stay. */
export function rewriteProbes(containers: readonly unknown[]): RewrittenProbes {
	const originals: (readonly [container: string, Json])[] = [];
	const probes: RewrittenProbe[] = [];
	const rewritten = containers.map((container) => {
		const name = textIn(container, "name");
		// What has no good name of its own is refused by the API server.
		if (!isRecord(container) || !isName.test(name)) return container;
		const originalsHere: Record<string, unknown> = {};
		const through = (holder: Json, which: string): Json | undefined => {
			const path = pathOf(name, which);
			const original = isThrough(holder, path) ? undefined : handlerOf(holder);
			const target =
				original && targetOf(original, holder, container, isHook(which));
			if (original === undefined || target === undefined) return undefined;
			originalsHere[which] = original;
			probes.push({ path, target });
			const { tcpSocket: _, grpc: __, ...rest } = holder;
			const headers = recordIn(original, "httpGet")["httpHeaders"];
			return {
				...rest,
				httpGet: {
					path,
					port: ports.status,
					scheme: "HTTP",
					...(headers !== undefined && { httpHeaders: headers }),
				},
			};
		};
		let result: Json = container;
		for (const which of probeNames) {
			const probe = fieldOf(container, which);
			const next = isRecord(probe) ? through(probe, which) : undefined;
			if (next !== undefined) result = withField(result, which, next);
		}
		const lifecycle = fieldOf(container, "lifecycle");
		for (const which of hookNames) {
			const hook = fieldOf(lifecycle, which);
			const next =
				isRecord(hook) && isRecord(fieldOf(hook, "httpGet"))
					? through(hook, which)
					: undefined;
			if (next !== undefined)
				result = withField(
					result,
					"lifecycle",
					withField(recordIn(result, "lifecycle"), which, next),
				);
		}
		if (Object.keys(originalsHere).length > 0)
			originals.push([name, originalsHere]);
		return result;
	});
	return {
		containers: rewritten,
		originals: Object.fromEntries(originals),
		probes,
	};
}

/**
 * Containers with the probes that they had before these went through the proxy.
 *
 * @param originals what `rewriteProbes` said, or anything
 */
export function restoreProbes(
	containers: readonly unknown[],
	originals: OriginalHandlers,
): readonly unknown[] {
	return containers.map((container) => {
		const name = textIn(container, "name");
		const known = recordIn(originals, name);
		const back = (of: Json, which: string): Json => {
			const holder = fieldOf(of, which);
			const original = recordIn(known, which);
			return isRecord(holder) &&
				isThrough(holder, pathOf(name, which)) &&
				handlerOf(original) !== undefined
				? withField(of, which, withHandler(holder, original))
				: of;
		};
		if (!isRecord(container) || Object.keys(known).length === 0)
			return container;
		const probed = probeNames.reduce(back, container);
		const lifecycle = fieldOf(probed, "lifecycle");
		return isRecord(lifecycle)
			? withField(probed, "lifecycle", hookNames.reduce(back, lifecycle))
			: probed;
	});
}

function pathOf(container: string, which: string): string {
	return `/probes/${container}/${which}`;
}

function isThrough(holder: Json, path: string): boolean {
	return textIn(recordIn(holder, "httpGet"), "path") === path;
}

/** The probe or hook with another handler, in its place. */
function withHandler(holder: Json, handler: Json): Json {
	return Object.fromEntries(
		Object.entries(holder).flatMap(([name, value]) =>
			name === "httpGet" ? Object.entries(handler) : [[name, value]],
		),
	);
}

/** What is asked, in one form whether or not the API server has filled in its defaults; undefined for what stays as it is. */
function handlerOf(holder: Json): Json | undefined {
	const httpGet = fieldOf(holder, "httpGet");
	if (isRecord(httpGet)) {
		// Another host than the pod's own is none of the application's.
		if (textIn(httpGet, "host") !== "") return undefined;
		const { path, scheme, ...rest } = httpGet;
		return {
			httpGet: { ...rest, path: path || "/", scheme: scheme || "HTTP" },
		};
	}
	const tcpSocket = fieldOf(holder, "tcpSocket");
	if (isRecord(tcpSocket))
		return textIn(tcpSocket, "host") === "" ? { tcpSocket } : undefined;
	const grpc = fieldOf(holder, "grpc");
	if (isRecord(grpc))
		return { grpc: { ...grpc, service: textIn(grpc, "service") } };
	return undefined;
}

function targetOf(
	original: Json,
	holder: Json,
	container: Json,
	takesItsTime: boolean,
): ProbeTarget | undefined {
	const http = recordIn(original, "httpGet");
	const tcp = recordIn(original, "tcpSocket");
	const grpc = recordIn(original, "grpc");
	const port = portOf(http["port"] ?? tcp["port"] ?? grpc["port"], container);
	// The API server refuses it, or nobody listens there: as before.
	if (port === undefined) return undefined;
	const timeoutSeconds = positive(numberIn(holder, "timeoutSeconds"), 1);
	const periodSeconds = positive(numberIn(holder, "periodSeconds"), 10);
	const looks = { port, timeoutSeconds, periodSeconds };
	if (isRecord(original["tcpSocket"])) return { kind: "tcp", ...looks };
	if (isRecord(original["grpc"]))
		return { kind: "grpc", service: textIn(grpc, "service"), ...looks };
	const path = textIn(http, "path");
	return {
		kind: "http",
		port,
		path: path.startsWith("/") ? path : `/${path}`,
		isTls: textIn(http, "scheme").toUpperCase() === "HTTPS",
		timeoutSeconds: takesItsTime ? 0 : timeoutSeconds,
	};
}

function portOf(value: unknown, container: Json): number | undefined {
	if (typeof value === "number") return isPort(value) ? value : undefined;
	if (typeof value !== "string") return undefined;
	if (/^\d{1,5}$/.test(value)) return portOf(Number(value), container);
	const named = recordsIn(container, "ports").find(
		(port) => textIn(port, "name") === value,
	);
	return named && portOf(numberIn(named, "containerPort"), container);
}

function isPort(value: number): boolean {
	return Number.isInteger(value) && value >= 1 && value <= 65535;
}

function positive(value: number | undefined, otherwise: number): number {
	return value !== undefined &&
		Number.isInteger(value) &&
		value > 0 &&
		value < 1e6
		? value
		: otherwise;
}
