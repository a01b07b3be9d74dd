import type { Proxy } from "./proxy.ts";
import type { Resource } from "./resource.ts";

/**
 * Kinds whose objects say freely what Envoy is to do. What is made from other
 * objects alone has the same form as thousands of resources before it.
 */
const kindsToProve: ReadonlySet<string> = new Set([
	"ExternalService",
	"RouteRule",
]);

/** Versions remembered of one kind of proxy: every resource of a mesh of 5,000 services with rules, three times over. */
const maxRemembered = 20_000;

/**
 * Which resources a proxy of the same software has accepted before, for all
 * streams. A resource that nobody has proven may be refused, and with it the
 * whole response that it is in.
 *
 * Forgetting costs one more response, nothing else; so what is remembered is
 * bounded, and the oldest goes first.
 */
export class Proof {
	readonly #accepted = new Map<string, Set<string>>();
	readonly #max: number;

	constructor(max = maxRemembered) {
		this.#max = max;
	}

	/** Whether a proxy with this one's software has accepted the resource, or nothing about it needs a proof. */
	has(proxy: Proxy, resource: Resource): boolean {
		return (
			this.#accepted.get(proxy.software ?? "")?.has(resource.version) ===
				true || !needsProof(resource)
		);
	}

	/** Whether a proxy with this software has accepted a version that needed a proof. */
	hasVersion(software: string, version: string): boolean {
		return this.#accepted.get(software)?.has(version) === true;
	}

	/** A proxy has accepted these. */
	note(proxy: Proxy, resources: readonly Resource[]): void {
		const software = proxy.software ?? "";
		let accepted = this.#accepted.get(software);
		for (const resource of resources) {
			const { version } = resource;
			if (accepted?.has(version) === true || !needsProof(resource)) continue;
			if (accepted === undefined) {
				accepted = new Set();
				this.#accepted.set(software, accepted);
			}
			accepted.add(version);
			if (accepted.size <= this.#max) continue;
			for (const oldest of accepted) {
				accepted.delete(oldest);
				break;
			}
		}
	}
}

function needsProof({ origins }: Resource): boolean {
	return origins.some(({ kind }) => kindsToProve.has(kind));
}
