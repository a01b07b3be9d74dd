import { compareText } from "../api/object-ref.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { Proxy } from "../xds/proxy.ts";
import { offlineProxy } from "./offline-proxy.ts";

/**
 * A proxy for every workload and gateway of these meshes. Where there are no
 * workloads, one that stands for any workload of each namespace with a service.
 *
 * @param only names of workloads and gateways; all of them when empty.
 */
export function proxiesOfMeshes(
	meshes: readonly Mesh[],
	attachment: Proxy["attachment"],
	only: readonly string[],
): readonly Proxy[] {
	const workloads = new Set(
		meshes.flatMap((mesh) => [...mesh.workloads.keys()]),
	);
	const gateways = new Set(meshes.flatMap((mesh) => [...mesh.gateways.keys()]));
	if (workloads.size === 0)
		for (const mesh of meshes)
			for (const { namespace } of mesh.services.values())
				workloads.add(`${namespace}/any-workload`);
	for (const name of only) if (!gateways.has(name)) workloads.add(name);
	return [
		...[...workloads].map((workload) =>
			offlineProxy({ kind: "sidecar", workload, attachment }),
		),
		...[...gateways].map((workload) =>
			offlineProxy({ kind: "gateway", workload, listen: "0.0.0.0:80" }),
		),
	]
		.filter(({ workload }) => only.length === 0 || only.includes(workload))
		.sort((a, b) => compareText(a.workload, b.workload));
}
