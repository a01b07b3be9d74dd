import type { Verdict, Verdicts } from "../controllers/quarantine.ts";
import type { Distribution } from "../xds/distribution.ts";
import type { Proof } from "../xds/proof.ts";
import type {
	ConnectedProxies,
	ProxyEvent,
} from "../xds/server/connected-proxies.ts";

/** Tells the quarantine what proxies accept and refuse. gRPC clients have no say: what they do not understand, they leave out. */
export function proxyVerdicts(
	connected: ConnectedProxies,
	distribution: Distribution,
	proof: Proof,
): Verdicts {
	return {
		subscribe: (listener) =>
			connected.subscribe((event) => {
				if (event.on.proxy.kind === "grpc") return;
				const verdict = verdictOf(event);
				if (verdict !== undefined) listener(verdict);
			}),
		isCurrent: (version) => distribution.isCurrent(version),
		carrying: (ref) => distribution.carrying(ref),
		hasAccepted: (software, version) => proof.hasVersion(software, version),
	};
}

function verdictOf(event: ProxyEvent): Verdict | undefined {
	const { software = "", workload } = event.on.proxy;
	switch (event.op) {
		case "connected":
			return { op: "connected", software };
		case "acknowledged": {
			const { type, resources } = event.delivery;
			return { op: "accepted", software, type, resources };
		}
		case "rejected": {
			const { type, condemned: resources, message } = event.rejection;
			if (resources.length === 0) return undefined;
			return {
				op: "refused",
				software,
				type,
				proxy: workload,
				message,
				resources,
			};
		}
		case "disconnected":
			return undefined;
	}
}
