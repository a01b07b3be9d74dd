import { ClusterSchema } from "../../gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import type { Mesh } from "../../mesh/mesh.ts";
import { clusterResources, fixedClusters } from "../generate/cluster.ts";
import { endpointResources } from "../generate/endpoint.ts";
import { makeResource } from "../generate/make-resource.ts";
import { type Attachment, serviceView } from "../generate/service-view.ts";
import type { MeshChanges } from "./mesh-changes.ts";
import {
	ChangeCollector,
	type LayerPlace,
	ResourceLayer,
} from "./resource-layer.ts";

/** Clusters and endpoints: the same for every proxy of one attachment. */
export class SharedResources {
	readonly layer: ResourceLayer;
	readonly #attachment: Attachment;

	constructor(attachment: Attachment, place: LayerPlace) {
		this.layer = new ResourceLayer(place);
		this.#attachment = attachment;
		this.layer.replace(
			"cluster",
			"",
			fixedClusters(attachment).map((init) =>
				makeResource(ClusterSchema, init.name ?? "", init, []),
			),
			new ChangeCollector(),
		);
	}

	/** Generates what the changes touch, and nothing else. */
	update(mesh: Mesh, changed: MeshChanges): ChangeCollector {
		const changes = new ChangeCollector();
		for (const hostname of changed.services) {
			const view = serviceView(mesh, hostname);
			this.layer.replace(
				"cluster",
				hostname,
				view ? clusterResources(view, this.#attachment) : [],
				changes,
			);
		}
		for (const hostname of union(changed.services, changed.endpoints)) {
			const view = serviceView(mesh, hostname);
			this.layer.replace(
				"endpoint",
				hostname,
				view ? endpointResources(view) : [],
				changes,
			);
			// The addresses that Envoy resolves by DNS stand in the cluster itself.
			if (
				view?.service.resolution === "dns" &&
				!changed.services.has(hostname)
			) {
				this.layer.replace(
					"cluster",
					hostname,
					clusterResources(view, this.#attachment),
					changes,
				);
			}
		}
		return changes;
	}
}

function union<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): ReadonlySet<T> {
	return b.size === 0 ? a : new Set([...a, ...b]);
}
