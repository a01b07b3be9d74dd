import type * as api from "../api/route-rule.ts";
import type {
	Action,
	AffinityKey,
	Cors,
	HeaderChanges,
	HeaderMutations,
	Retries,
	Rewrite,
} from "./route.ts";
import { durationMs, translateStringMatch } from "./translate-match.ts";

/** The settings of a forward action that do not depend on what it forwards to. */
export function translateForward(
	spec: api.RouteRuleSpec,
): Omit<Extract<Action, { kind: "forward" }>, "kind" | "targets" | "mirrors"> {
	const { rewrite, timeout, idleTimeout, retries, affinity } = spec;
	return {
		...(rewrite !== undefined && { rewrite: translateRewrite(rewrite) }),
		...(timeout !== undefined && { timeoutMs: durationMs(timeout) }),
		...(idleTimeout !== undefined && {
			idleTimeoutMs: durationMs(idleTimeout),
		}),
		...(retries !== undefined && { retries: translateRetries(retries) }),
		affinity: affinity === undefined ? [] : translateAffinity(affinity),
		upgrades: spec.upgrade ?? [],
	};
}

/** A redirect as a RouteRule writes it. */
export function translateRedirect(redirect: api.Redirect): Action {
	const { code, scheme, authority, port, path, prefix } = redirect;
	return {
		kind: "redirect",
		code,
		...(scheme !== undefined && { scheme }),
		...(authority !== undefined && { authority }),
		...(port !== undefined && { port }),
		...(path !== undefined
			? { path: { kind: "full", path } }
			: prefix !== undefined && { path: { kind: "prefix", prefix } }),
	};
}

/** Changes of headers as a RouteRule writes them. */
export function translateHeaders(headers: api.HeaderRules): HeaderMutations {
	return {
		request: translateHeaderChanges(headers.request),
		response: translateHeaderChanges(headers.response),
	};
}

/** Cross-origin settings as a RouteRule writes them. */
export function translateCors(cors: api.Cors): Cors {
	return {
		allowOrigins: cors.allowOrigins.map(translateStringMatch),
		allowMethods: cors.methods ?? [],
		allowHeaders: cors.headers ?? [],
		exposeHeaders: cors.exposeHeaders ?? [],
		...(cors.maxAge !== undefined && { maxAgeMs: durationMs(cors.maxAge) }),
		allowCredentials: cors.credentials,
	};
}

function translateHeaderChanges(
	changes: api.HeaderChanges | undefined,
): HeaderChanges {
	return {
		set: changes?.set ?? {},
		add: changes?.add ?? {},
		remove: changes?.remove ?? [],
	};
}

function translateRewrite(rewrite: api.Rewrite): Rewrite {
	const { path, prefix, regex, authority } = rewrite;
	return {
		...(path !== undefined
			? { path: { kind: "full", path } }
			: prefix !== undefined
				? { path: { kind: "prefix", prefix } }
				: regex !== undefined && { path: { kind: "regex", ...regex } }),
		...(authority !== undefined && { authority }),
	};
}

function translateRetries(retries: api.Retries): Retries {
	const { attempts, perTryTimeout, on, backoff, retryOtherHosts } = retries;
	return {
		attempts,
		...(perTryTimeout !== undefined && {
			perTryTimeoutMs: durationMs(perTryTimeout),
		}),
		on,
		...(backoff !== undefined && {
			backoff: {
				baseMs: durationMs(backoff.base),
				...(backoff.max !== undefined && { maxMs: durationMs(backoff.max) }),
			},
		}),
		retryOtherHosts,
	};
}

function translateAffinity(affinity: api.Affinity): readonly AffinityKey[] {
	const { header, cookie, query, sourceIP } = affinity;
	const keys: AffinityKey[] = [];
	if (header !== undefined) {
		keys.push({ kind: "header", name: header.toLowerCase() });
	}
	if (cookie !== undefined) {
		keys.push({
			kind: "cookie",
			name: cookie.name,
			...(cookie.ttl !== undefined && { ttlMs: durationMs(cookie.ttl) }),
			...(cookie.path !== undefined && { path: cookie.path }),
		});
	}
	if (query !== undefined) keys.push({ kind: "query", name: query });
	if (sourceIP === true) keys.push({ kind: "sourceIP" });
	return keys;
}
