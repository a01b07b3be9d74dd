import type { Verdict, Verdicts } from "../controllers/quarantine.ts";
import type { Clock } from "../lib/clock.ts";
import type { Distribution } from "../xds/catalog/distribution.ts";
import type { Proof } from "../xds/proof.ts";
import type {
	ConnectedProxies,
	ConnectedProxy,
	ProxyEvent,
} from "../xds/server/connected-proxies.ts";

/**
 * A proxy that is not the only one of its software is believed to refuse for a
 * good reason when no other has accepted the same within this time: longer than
 * a busy proxy takes for a response, and nobody is without what it had meanwhile.
 */
const peersMs = 250;

/**
 * Tells the quarantine what proxies accept and refuse. gRPC clients have no say:
 * what they do not understand, they leave out.
 *
 * Guarantees: a proxy that refuses what others of the same software accept is not
 *   heard, so one that is ill holds nothing back from those that are well; the
 *   status of objects still tells what it says.
 */
export function proxyVerdicts(
	connected: ConnectedProxies,
	distribution: Distribution,
	proof: Proof,
	clock: Clock,
): Verdicts {
	const hasPeers = (one: ConnectedProxy): boolean => {
		for (const other of connected.all()) {
			if (other === one || other.proxy.kind === "grpc") continue;
			if (other.proxy.software === one.proxy.software) return true;
		}
		return false;
	};
	/** What of the verdict nobody of the same software contradicts. */
	const believed = (verdict: Verdict): Verdict | undefined => {
		if (verdict.op !== "refused") return verdict;
		const resources = verdict.resources.filter(
			({ version }) => !proof.hasVersion(verdict.software, version),
		);
		return resources.length === 0 ? undefined : { ...verdict, resources };
	};
	const subscribe = (listener: (verdict: Verdict) => void): (() => void) => {
		const waiting = new Set<() => void>();
		const stop = connected.subscribe((event) => {
			if (event.on.proxy.kind === "grpc") return;
			const said = verdictOf(event);
			const verdict = said && believed(said);
			if (verdict === undefined) return;
			if (verdict.op !== "refused" || !hasPeers(event.on)) {
				listener(verdict);
				return;
			}
			const cancel = clock.after(peersMs, () => {
				waiting.delete(cancel);
				const still = believed(verdict);
				if (still !== undefined) listener(still);
			});
			waiting.add(cancel);
		});
		return () => {
			stop();
			for (const cancel of waiting) cancel();
		};
	};
	return {
		subscribe,
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
			return { op: "disconnected" };
	}
}
