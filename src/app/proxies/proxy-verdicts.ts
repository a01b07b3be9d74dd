import type { Verdict, Verdicts } from "../../controllers/verdicts.ts";
import type { Catalog } from "../../xds/catalog/catalog.ts";
import type { Proof } from "../../xds/proof.ts";
import type {
	ConnectedProxies,
	ProxyEvent,
} from "../../xds/server/connected-proxies.ts";

/**
 * Tells the quarantine what proxies accept and refuse. gRPC clients have no say:
 * what they do not understand, they leave out.
 */
export function proxyVerdicts(
	connected: ConnectedProxies,
	catalog: Catalog,
	proof: Proof,
): Verdicts {
	const { distribution } = catalog;
	return {
		subscribe: (listener) =>
			connected.subscribe((event) => {
				if (event.on.proxy.kind === "grpc") return;
				const verdict = verdictOf(event);
				if (verdict !== undefined) listener(verdict);
			}),
		isCurrent: ({ software, proxy }, version) =>
			distribution.isCurrent(catalog.editionOf(software, proxy), version),
		carrying: ({ software, proxy }, ref) =>
			distribution.carrying(catalog.editionOf(software, proxy), ref),
		hasAccepted: (software, version) => proof.hasVersion(software, version),
	};
}

function verdictOf(event: ProxyEvent): Verdict | undefined {
	const { software = "", workload: proxy } = event.on.proxy;
	switch (event.op) {
		case "connected":
		case "disconnected":
			return { op: event.op, software, proxy };
		case "acknowledged": {
			const { type, resources } = event.delivery;
			return { op: "accepted", software, proxy, type, resources };
		}
		case "rejected": {
			const { type, condemned: resources, message } = event.rejection;
			if (resources.length === 0) return undefined;
			return { op: "refused", software, proxy, type, message, resources };
		}
	}
}
