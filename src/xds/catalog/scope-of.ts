import type { Mesh } from "../../mesh/mesh.ts";
import type { Proxy } from "../proxy.ts";
import type { ProxyScope } from "../proxy-scope.ts";

/** The scope of a proxy: of what is known about its workload, only what some rule of the mesh asks for. */
export function scopeOf(mesh: Mesh, proxy: Proxy): ProxyScope {
	const slash = proxy.workload.indexOf("/");
	const workload = mesh.workloads.get(proxy.workload);
	const facts = mesh.callerFacts;
	const labels = Object.entries(workload?.labels ?? {})
		.filter(([key]) => facts.labelKeys.has(key))
		.sort(([a], [b]) => (a < b ? -1 : 1));
	return {
		kind: proxy.kind === "gateway" ? "gateway" : "sidecar",
		gateway: proxy.kind === "gateway" ? proxy.workload : "",
		attachment: proxy.kind === "gateway" ? "explicit" : proxy.attachment,
		namespace: proxy.workload.slice(0, slash),
		labels: new Map(labels),
		services: (workload?.services ?? []).filter((hostname) =>
			facts.services.has(hostname),
		),
		identity: facts.identity ? (workload?.identity ?? "") : "",
	};
}
