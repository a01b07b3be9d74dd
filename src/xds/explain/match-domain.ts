import { lowerAscii } from "./match-string.ts";

/** How a virtual host was found. */
export interface DomainMatch<Host> {
	readonly host: Host;
	/** The entry of its domains that was the best of all. */
	readonly domain: string;
	readonly kind: "exact" | "suffix" | "prefix" | "any";
}

/** A virtual host, as far as finding it goes. */
interface HasDomains {
	readonly domains: readonly string[];
}

/**
 * The virtual host for an authority, as Envoy looks for it: an exact domain,
 * then the longest `*.example.com`, then the longest `example.*`, then `*`.
 */
export function matchDomain<Host extends HasDomains>(
	hosts: readonly Host[],
	authority: string,
	ignorePort: boolean,
): DomainMatch<Host> | undefined {
	const name = lowerAscii(ignorePort ? withoutPort(authority) : authority);
	let best: DomainMatch<Host> | undefined;
	for (const host of hosts) {
		for (const domain of host.domains) {
			const kind = kindOf(lowerAscii(domain), name);
			if (kind === undefined) continue;
			const found = { host, domain, kind };
			if (best === undefined || compare(found, best) < 0) best = found;
		}
	}
	return best;
}

const order = ["exact", "suffix", "prefix", "any"] as const;

function compare<Host>(a: DomainMatch<Host>, b: DomainMatch<Host>): number {
	return (
		order.indexOf(a.kind) - order.indexOf(b.kind) ||
		b.domain.length - a.domain.length
	);
}

function kindOf(
	domain: string,
	name: string,
): DomainMatch<unknown>["kind"] | undefined {
	if (domain === "*") return "any";
	// The star stands for at least one character.
	if (domain.startsWith("*"))
		return name.length >= domain.length && name.endsWith(domain.slice(1))
			? "suffix"
			: undefined;
	if (domain.endsWith("*"))
		return name.length >= domain.length && name.startsWith(domain.slice(0, -1))
			? "prefix"
			: undefined;
	return domain === name ? "exact" : undefined;
}

/** `reviews.default.:9080` → `reviews.default:9080`, as a connection manager strips it when told to. */
export function withoutTrailingDot(authority: string): string {
	return authority.replace(/\.(:[0-9]+)?$/, "$1");
}

/** `reviews:9080` → `reviews`; `[::1]:80` → `[::1]`. */
export function withoutPort(authority: string): string {
	return authority.replace(/:[0-9]+$/, "");
}
